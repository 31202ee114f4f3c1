//! From names and texts to checked settings. Every fault is one line that names the setting.

use std::{
    net::IpAddr,
    num::{NonZeroU32, NonZeroUsize},
    path::PathBuf,
    str::FromStr,
};

use chrono::TimeDelta;
use ipnet::IpNet;
use url::Url;

use crate::{
    config::{
        BadSetting, Environment, LogFormat, Safelist, Secret, Settings,
        texts::{Texts, gather, ours},
    },
    domain::norms::Norms,
};

/// Reads the settings of this process.
///
/// # Errors
/// When one of them does not hold.
pub fn from_environment() -> Result<Settings, BadSetting> {
    load(ours(std::env::vars_os())?)
}

/// Makes settings of names and texts; names that are not ours are left alone.
///
/// # Errors
/// When one of them does not hold.
pub fn load(variables: impl IntoIterator<Item = (String, String)>) -> Result<Settings, BadSetting> {
    settings(&gather(variables)?)
}

fn settings(texts: &Texts) -> Result<Settings, BadSetting> {
    let jwks = optional(texts, "KEZDESU_JWKS");
    let environment = one_of(
        texts,
        "KEZDESU_ENVIRONMENT",
        &[("development", Environment::Development), ("production", Environment::Production)],
        "is development or production",
    )?;
    // Who builds on the service stops it often, and nobody balances load to it.
    let lame_duck = if environment == Environment::Production { 5 } else { 0 };
    if environment == Environment::Production && jwks.is_none() {
        return Err(malformed("KEZDESU_JWKS", "is required in production"));
    }
    let token = |name, default: &str| match (optional(texts, name), &jwks) {
        (Some(text), _) => Ok(text),
        (None, None) => Ok(default.to_owned()),
        (None, Some(_)) => Err(malformed(name, "is required with KEZDESU_JWKS")),
    };
    let data_dir = PathBuf::from(optional(texts, "KEZDESU_DATA_DIR").unwrap_or_else(|| "./data".to_owned()));
    let settings = Settings {
        listen: parsed(texts, "KEZDESU_LISTEN", "127.0.0.1:8080", "is an address such as 127.0.0.1:8080")?,
        ops_listen: parsed(texts, "KEZDESU_OPS_LISTEN", "127.0.0.1:9090", "is an address such as 127.0.0.1:9090")?,
        environment,
        lame_duck: TimeDelta::seconds(number(texts, "KEZDESU_LAME_DUCK", lame_duck, 0..=300)?),
        database_url: database(texts, &data_dir)?,
        data_dir,
        database_connections: number(texts, "KEZDESU_DATABASE_CONNECTIONS", 16, 2..=500)?,
        redis_url: redis(texts)?,
        redis_prefix: optional(texts, "KEZDESU_REDIS_PREFIX").unwrap_or_else(|| "kezdesu".to_owned()),
        jwt_issuer: token("KEZDESU_JWT_ISSUER", "kezdesu-dev")?,
        jwt_audience: token("KEZDESU_JWT_AUDIENCE", "kezdesu")?,
        jwks,
        allowed_origins: origins(texts)?,
        hosts: hosts(texts, environment)?,
        norms: norms(texts)?,
        keep_events: number(texts, "KEZDESU_KEEP_EVENTS", 100_000, 100..=i64::MAX)?,
        max_body_bytes: number(texts, "KEZDESU_MAX_BODY_BYTES", 1 << 20, 1024..=1 << 30)?,
        socket_operations: number(texts, "KEZDESU_SOCKET_OPERATIONS", 20, 1..=10_000)?,
        gateways: networks(texts, "KEZDESU_GATEWAYS")?,
        gateway_operations: number(texts, "KEZDESU_GATEWAY_OPERATIONS", 10_000, 1..=10_000)?,
        trusted_proxies: networks(texts, "KEZDESU_TRUSTED_PROXIES")?,
        person_a_minute: limit(texts, "KEZDESU_PERSON_A_MINUTE", 60)?,
        address_a_minute: limit(texts, "KEZDESU_ADDRESS_A_MINUTE", 3000)?,
        person_cost_a_minute: limit(texts, "KEZDESU_PERSON_COST_A_MINUTE", 200_000)?,
        address_cost_a_minute: limit(texts, "KEZDESU_ADDRESS_COST_A_MINUTE", 1_000_000)?,
        concurrent_operations: NonZeroUsize::new(number(texts, "KEZDESU_CONCURRENT_OPERATIONS", 256, 0..=65_535)?),
        address_connections: limit(texts, "KEZDESU_ADDRESS_CONNECTIONS", 15_000)?,
        operations: optional(texts, "KEZDESU_OPERATIONS").map(PathBuf::from),
        safelist: one_of(
            texts,
            "KEZDESU_SAFELIST",
            &[("off", Safelist::Off), ("public", Safelist::Public)],
            "is off or public",
        )?,
        log: log(texts)?,
        log_format: log_format(texts)?,
        otlp: collector(texts)?,
    };
    together(&settings)?;
    Ok(settings)
}

