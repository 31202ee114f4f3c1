//! Parses raw settings into [`Settings`]. Each error is one line that names the setting.

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
        Environment, LogFormat, Safelist, Secret, SettingError, Settings,
        raw::{RawSettings, collect_settings, own_variables},
    },
    domain::norms::Norms,
};

/// Loads the settings from the environment of this process.
///
/// # Errors
/// When a setting is invalid.
pub fn from_environment() -> Result<Settings, SettingError> {
    load(own_variables(std::env::vars_os())?)
}

/// Loads settings from name-value pairs. Names without the `KEZDESU_` prefix are ignored.
///
/// # Errors
/// When a setting is invalid.
pub fn load(variables: impl IntoIterator<Item = (String, String)>) -> Result<Settings, SettingError> {
    settings(&collect_settings(variables)?)
}

fn settings(raw: &RawSettings) -> Result<Settings, SettingError> {
    let jwks = optional(raw, "KEZDESU_JWKS");
    let environment = one_of(
        raw,
        "KEZDESU_ENVIRONMENT",
        &[("development", Environment::Development), ("production", Environment::Production)],
        "is development or production",
    )?;
    // In development there is no load balancer, and the service restarts often.
    let shutdown_delay = if environment == Environment::Production { 5 } else { 0 };
    if environment == Environment::Production && jwks.is_none() {
        return Err(malformed("KEZDESU_JWKS", "is required in production"));
    }
    let token = |name, default: &str| match (optional(raw, name), &jwks) {
        (Some(text), _) => Ok(text),
        (None, None) => Ok(default.to_owned()),
        (None, Some(_)) => Err(malformed(name, "is required with KEZDESU_JWKS")),
    };
    let data_dir = PathBuf::from(optional(raw, "KEZDESU_DATA_DIR").unwrap_or_else(|| "./data".to_owned()));
    let settings = Settings {
        listen: parsed(raw, "KEZDESU_LISTEN", "127.0.0.1:8080", "is an address such as 127.0.0.1:8080")?,
        ops_listen: parsed(raw, "KEZDESU_OPS_LISTEN", "127.0.0.1:9090", "is an address such as 127.0.0.1:9090")?,
        environment,
        shutdown_delay: TimeDelta::seconds(number(raw, "KEZDESU_LAME_DUCK", shutdown_delay, 0..=300)?),
        database_url: database(raw, &data_dir)?,
        data_dir,
        database_connections: number(raw, "KEZDESU_DATABASE_CONNECTIONS", 16, 2..=500)?,
        redis_url: redis(raw)?,
        redis_prefix: optional(raw, "KEZDESU_REDIS_PREFIX").unwrap_or_else(|| "kezdesu".to_owned()),
        jwt_issuer: token("KEZDESU_JWT_ISSUER", "kezdesu-dev")?,
        jwt_audience: token("KEZDESU_JWT_AUDIENCE", "kezdesu")?,
        jwks,
        allowed_origins: origins(raw)?,
        hosts: hosts(raw, environment)?,
        norms: norms(raw)?,
        keep_events: number(raw, "KEZDESU_KEEP_EVENTS", 100_000, 100..=i64::MAX)?,
        max_body_bytes: number(raw, "KEZDESU_MAX_BODY_BYTES", 1 << 20, 1024..=1 << 30)?,
        socket_operations: number(raw, "KEZDESU_SOCKET_OPERATIONS", 20, 1..=10_000)?,
        gateways: networks(raw, "KEZDESU_GATEWAYS")?,
        gateway_operations: number(raw, "KEZDESU_GATEWAY_OPERATIONS", 10_000, 1..=10_000)?,
        trusted_proxies: networks(raw, "KEZDESU_TRUSTED_PROXIES")?,
        person_a_minute: limit(raw, "KEZDESU_PERSON_A_MINUTE", 60)?,
        address_a_minute: limit(raw, "KEZDESU_ADDRESS_A_MINUTE", 3000)?,
        person_cost_a_minute: limit(raw, "KEZDESU_PERSON_COST_A_MINUTE", 200_000)?,
        address_cost_a_minute: limit(raw, "KEZDESU_ADDRESS_COST_A_MINUTE", 1_000_000)?,
        concurrent_operations: NonZeroUsize::new(number(raw, "KEZDESU_CONCURRENT_OPERATIONS", 256, 0..=65_535)?),
        address_connections: limit(raw, "KEZDESU_ADDRESS_CONNECTIONS", 15_000)?,
        operations: optional(raw, "KEZDESU_OPERATIONS").map(PathBuf::from),
        safelist: one_of(
            raw,
            "KEZDESU_SAFELIST",
            &[("off", Safelist::Off), ("public", Safelist::Public)],
            "is off or public",
        )?,
        log: log(raw)?,
        log_format: log_format(raw)?,
        otlp: collector(raw)?,
    };
    validate(&settings)?;
    Ok(settings)
}

