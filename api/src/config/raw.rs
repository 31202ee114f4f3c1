//! Raw settings: the texts of their values, and what may be wrong with them.

use std::{collections::BTreeMap, io::ErrorKind};

/// Raw values by the names of their settings.
pub(in crate::config) type RawSettings = BTreeMap<String, String>;

/// Why the configuration is invalid. Never contains a value that may be secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// The name is unknown.
    #[error("{0}: there is no such setting")]
    Unknown(String),
    /// The value is not UTF-8.
    #[error("{0}: the value is not UTF-8")]
    NotText(String),
    /// The value is malformed, out of range or missing.
    #[error("{name}: {expected}")]
    Malformed {
        /// The setting.
        name: &'static str,
        /// What is expected.
        expected: String,
    },
    /// The value in the file is a list or a table.
    #[error(
        "{0}: in the file of settings a value is a text, a whole number, true or false; a list is a text with commas between"
    )]
    Compound(String),
    /// The file cannot be read.
    #[error("KEZDESU_CONFIG: {path} cannot be read: {kind}")]
    File {
        /// The file.
        path: String,
        /// The kind of I/O error.
        kind: ErrorKind,
    },
    /// The file is not valid TOML.
    #[error("KEZDESU_CONFIG: {path} is not TOML in line {line}")]
    Toml {
        /// The file.
        path: String,
        /// The line, from 1.
        line: usize,
    },
}

/// Returns the value of a setting; `None` if it is missing or blank.
pub(in crate::config) fn value<'a>(raw: &'a RawSettings, name: &str) -> Option<&'a str> {
    raw.get(name).map(String::as_str).map(str::trim).filter(|text| !text.is_empty())
}
