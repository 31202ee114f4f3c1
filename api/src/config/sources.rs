//! The sources of settings: collects them from the environment and the TOML file.

use std::ffi::OsString;

use crate::config::{SETTINGS, SettingError, raw::RawSettings};

/// Prefix of our environment variables.
const PREFIX: &str = "KEZDESU_";
/// Variables of the gateways and the compose file, often set in the same shell.
const FOREIGN_VARIABLES: [&str; 3] = ["KEZDESU_URL", "KEZDESU_PORT", "KEZDESU_GATEWAY_PORT"];

/// Returns the environment variables with our prefix.
pub(in crate::config) fn own_variables(
    variables: impl Iterator<Item = (OsString, OsString)>,
) -> Result<Vec<(String, String)>, SettingError> {
    let named = variables.map(|(name, value)| (name.to_string_lossy().into_owned(), value));
    let own = named.filter(|(name, _)| name.starts_with(PREFIX));
    own.map(|(name, value)| match value.into_string() {
        Ok(value) => Ok((name, value)),
        Err(_) => Err(SettingError::NotText(name)),
    })
    .collect()
}

/// Collects the settings of the environment and of the file that it names. The environment takes precedence,
/// except for empty variables.
pub(in crate::config) fn collect_settings(
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<RawSettings, SettingError> {
    let own = |(name, value): &(String, String)| name.starts_with(PREFIX) && !is_foreign(name, value);
    let mut environment: RawSettings = variables.into_iter().filter(own).collect();
    reject_unknown(&environment)?;
    environment.retain(|_, value| !value.trim().is_empty());
    let mut raw = match environment.get("KEZDESU_CONFIG") {
        Some(path) => read_file(path)?,
        None => RawSettings::new(),
    };
    reject_unknown(&raw)?;
    raw.extend(environment);
    Ok(raw)
}

fn reject_unknown(raw: &RawSettings) -> Result<(), SettingError> {
    match raw.keys().find(|name| !is_setting(name)) {
        Some(unknown) => Err(SettingError::Unknown(unknown.clone())),
        None => Ok(()),
    }
}

fn is_setting(name: &str) -> bool {
    SETTINGS.iter().any(|setting| setting.name == name)
}

fn is_foreign(name: &str, value: &str) -> bool {
    !is_setting(name) && (FOREIGN_VARIABLES.contains(&name) || is_service_link(name, value))
}

/// Returns whether the variable is a service link that Kubernetes sets in every pod.
fn is_service_link(name: &str, value: &str) -> bool {
    let protocol = |text: &str| matches!(text, "TCP" | "UDP" | "SCTP");
    let port = |rest: &str| {
        let mut parts = rest.split('_');
        let number = parts.next().is_some_and(|number| number.parse::<u16>().is_ok());
        let part = number && parts.next().is_some_and(protocol);
        part && parts.next().is_none_or(|last| matches!(last, "PROTO" | "PORT" | "ADDR")) && parts.next().is_none()
    };
    let is_link = || ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.starts_with(scheme));
    name.ends_with("_SERVICE_HOST")
        || name.ends_with("_SERVICE_PORT")
        || name.contains("_SERVICE_PORT_")
        || name.rsplit_once("_PORT_").is_some_and(|(_, rest)| port(rest))
        || (name.ends_with("_PORT") && is_link())
}

