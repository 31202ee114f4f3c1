//! Settings, read once from the environment. Every fault is one line that names the setting.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};

const NAMES: [&str; 8] = [
    "AGENCY_LISTEN",
    "AGENCY_CODE",
    "AGENCY_DATA_DIR",
    "AGENCY_JWKS",
    "AGENCY_JWT_ISSUER",
    "AGENCY_JWT_AUDIENCE",
    "AGENCY_INTROSPECTION",
    "AGENCY_LOG",
];

/// What the program is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Which agency this is: the `agency` claim of its staff.
    pub code: String,
    /// Where the register is kept.
    pub data_dir: PathBuf,
    /// File with the keys that sign tokens.
    pub jwks: PathBuf,
    /// Who issues the tokens.
    pub issuer: String,
    /// Whom the tokens are for.
    pub audience: String,
    /// Whether anybody may ask what the schema is.
    pub introspection: bool,
    /// What is logged, in the words of tracing's filter.
    pub log: String,
}

/// Why the settings do not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSetting {
    /// There is no such setting.
    #[error("{0}: there is no such setting")]
    Unknown(String),
    /// A setting is missing or malformed.
    #[error("{name}: {why}")]
    Wrong {
        /// The setting.
        name: &'static str,
        /// What it should be.
        why: &'static str,
    },
}

/// Reads the settings of this process.
///
/// # Errors
/// When one of them does not hold.
pub fn from_environment() -> Result<Settings, BadSetting> {
    load(std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))))
}

/// Makes settings of names and texts; names that are not ours are left alone.
///
/// # Errors
/// When one of them does not hold.
pub fn load(variables: impl IntoIterator<Item = (String, String)>) -> Result<Settings, BadSetting> {
    let texts: BTreeMap<String, String> =
        variables.into_iter().filter(|(name, _)| name.starts_with("AGENCY_")).collect();
    if let Some(unknown) = texts.keys().find(|name| !NAMES.contains(&name.as_str())) {
        return Err(BadSetting::Unknown(unknown.clone()));
    }
    let given = |name| texts.get(name).map(|text| text.trim()).filter(|text| !text.is_empty());
    let required = |name| given(name).map(str::to_owned).ok_or(BadSetting::Wrong { name, why: "is required" });
    let listen = given("AGENCY_LISTEN").unwrap_or("127.0.0.1:8081").parse();
    let introspection = match given("AGENCY_INTROSPECTION") {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(BadSetting::Wrong { name: "AGENCY_INTROSPECTION", why: "is true or false" }),
    };
    Ok(Settings {
        listen: listen
            .map_err(|_| BadSetting::Wrong { name: "AGENCY_LISTEN", why: "is an address such as 127.0.0.1:8081" })?,
        code: required("AGENCY_CODE")?,
        data_dir: given("AGENCY_DATA_DIR").unwrap_or("./agency-data").into(),
        jwks: required("AGENCY_JWKS")?.into(),
        issuer: required("AGENCY_JWT_ISSUER")?,
        audience: required("AGENCY_JWT_AUDIENCE")?,
        introspection,
        log: given("AGENCY_LOG").unwrap_or("info").to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: [(&str, &str); 4] = [
        ("AGENCY_CODE", "roads"),
        ("AGENCY_JWKS", "keys.json"),
        ("AGENCY_JWT_ISSUER", "https://id.example"),
        ("AGENCY_JWT_AUDIENCE", "kezdesu"),
    ];

    fn with(changed: &[(&str, &str)]) -> Result<Settings, BadSetting> {
        let all = GOOD.iter().chain(changed).chain(&[("HOME", "/")]);
        load(all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn what_is_not_set_is_safe() {
        let settings = with(&[]).unwrap();
        assert_eq!((settings.listen.to_string().as_str(), settings.introspection), ("127.0.0.1:8081", false));
    }

    #[test]
    fn a_fault_names_its_setting() {
        for (name, value) in [
            ("AGENCY_LISTEN", "nowhere"),
            ("AGENCY_CODE", " "),
            ("AGENCY_JWKS", ""),
            ("AGENCY_JWT_ISSUER", ""),
            ("AGENCY_JWT_AUDIENCE", ""),
            ("AGENCY_INTROSPECTION", "yes"),
            ("AGENCY_TYPO", "1"),
        ] {
            let fault = with(&[(name, value)]).unwrap_err().to_string();
            assert!(fault.starts_with(&format!("{name}: ")), "{fault}");
        }
    }
}
