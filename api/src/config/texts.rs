//! From the environment and a file to texts, one a setting.

use std::{collections::BTreeMap, ffi::OsString, io::ErrorKind};

use crate::config::SETTINGS;

/// Texts by the names of their settings.
pub(in crate::config) type Texts = BTreeMap<String, String>;

/// How the names of settings begin.
const OURS: &str = "KEZDESU_";
/// What gateways and the compose file are set by, often in the same shell.
const OTHERS: [&str; 3] = ["KEZDESU_URL", "KEZDESU_PORT", "KEZDESU_GATEWAY_PORT"];

/// Why the settings do not hold. Never shows a value that may be secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSetting {
    /// There is no such setting.
    #[error("{0}: there is no such setting")]
    Unknown(String),
    /// A value is not text.
    #[error("{0}: the value is not UTF-8")]
    NotText(String),
    /// A setting is malformed.
    #[error("{name}: {why}")]
    Malformed {
        /// The setting.
        name: &'static str,
        /// What it should be.
        why: &'static str,
    },
    /// A number is none, or too small or large.
    #[error("{name}: is a whole number from {least} to {most}")]
    Number {
        /// The setting.
        name: &'static str,
        /// The least it may be.
        least: String,
        /// The most it may be.
        most: String,
    },
    /// A setting in the file is a list or a table.
    #[error(
        "{0}: in the file of settings a value is a text, a whole number, true or false; a list is a text with commas between"
    )]
    Compound(String),
    /// The file of settings cannot be read.
    #[error("KEZDESU_CONFIG: {path} cannot be read: {kind}")]
    File {
        /// The file.
        path: String,
        /// What the operating system says.
        kind: ErrorKind,
    },
    /// The file of settings is malformed.
    #[error("KEZDESU_CONFIG: {path} is not TOML in line {line}")]
    Toml {
        /// The file.
        path: String,
        /// The line, from 1.
        line: usize,
    },
}

/// The variables of an environment that begin as settings do.
pub(in crate::config) fn ours(
    variables: impl Iterator<Item = (OsString, OsString)>,
) -> Result<Vec<(String, String)>, BadSetting> {
    let named = variables.map(|(name, value)| (name.to_string_lossy().into_owned(), value));
    let ours = named.filter(|(name, _)| name.starts_with(OURS));
    ours.map(|(name, value)| match value.into_string() {
        Ok(value) => Ok((name, value)),
        Err(_) => Err(BadSetting::NotText(name)),
    })
    .collect()
}

/// The texts of an environment and of the file it names. The environment goes before the file, but for what is empty there: a
/// variable that is passed on without having been set must not undo the file.
pub(in crate::config) fn gather(variables: impl IntoIterator<Item = (String, String)>) -> Result<Texts, BadSetting> {
    let ours = |(name, value): &(String, String)| name.starts_with(OURS) && !is_for_others(name, value);
    let mut environment: Texts = variables.into_iter().filter(ours).collect();
    known(&environment)?;
    environment.retain(|_, value| !value.trim().is_empty());
    let mut texts = match environment.get("KEZDESU_CONFIG") {
        Some(path) => file(path)?,
        None => Texts::new(),
    };
    known(&texts)?;
    texts.extend(environment);
    Ok(texts)
}

fn known(texts: &Texts) -> Result<(), BadSetting> {
    match texts.keys().find(|name| !is_setting(name)) {
        Some(unknown) => Err(BadSetting::Unknown(unknown.clone())),
        None => Ok(()),
    }
}

fn is_setting(name: &str) -> bool {
    SETTINGS.iter().any(|one| one.name == name)
}

fn is_for_others(name: &str, value: &str) -> bool {
    !is_setting(name) && (OTHERS.contains(&name) || is_service_link(name, value))
}

/// Whether Kubernetes sets such a variable, in every pod beside a Service that is called `kezdesu` or `kezdesu-…`.
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