fn read_file(path: &str) -> Result<RawSettings, SettingError> {
    let unreadable = |error: std::io::Error| SettingError::File { path: path.to_owned(), kind: error.kind() };
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        // The library's message quotes the line, which may contain a secret.
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        SettingError::Toml { path: path.to_owned(), line: before.matches('\n').count() + 1 }
    })?;
    let text = |name: &str, value| match value {
        toml::Value::String(text) => Ok(text),
        toml::Value::Integer(number) => Ok(number.to_string()),
        toml::Value::Boolean(flag) => Ok(flag.to_string()),
        _ => Err(SettingError::Compound(name.to_owned())),
    };
    let named = table.into_iter().map(|(name, value)| (format!("{PREFIX}{}", name.to_uppercase()), value));
    named.map(|(name, value)| Ok((name.clone(), text(&name, value)?))).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt as _;

    use super::*;

    fn collect_from(pairs: &[(&str, &str)]) -> Result<RawSettings, String> {
        collect_settings(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
            .map_err(|bad| bad.to_string())
    }

    fn in_file(text: &str) -> (tempfile::TempDir, String) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("kezdesu.toml");
        std::fs::write(&path, text).unwrap();
        let path = path.to_str().unwrap().to_owned();
        (dir, path)
    }

    #[test]
    fn ignores_variables_of_kubernetes_gateways_and_compose() {
        let links = [
            ("KEZDESU_SERVICE_HOST", "10.0.0.7"),
            ("KEZDESU_SERVICE_PORT", "8080"),
            ("KEZDESU_SERVICE_PORT_HTTP", "8080"),
            ("KEZDESU_PORT", "tcp://10.0.0.7:8080"),
            ("KEZDESU_PORT_8080_TCP", "tcp://10.0.0.7:8080"),
            ("KEZDESU_PORT_8080_TCP_PROTO", "tcp"),
            ("KEZDESU_PORT_8080_TCP_PORT", "8080"),
            ("KEZDESU_PORT_8080_TCP_ADDR", "10.0.0.7"),
            ("KEZDESU_REDIS_SERVICE_HOST", "10.0.0.8"),
            ("KEZDESU_REDIS_PORT", "tcp://10.0.0.8:6379"),
            ("KEZDESU_REDIS_PORT_6379_TCP_ADDR", "10.0.0.8"),
            ("KEZDESU_URL", "http://balancer/graphql"),
            ("KEZDESU_GATEWAY_PORT", "4000"),
        ];
        assert_eq!(collect_from(&links), Ok(RawSettings::new()));
        assert_eq!(collect_from(&[("KEZDESU_PORT", "8080")]), Ok(RawSettings::new()), "the port of the compose file");
        for typo in
            ["KEZDESU_LISTEN_PORT", "KEZDESU_PORT_8080", "KEZDESU_PORT_HTTP_TCP", "KEZDESU_SERVICE", "KEZDESU_HOST"]
        {
            assert_eq!(collect_from(&[(typo, "8080")]), Err(format!("{typo}: there is no such setting")));
        }
        let (_dir, path) = in_file("url = \"http://balancer/graphql\"");
        let error = collect_from(&[("KEZDESU_CONFIG", &path)]);
        assert_eq!(
            error,
            Err("KEZDESU_URL: there is no such setting".to_owned()),
            "foreign names are errors in the file"
        );
    }

    #[test]
    fn an_empty_variable_does_not_override_the_file() {
        let (_dir, path) = in_file("safelist = \"public\"\nlisten = \"127.0.0.1:1\"");
        let raw =
            collect_from(&[("KEZDESU_CONFIG", &path), ("KEZDESU_SAFELIST", ""), ("KEZDESU_LISTEN", " ")]).unwrap();
        assert_eq!((&*raw["KEZDESU_SAFELIST"], &*raw["KEZDESU_LISTEN"]), ("public", "127.0.0.1:1"));
        assert_eq!(collect_from(&[("KEZDESU_CONFIG", "")]), Ok(RawSettings::new()));
        assert_eq!(collect_from(&[("KEZDESU_TYPO", "")]), Err("KEZDESU_TYPO: there is no such setting".to_owned()));
    }

    #[test]
    fn names_the_setting_that_is_not_utf_8() {
        let bytes = || OsString::from_vec(b"caf\xe9".to_vec());
        let error = own_variables([("KEZDESU_REDIS_PREFIX".into(), bytes())].into_iter()).unwrap_err();
        assert_eq!(error.to_string(), "KEZDESU_REDIS_PREFIX: the value is not UTF-8");
        assert_eq!(own_variables([("OTHER".into(), bytes()), (bytes(), "x".into())].into_iter()), Ok(Vec::new()));
    }

    #[test]
    fn names_the_fault_of_a_file() {
        let error = |path: &str| collect_from(&[("KEZDESU_CONFIG", path)]).unwrap_err();
        assert_eq!(error("nowhere.toml"), "KEZDESU_CONFIG: nowhere.toml cannot be read: entity not found");
        let (_dir, path) = in_file("listen = \"127.0.0.1:1\"\nredis_url = redis://:hush@h\n");
        assert_eq!(error(&path), format!("KEZDESU_CONFIG: {path} is not TOML in line 2"));
        for text in ["allowed_origins = [\"https://a.example\"]", "[allowed_origins]\na = 1", "allowed_origins = 1.5"] {
            let (_dir, path) = in_file(text);
            let text = error(&path);
            assert!(text.starts_with("KEZDESU_ALLOWED_ORIGINS: ") && text.ends_with("with commas between"), "{text}");
        }
    }
}