/// Validates settings against each other.
fn validate(settings: &Settings) -> Result<(), SettingError> {
    if settings.jwks.is_none() && !(settings.is_embedded() && settings.listen.ip().is_loopback()) {
        let expected = "is required unless the database is the embedded one and KEZDESU_LISTEN is a loopback address";
        return Err(malformed("KEZDESU_JWKS", expected));
    }
    if settings.safelist == Safelist::Public && settings.operations.is_none() {
        return Err(malformed("KEZDESU_OPERATIONS", "is required with KEZDESU_SAFELIST"));
    }
    Ok(())
}

const fn malformed(name: &'static str, expected: &'static str) -> SettingError {
    SettingError::Malformed { name, expected }
}

fn optional(raw: &RawSettings, name: &str) -> Option<String> {
    raw.get(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn parsed<T: FromStr>(
    raw: &RawSettings,
    name: &'static str,
    default: &str,
    expected: &'static str,
) -> Result<T, SettingError> {
    optional(raw, name).as_deref().unwrap_or(default).parse().map_err(|_| malformed(name, expected))
}

fn number<T: FromStr + PartialOrd + ToString>(
    raw: &RawSettings,
    name: &'static str,
    default: T,
    range: std::ops::RangeInclusive<T>,
) -> Result<T, SettingError> {
    let Some(text) = optional(raw, name) else { return Ok(default) };
    let value = text.parse().ok().filter(|value| range.contains(value));
    let (min, max) = (range.start().to_string(), range.end().to_string());
    value.ok_or(SettingError::Number { name, min, max })
}

/// Parses a limit; 0 means no limit.
fn limit(raw: &RawSettings, name: &'static str, default: u32) -> Result<Option<NonZeroU32>, SettingError> {
    number(raw, name, default, 0..=u32::MAX).map(NonZeroU32::new)
}

fn log_format(raw: &RawSettings) -> Result<LogFormat, SettingError> {
    let formats = [("text", LogFormat::Text), ("json", LogFormat::Json)];
    one_of(raw, "KEZDESU_LOG_FORMAT", &formats, "is text or json")
}

fn one_of<T: Copy>(
    raw: &RawSettings,
    name: &'static str,
    choices: &[(&str, T)],
    expected: &'static str,
) -> Result<T, SettingError> {
    let value = optional(raw, name);
    let found = match &value {
        None => choices.first(),
        Some(text) => choices.iter().find(|(choice, _)| choice == text),
    };
    found.map(|(_, value)| *value).ok_or_else(|| malformed(name, expected))
}

fn list(raw: &RawSettings, name: &str) -> Vec<String> {
    let text = optional(raw, name).unwrap_or_default();
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

fn database(raw: &RawSettings, data_dir: &std::path::Path) -> Result<Secret<String>, SettingError> {
    let name = "KEZDESU_DATABASE_URL";
    let Some(url) = optional(raw, name) else {
        return Ok(Secret::new(format!("sqlite://{}", data_dir.join("kezdesu.db").display())));
    };
    let postgres = ["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme));
    if url.starts_with("sqlite:") || (postgres && Url::parse(&url).is_ok()) {
        return Ok(Secret::new(url));
    }
    Err(malformed(name, "is an address that begins with postgres:// or sqlite:"))
}

fn redis(raw: &RawSettings) -> Result<Option<Secret<String>>, SettingError> {
    let name = "KEZDESU_REDIS_URL";
    let Some(url) = optional(raw, name) else { return Ok(None) };
    let scheme = ["redis://", "rediss://", "redis+unix://", "unix://"].iter().any(|scheme| url.starts_with(scheme));
    if scheme && Url::parse(&url).is_ok() {
        return Ok(Some(Secret::new(url)));
    }
    Err(malformed(name, "is an address that begins with redis:// or rediss://"))
}

fn origins(raw: &RawSettings) -> Result<Vec<String>, SettingError> {
    let name = "KEZDESU_ALLOWED_ORIGINS";
    list(raw, name)
        .into_iter()
        .map(|text| {
            let url = Url::parse(&text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
            let origin = url.map(|url| url.origin().ascii_serialization());
            origin.ok_or_else(|| malformed(name, "holds origins such as https://meetings.example"))
        })
        .collect()
}

/// Returns the host names that are served; `None` means any.
///
/// The default is any in production, where a load balancer checks the host. In development it is none besides
/// the local ones, as protection against DNS rebinding.
fn hosts(raw: &RawSettings, environment: Environment) -> Result<Option<Vec<String>>, SettingError> {
    let name = "KEZDESU_HOSTS";
    let names = list(raw, name);
    if names.iter().any(|host| host == "*") || (names.is_empty() && environment == Environment::Production) {
        return Ok(None);
    }
    let plain = |host: String| match url::Host::parse(&host) {
        Ok(url::Host::Domain(host)) => Ok(host.trim_end_matches('.').to_owned()),
        _ => Err(malformed(name, "holds host names such as meetings.example, without a scheme and a port")),
    };
    names.into_iter().map(plain).collect::<Result<_, _>>().map(Some)
}

fn networks(raw: &RawSettings, name: &'static str) -> Result<Vec<IpNet>, SettingError> {
    let network = |text: String| text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    let networks = list(raw, name).into_iter().map(network);
    networks.collect::<Result<_, _>>().map_err(|_| malformed(name, "holds addresses or networks such as 10.0.0.0/8"))
}

fn collector(raw: &RawSettings) -> Result<Option<String>, SettingError> {
    let name = "KEZDESU_OTLP";
    let Some(url) = optional(raw, name) else { return Ok(None) };
    match Url::parse(&url).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host()) {
        true => Ok(Some(url)),
        false => Err(malformed(name, "is an address that begins with http:// or https://")),
    }
}

fn log(raw: &RawSettings) -> Result<String, SettingError> {
    let name = "KEZDESU_LOG";
    let filter = optional(raw, name).unwrap_or_else(|| "info".to_owned());
    // `EnvFilter` reads a single word that is not a level as a target, which would silence everything else.
    let names_a_level =
        |part: &str| part.contains('=') || part.trim().parse::<tracing::level_filters::LevelFilter>().is_ok();
    if tracing_subscriber::EnvFilter::try_new(&filter).is_ok() && filter.split(',').all(names_a_level) {
        return Ok(filter);
    }
    Err(malformed(name, "is a filter such as info or kezdesu=debug,warn"))
}

fn norms(raw: &RawSettings) -> Result<Norms, SettingError> {
    let name = "KEZDESU_NORM_SETS";
    let names = list(raw, name);
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

    fn error(pairs: &[(&str, &str)]) -> String {
        with(pairs).unwrap_err()
    }

    #[test]
    fn defaults_to_the_embedded_database() {
        let settings = with(&[("PATH", "/bin")]).unwrap();
        assert!(settings.is_embedded());
        assert_eq!(settings.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(settings.environment, Environment::Development);
    }

    #[test]
    fn names_a_wrong_or_unknown_setting_in_one_line() {
        assert_eq!(error(&[("KEZDESU_LISTN", "x")]), "KEZDESU_LISTN: there is no such setting");
        assert_eq!(error(&[("KEZDESU_LISTEN", "x")]), "KEZDESU_LISTEN: is an address such as 127.0.0.1:8080");
        assert_eq!(error(&[("KEZDESU_ENVIRONMENT", "production")]), "KEZDESU_JWKS: is required in production");
        assert_eq!(error(&[("KEZDESU_JWKS", "keys.json")]), "KEZDESU_JWT_ISSUER: is required with KEZDESU_JWKS");
        assert!(error(&[("KEZDESU_LISTEN", "0.0.0.0:80")]).starts_with("KEZDESU_JWKS: is required unless"));
        assert!(error(&[("KEZDESU_DATABASE_URL", "postgres://u:hush@h/d")]).starts_with("KEZDESU_JWKS:"));
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
            let text = error(&[(name, value)]);
            assert!(text.starts_with(name) && !text.contains("hush") && !text.contains('\n'), "{text}");
        }
    }

    #[test]
    fn only_production_delays_shutdown_by_default() {
        let production =
            ["KEZDESU_JWKS", "KEZDESU_JWT_ISSUER", "KEZDESU_JWT_AUDIENCE"].map(|name| (name, "https://id.example/"));
        let production = [&production[..], &[("KEZDESU_ENVIRONMENT", "production")]].concat();
        assert_eq!(with(&[]).unwrap().shutdown_delay, TimeDelta::zero());
        assert_eq!(with(&production).unwrap().shutdown_delay, TimeDelta::seconds(5));
        assert_eq!(with(&[("KEZDESU_LAME_DUCK", "15")]).unwrap().shutdown_delay, TimeDelta::seconds(15));
    }

    #[test]
    fn only_production_serves_any_host_by_default() {
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
    fn accepts_a_collector_with_and_without_tls() {
        for url in ["http://127.0.0.1:4318", "https://otlp.example", "https://otlp.example:4318/"] {
            assert_eq!(with(&[("KEZDESU_OTLP", url)]).unwrap().otlp.as_deref(), Some(url));
        }
        for url in ["https://", "ftp://otlp.example", "otlp.example:4318", "grpc://otlp.example"] {
            assert!(error(&[("KEZDESU_OTLP", url)]).ends_with("begins with http:// or https://"), "{url}");
        }
    }

    #[test]
    fn a_safelist_requires_operations() {
        assert_eq!(error(&[("KEZDESU_SAFELIST", "public")]), "KEZDESU_OPERATIONS: is required with KEZDESU_SAFELIST");
    }

    #[test]
    fn the_environment_overrides_the_file_and_secrets_are_redacted() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("kezdesu.toml");
        std::fs::write(&path, "listen = \"127.0.0.1:1\"\nkeep_events = 500\nredis_url = \"redis://:hush@h\"\n")
            .unwrap();
        let path = path.to_str().unwrap();
        let settings = with(&[("KEZDESU_CONFIG", path), ("KEZDESU_LISTEN", "127.0.0.1:2")]).unwrap();
        assert_eq!((settings.listen.port(), settings.keep_events), (2, 500));
        assert!(!format!("{settings:?}").contains("hush"));
        std::fs::write(dir.path().join("kezdesu.toml"), "lisen = 1").unwrap();
        assert_eq!(error(&[("KEZDESU_CONFIG", path)]), "KEZDESU_LISEN: there is no such setting");
    }
}
