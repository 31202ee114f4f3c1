//! Loads [`Settings`]. Each error is one line that names the setting.

use crate::config::{
    Environment, Safelist, SettingError, Settings,
    raw::{RawSettings, value},
    settings::parse,
    sources::{collect_settings, own_variables},
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
    let raw = collect_settings(variables)?;
    let settings = parse(&raw)?;
    validate(&raw, &settings)?;
    Ok(settings)
}

/// Validates settings against each other.
fn validate(raw: &RawSettings, settings: &Settings) -> Result<(), SettingError> {
    let require = |name: &'static str, expected: &str| match value(raw, name) {
        Some(_) => Ok(()),
        None => Err(SettingError::Malformed { name, expected: expected.to_owned() }),
    };
    if settings.environment == Environment::Production {
        require("KEZDESU_JWKS", "is required in production")?;
        require("KEZDESU_DATA_KEYS", "is required in production")?;
    }
    if settings.jwks.is_some() {
        require("KEZDESU_JWT_ISSUER", "is required with KEZDESU_JWKS")?;
        require("KEZDESU_JWT_AUDIENCE", "is required with KEZDESU_JWKS")?;
    }
    if !(settings.is_embedded() && settings.listen.ip().is_loopback()) {
        let expected = "is required unless the database is the embedded one and KEZDESU_LISTEN is a loopback address";
        require("KEZDESU_JWKS", expected)?;
    }
    if !settings.is_embedded() {
        require("KEZDESU_DATA_KEYS", "is required unless the database is the embedded one")?;
    }
    if settings.safelist == Safelist::Public {
        require("KEZDESU_OPERATIONS", "is required with KEZDESU_SAFELIST")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn with(pairs: &[(&str, &str)]) -> Result<Settings, String> {
        load(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))).map_err(|bad| bad.to_string())
    }

    const KEYS: (&str, &str) = (
        "KEZDESU_DATA_KEYS",
        "k1:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=,digest:AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=",
    );

    fn identity_provider() -> Vec<(&'static str, &'static str)> {
        ["KEZDESU_JWKS", "KEZDESU_JWT_ISSUER", "KEZDESU_JWT_AUDIENCE"].map(|name| (name, "https://id.example/")).into()
    }

    fn production() -> Vec<(&'static str, &'static str)> {
        [identity_provider(), vec![("KEZDESU_ENVIRONMENT", "production"), KEYS]].concat()
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
    fn says_what_a_value_must_be() {
        for (name, value, expected) in [
            ("ENVIRONMENT", "test", "is development or production"),
            ("OPS_LISTEN", "9090", "is an address such as 127.0.0.1:9090"),
            ("LAME_DUCK", "-1", "is a whole number from 0 to 300"),
            ("KEEP_EVENTS", "99", "is a whole number from 100 to 9223372036854775807"),
            ("MAX_BODY_BYTES", "1 MiB", "is a whole number from 1024 to 1073741824"),
            ("ADDRESS_CONNECTIONS", "4294967296", "is a whole number from 0 to 4294967295"),
            ("CONCURRENT_OPERATIONS", "65536", "is a whole number from 0 to 65535"),
            ("DATABASE_URL", "mysql://h/d", "is an address that begins with postgres:// or sqlite:"),
            ("REDIS_URL", "h", "is an address that begins with redis:// or rediss://"),
            ("ALLOWED_ORIGINS", "h", "holds origins such as https://meetings.example"),
            ("HOSTS", "h:1", "holds host names such as meetings.example, without a scheme and a port"),
            ("GATEWAYS", "h", "holds addresses or networks such as 10.0.0.0/8"),
            ("NORM_SETS", "2022", "holds decree-2022, decree-2024 or both"),
            ("SAFELIST", "all", "is off or public"),
            ("LOG", "loud", "is a filter such as info or kezdesu=debug,warn"),
            ("LOG_FORMAT", "xml", "is text or json"),
            ("OTLP", "h", "is an address that begins with http:// or https://"),
        ] {
            let name = format!("KEZDESU_{name}");
            assert_eq!(error(&[(&name, value)]), format!("{name}: {expected}"));
        }
    }

    #[test]
    fn production_and_postgresql_require_keys_for_personal_data() {
        let more = |more: (&'static str, &'static str)| [identity_provider(), vec![more]].concat();
        let in_production = error(&more(("KEZDESU_ENVIRONMENT", "production")));
        assert_eq!(in_production, "KEZDESU_DATA_KEYS: is required in production");
        let shared = error(&more(("KEZDESU_DATABASE_URL", "postgres://h/d")));
        assert_eq!(shared, "KEZDESU_DATA_KEYS: is required unless the database is the embedded one");
        let bad = error(&[("KEZDESU_DATA_KEYS", "k1:hush,digest:hush")]);
        assert!(bad.starts_with("KEZDESU_DATA_KEYS: holds keys of 32 bytes") && !bad.contains("hush"), "{bad}");
        let settings = with(&production()).unwrap();
        assert!(settings.data_keys.is_some() && !format!("{settings:?}").contains("AQEB"));
        assert!(with(&[]).unwrap().data_keys.is_none());
    }

    #[test]
    fn a_list_without_items_is_not_set() {
        let settings =
            with(&[("KEZDESU_NORM_SETS", " , "), ("KEZDESU_HOSTS", ","), ("KEZDESU_GATEWAYS", ",")]).unwrap();
        let defaults = with(&[]).unwrap();
        assert_eq!(format!("{settings:?}"), format!("{defaults:?}"));
        assert!(error(&[("KEZDESU_LISTEN", ",")]).starts_with("KEZDESU_LISTEN: "));
    }

    #[test]
    fn only_production_delays_shutdown_by_default() {
        let production = production();
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
        let production = production();
        assert_eq!(hosts(&production), None);
        let both = [&production[..], &[("KEZDESU_HOSTS", "meetings.example")]].concat();
        assert_eq!(hosts(&both), Some(vec!["meetings.example".to_owned()]));
    }

    #[test]
    fn links_begin_with_the_public_address_or_the_first_host_or_localhost() {
        let base = |more: &[(&str, &str)]| with(more).unwrap().link_base();
        assert_eq!(base(&[]), "http://localhost:8080");
        assert_eq!(base(&[("KEZDESU_LISTEN", "127.0.0.1:9000")]), "http://localhost:9000");
        let hosts = ("KEZDESU_HOSTS", "meetings.example, other.example");
        assert_eq!(base(&[hosts]), "https://meetings.example");
        assert_eq!(
            base(&[hosts, ("KEZDESU_PUBLIC_URL", "https://Kezdesu.example/api/")]),
            "https://kezdesu.example/api"
        );
        for url in ["kezdesu.example", "ftp://kezdesu.example", "https://u:p@kezdesu.example", "https://h/?a=1"] {
            assert!(
                error(&[("KEZDESU_PUBLIC_URL", url)]).starts_with("KEZDESU_PUBLIC_URL: is an address such as"),
                "{url}"
            );
        }
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