/// What settings ask of each other.
fn together(settings: &Settings) -> Result<(), BadSetting> {
    if settings.jwks.is_none() && !(settings.is_embedded() && settings.listen.ip().is_loopback()) {
        let why = "is required unless the database is the embedded one and KEZDESU_LISTEN is a loopback address";
        return Err(malformed("KEZDESU_JWKS", why));
    }
    if settings.safelist == Safelist::Public && settings.operations.is_none() {
        return Err(malformed("KEZDESU_OPERATIONS", "is required with KEZDESU_SAFELIST"));
    }
    Ok(())
}

const fn malformed(name: &'static str, why: &'static str) -> BadSetting {
    BadSetting::Malformed { name, why }
}

fn optional(texts: &Texts, name: &str) -> Option<String> {
    texts.get(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn parsed<T: FromStr>(texts: &Texts, name: &'static str, default: &str, why: &'static str) -> Result<T, BadSetting> {
    optional(texts, name).as_deref().unwrap_or(default).parse().map_err(|_| malformed(name, why))
}

fn number<T: FromStr + PartialOrd + ToString>(
    texts: &Texts,
    name: &'static str,
    default: T,
    range: std::ops::RangeInclusive<T>,
) -> Result<T, BadSetting> {
    let Some(text) = optional(texts, name) else { return Ok(default) };
    let value = text.parse().ok().filter(|value| range.contains(value));
    let (least, most) = (range.start().to_string(), range.end().to_string());
    value.ok_or(BadSetting::Number { name, least, most })
}

/// How much is taken a minute; 0 is any amount.
fn limit(texts: &Texts, name: &'static str, default: u32) -> Result<Option<NonZeroU32>, BadSetting> {
    number(texts, name, default, 0..=u32::MAX).map(NonZeroU32::new)
}

fn log_format(texts: &Texts) -> Result<LogFormat, BadSetting> {
    let formats = [("text", LogFormat::Text), ("json", LogFormat::Json)];
    one_of(texts, "KEZDESU_LOG_FORMAT", &formats, "is text or json")
}

fn one_of<T: Copy>(
    texts: &Texts,
    name: &'static str,
    choices: &[(&str, T)],
    why: &'static str,
) -> Result<T, BadSetting> {
    let wished = optional(texts, name);
    let found = match &wished {
        None => choices.first(),
        Some(text) => choices.iter().find(|(choice, _)| choice == text),
    };
    found.map(|(_, value)| *value).ok_or_else(|| malformed(name, why))
}

fn list(texts: &Texts, name: &str) -> Vec<String> {
    let text = optional(texts, name).unwrap_or_default();
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

fn database(texts: &Texts, data_dir: &std::path::Path) -> Result<Secret<String>, BadSetting> {
    let name = "KEZDESU_DATABASE_URL";
    let Some(url) = optional(texts, name) else {
        return Ok(Secret::new(format!("sqlite://{}", data_dir.join("kezdesu.db").display())));
    };
    let postgres = ["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme));
    if url.starts_with("sqlite:") || (postgres && Url::parse(&url).is_ok()) {
        return Ok(Secret::new(url));
    }
    Err(malformed(name, "is an address that begins with postgres:// or sqlite:"))
}

fn redis(texts: &Texts) -> Result<Option<Secret<String>>, BadSetting> {
    let name = "KEZDESU_REDIS_URL";
    let Some(url) = optional(texts, name) else { return Ok(None) };
    let scheme = ["redis://", "rediss://", "redis+unix://", "unix://"].iter().any(|scheme| url.starts_with(scheme));
    if scheme && Url::parse(&url).is_ok() {
        return Ok(Some(Secret::new(url)));
    }
    Err(malformed(name, "is an address that begins with redis:// or rediss://"))
}

fn origins(texts: &Texts) -> Result<Vec<String>, BadSetting> {
    let name = "KEZDESU_ALLOWED_ORIGINS";
    list(texts, name)
        .into_iter()
        .map(|text| {
            let url = Url::parse(&text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
            let origin = url.map(|url| url.origin().ascii_serialization());
            origin.ok_or_else(|| malformed(name, "holds origins such as https://meetings.example"))
        })
        .collect()
}

/// Returns the host names that are served; `None` is any. A deployment that says nothing stands behind a balancer, which knows its names;
/// who builds on the service has it on the own machine, where any page could bring its name to it.
fn hosts(texts: &Texts, environment: Environment) -> Result<Option<Vec<String>>, BadSetting> {
    let name = "KEZDESU_HOSTS";
    let names = list(texts, name);
    if names.iter().any(|host| host == "*") || (names.is_empty() && environment == Environment::Production) {
        return Ok(None);
    }
    let plain = |host: String| match url::Host::parse(&host) {
        Ok(url::Host::Domain(host)) => Ok(host.trim_end_matches('.').to_owned()),
        _ => Err(malformed(name, "holds host names such as meetings.example, without a scheme and a port")),
    };
    names.into_iter().map(plain).collect::<Result<_, _>>().map(Some)
}

fn networks(texts: &Texts, name: &'static str) -> Result<Vec<IpNet>, BadSetting> {
    let network = |text: String| text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    let networks = list(texts, name).into_iter().map(network);
    networks.collect::<Result<_, _>>().map_err(|_| malformed(name, "holds addresses or networks such as 10.0.0.0/8"))
}

fn collector(texts: &Texts) -> Result<Option<String>, BadSetting> {
    let name = "KEZDESU_OTLP";
    let Some(url) = optional(texts, name) else { return Ok(None) };
    match Url::parse(&url).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host()) {
        true => Ok(Some(url)),
        false => Err(malformed(name, "is an address that begins with http:// or https://")),
    }
}

fn log(texts: &Texts) -> Result<String, BadSetting> {
    let name = "KEZDESU_LOG";
    let filter = optional(texts, name).unwrap_or_else(|| "info".to_owned());
    // A single word that is no level would be taken for a part of the program, and all else would be silent.
    let says_how_much =
        |part: &str| part.contains('=') || part.trim().parse::<tracing::level_filters::LevelFilter>().is_ok();
    if tracing_subscriber::EnvFilter::try_new(&filter).is_ok() && filter.split(',').all(says_how_much) {
        return Ok(filter);
    }
    Err(malformed(name, "is a filter such as info or kezdesu=debug,warn"))
}

fn norms(texts: &Texts) -> Result<Norms, BadSetting> {
    let name = "KEZDESU_NORM_SETS";
    let names = list(texts, name);
    if names.is_empty() {
        return Ok(Norms::default());
    }
    Norms::named(&names).map_err(|_| malformed(name, "holds decree-2022, decree-2024 or both"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(pairs: &[(&str, &str)]) -> Result<Settings, String> {
        load(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))).map_err(|bad| bad.to_string())
    }

    fn refusal(pairs: &[(&str, &str)]) -> String {
        with(pairs).unwrap_err()
    }

    #[test]
    fn nothing_set_is_the_embedded_default() {
        let settings = with(&[("PATH", "/bin")]).unwrap();
        assert!(settings.is_embedded());
        assert_eq!(settings.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(settings.environment, Environment::Development);
    }

    #[test]
    fn a_wrong_or_unknown_setting_is_named_in_one_line() {
        assert_eq!(refusal(&[("KEZDESU_LISTN", "x")]), "KEZDESU_LISTN: there is no such setting");
        assert_eq!(refusal(&[("KEZDESU_LISTEN", "x")]), "KEZDESU_LISTEN: is an address such as 127.0.0.1:8080");
        assert_eq!(refusal(&[("KEZDESU_ENVIRONMENT", "production")]), "KEZDESU_JWKS: is required in production");
        assert_eq!(refusal(&[("KEZDESU_JWKS", "keys.json")]), "KEZDESU_JWT_ISSUER: is required with KEZDESU_JWKS");
        assert!(refusal(&[("KEZDESU_LISTEN", "0.0.0.0:80")]).starts_with("KEZDESU_JWKS: is required unless"));
        assert!(refusal(&[("KEZDESU_DATABASE_URL", "postgres://u:hush@h/d")]).starts_with("KEZDESU_JWKS:"));
        for (name, value) in [
            ("KEZDESU_DATABASE_URL", "mysql://root:hush@h/d"),
            ("KEZDESU_REDIS_URL", "hush"),
            ("KEZDESU_NORM_SETS", "decree-1999"),
            ("KEZDESU_ALLOWED_ORIGINS", "example"),
            ("KEZDESU_KEEP_EVENTS", "1"),
            ("KEZDESU_LOG_FORMAT", "xml"),
            ("KEZDESU_TRUSTED_PROXIES", "10.0.0.0/99"),
            ("KEZDESU_GATEWAYS", "gateway"),
            ("KEZDESU_HOSTS", "https://meetings.example"),
            ("KEZDESU_HOSTS", "meetings.example:8080"),
            ("KEZDESU_HOSTS", "10.0.0.7"),
            ("KEZDESU_ADDRESS_CONNECTIONS", "-1"),
            ("KEZDESU_GATEWAY_OPERATIONS", "0"),
            ("KEZDESU_LAME_DUCK", "301"),
            ("KEZDESU_PERSON_A_MINUTE", "-1"),
            ("KEZDESU_PERSON_COST_A_MINUTE", "many"),
            ("KEZDESU_ADDRESS_COST_A_MINUTE", "-1"),
            ("KEZDESU_CONCURRENT_OPERATIONS", "65536"),
            ("KEZDESU_SAFELIST", "all"),
            ("KEZDESU_OTLP", "collector"),
            ("KEZDESU_LOG", "kezdesu=loudest"),
            ("KEZDESU_LOG", "loud"),
        ] {
            let text = refusal(&[(name, value)]);
            assert!(text.starts_with(name) && !text.contains("hush") && !text.contains('\n'), "{text}");
        }
    }

    #[test]
    fn only_production_says_first_that_it_is_about_to_stop() {
        let production =
            ["KEZDESU_JWKS", "KEZDESU_JWT_ISSUER", "KEZDESU_JWT_AUDIENCE"].map(|name| (name, "https://id.example/"));
        let production = [&production[..], &[("KEZDESU_ENVIRONMENT", "production")]].concat();
        assert_eq!(with(&[]).unwrap().lame_duck, TimeDelta::zero());
        assert_eq!(with(&production).unwrap().lame_duck, TimeDelta::seconds(5));
        assert_eq!(with(&[("KEZDESU_LAME_DUCK", "15")]).unwrap().lame_duck, TimeDelta::seconds(15));
    }

    #[test]
    fn only_production_is_reached_under_any_name_unless_told() {
        let hosts = |more: &[(&str, &str)]| with(more).unwrap().hosts;
        assert_eq!(hosts(&[]), Some(Vec::new()));
        assert_eq!(hosts(&[("KEZDESU_HOSTS", "*")]), None);
        let named = hosts(&[("KEZDESU_HOSTS", "Meetings.Example, кездесу.қаз")]).unwrap();
        assert_eq!(named, ["meetings.example", "xn--d1abbgn0co.xn--80ao21a"]);
        let production =
            ["KEZDESU_JWKS", "KEZDESU_JWT_ISSUER", "KEZDESU_JWT_AUDIENCE"].map(|name| (name, "https://id.example/"));
        let production = [&production[..], &[("KEZDESU_ENVIRONMENT", "production")]].concat();
        assert_eq!(hosts(&production), None);
        let both = [&production[..], &[("KEZDESU_HOSTS", "meetings.example")]].concat();
        assert_eq!(hosts(&both), Some(vec!["meetings.example".to_owned()]));
    }

    #[test]
    fn takes_a_collector_with_and_without_encryption() {
        for url in ["http://127.0.0.1:4318", "https://otlp.example", "https://otlp.example:4318/"] {
            assert_eq!(with(&[("KEZDESU_OTLP", url)]).unwrap().otlp.as_deref(), Some(url));
        }
        for url in ["https://", "ftp://otlp.example", "otlp.example:4318", "grpc://otlp.example"] {
            assert!(refusal(&[("KEZDESU_OTLP", url)]).ends_with("begins with http:// or https://"), "{url}");
        }
    }

    #[test]
    fn a_safelist_needs_a_list() {
        assert_eq!(refusal(&[("KEZDESU_SAFELIST", "public")]), "KEZDESU_OPERATIONS: is required with KEZDESU_SAFELIST");
    }

    #[test]
    fn the_environment_goes_before_the_file_and_no_secret_is_shown() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("kezdesu.toml");
        std::fs::write(&path, "listen = \"127.0.0.1:1\"\nkeep_events = 500\nredis_url = \"redis://:hush@h\"\n")
            .unwrap();
        let path = path.to_str().unwrap();
        let settings = with(&[("KEZDESU_CONFIG", path), ("KEZDESU_LISTEN", "127.0.0.1:2")]).unwrap();
        assert_eq!((settings.listen.port(), settings.keep_events), (2, 500));
        assert!(!format!("{settings:?}").contains("hush"));
        std::fs::write(dir.path().join("kezdesu.toml"), "lisen = 1").unwrap();
        assert_eq!(refusal(&[("KEZDESU_CONFIG", path)]), "KEZDESU_LISEN: there is no such setting");
    }
}