fn file(path: &str) -> Result<Texts, BadSetting> {
    let unreadable = |error: std::io::Error| BadSetting::File { path: path.to_owned(), kind: error.kind() };
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        // What the library says shows the line, and there may be a secret in it.
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        BadSetting::Toml { path: path.to_owned(), line: before.matches('\n').count() + 1 }
    })?;
    let text = |name: &str, value| match value {
        toml::Value::String(text) => Ok(text),
        toml::Value::Integer(number) => Ok(number.to_string()),
        toml::Value::Boolean(flag) => Ok(flag.to_string()),
        _ => Err(BadSetting::Compound(name.to_owned())),
    };
    let named = table.into_iter().map(|(name, value)| (format!("{OURS}{}", name.to_uppercase()), value));
    named.map(|(name, value)| Ok((name.clone(), text(&name, value)?))).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt as _;

    use super::*;

    fn gathered(pairs: &[(&str, &str)]) -> Result<Texts, String> {
        gather(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
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
    fn what_kubernetes_gateways_and_compose_set_is_left_alone() {
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
        assert_eq!(gathered(&links), Ok(Texts::new()));
        assert_eq!(gathered(&[("KEZDESU_PORT", "8080")]), Ok(Texts::new()), "that of the compose file");
        for typo in
            ["KEZDESU_LISTEN_PORT", "KEZDESU_PORT_8080", "KEZDESU_PORT_HTTP_TCP", "KEZDESU_SERVICE", "KEZDESU_HOST"]
        {
            assert_eq!(gathered(&[(typo, "8080")]), Err(format!("{typo}: there is no such setting")));
        }
        let (_dir, path) = in_file("url = \"http://balancer/graphql\"");
        let refused = gathered(&[("KEZDESU_CONFIG", &path)]);
        assert_eq!(refused, Err("KEZDESU_URL: there is no such setting".to_owned()), "nobody else sets that file");
    }

    #[test]
    fn an_empty_variable_undoes_nothing() {
        let (_dir, path) = in_file("safelist = \"public\"\nlisten = \"127.0.0.1:1\"");
        let texts = gathered(&[("KEZDESU_CONFIG", &path), ("KEZDESU_SAFELIST", ""), ("KEZDESU_LISTEN", " ")]).unwrap();
        assert_eq!((&*texts["KEZDESU_SAFELIST"], &*texts["KEZDESU_LISTEN"]), ("public", "127.0.0.1:1"));
        assert_eq!(gathered(&[("KEZDESU_CONFIG", "")]), Ok(Texts::new()));
        assert_eq!(gathered(&[("KEZDESU_TYPO", "")]), Err("KEZDESU_TYPO: there is no such setting".to_owned()));
    }

    #[test]
    fn a_value_that_is_not_text_is_refused_by_its_name() {
        let bytes = || OsString::from_vec(b"caf\xe9".to_vec());
        let refused = ours([("KEZDESU_REDIS_PREFIX".into(), bytes())].into_iter()).unwrap_err();
        assert_eq!(refused.to_string(), "KEZDESU_REDIS_PREFIX: the value is not UTF-8");
        assert_eq!(ours([("OTHER".into(), bytes()), (bytes(), "x".into())].into_iter()), Ok(Vec::new()));
    }

    #[test]
    fn a_fault_of_the_file_is_named() {
        let refusal = |path: &str| gathered(&[("KEZDESU_CONFIG", path)]).unwrap_err();
        assert_eq!(refusal("nowhere.toml"), "KEZDESU_CONFIG: nowhere.toml cannot be read: entity not found");
        let (_dir, path) = in_file("listen = \"127.0.0.1:1\"\nredis_url = redis://:hush@h\n");
        assert_eq!(refusal(&path), format!("KEZDESU_CONFIG: {path} is not TOML in line 2"));
        for text in ["allowed_origins = [\"https://a.example\"]", "[allowed_origins]\na = 1", "allowed_origins = 1.5"] {
            let (_dir, path) = in_file(text);
            let text = refusal(&path);
            assert!(text.starts_with("KEZDESU_ALLOWED_ORIGINS: ") && text.ends_with("with commas between"), "{text}");
        }
    }
}
