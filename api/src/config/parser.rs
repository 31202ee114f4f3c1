//! Parsers of settings. Each one knows what it accepts, for the documentation and for errors.

use std::{fmt::Display, ops::RangeInclusive, path::PathBuf, str::FromStr};

use crate::config::{
    Secret, SettingError,
    raw::{RawSettings, value},
};

/// Reads the text of a setting.
type Parse<T> = Box<dyn Fn(&str) -> Option<T>>;

/// Parses the text of a setting.
pub(in crate::config) struct Parser<T> {
    values: String,
    expected: String,
    secret: bool,
    list: bool,
    parse: Parse<T>,
}

impl<T: 'static> Parser<T> {
    /// Creates a parser. `values` documents what it accepts; `expected` follows the name in errors.
    pub fn new(
        values: impl Into<String>,
        expected: impl Into<String>,
        parse: impl Fn(&str) -> Option<T> + 'static,
    ) -> Self {
        let (values, expected) = (values.into(), expected.into());
        Self { values, expected, secret: false, list: false, parse: Box::new(parse) }
    }

    /// Converts the value.
    pub fn map<U>(self, convert: impl Fn(T) -> U + 'static) -> Parser<U> {
        let Self { values, expected, secret, list, parse } = self;
        Parser { values, expected, secret, list, parse: Box::new(move |text| parse(text).map(&convert)) }
    }

    /// Makes the value one that may be absent.
    pub fn optional(self) -> Parser<Option<T>> {
        self.map(Some)
    }

    /// Hides the value in debug output.
    pub fn secret(self) -> Parser<Secret<T>> {
        Parser { secret: true, ..self.map(Secret::new) }
    }

    /// Documents the unit of a number.
    pub fn unit(self, unit: &str) -> Self {
        Self { values: format!("{} {unit}", self.values), ..self }
    }
}

impl<T> Parser<T> {
    /// Returns the accepted values, for the documentation.
    pub fn values(&self) -> &str {
        &self.values
    }

    /// Returns whether the value is hidden in debug output.
    pub const fn is_secret(&self) -> bool {
        self.secret
    }

    /// Reads a setting; `None` if it is not set. A list without items counts as not set.
    pub fn read(&self, raw: &RawSettings, name: &'static str) -> Result<Option<T>, SettingError> {
        let given = value(raw, name).filter(|text| !self.list || items(text).next().is_some());
        given.map(|text| self.parse(name, text)).transpose()
    }

    /// Parses the text of a setting.
    pub fn parse(&self, name: &'static str, text: &str) -> Result<T, SettingError> {
        (self.parse)(text).ok_or_else(|| SettingError::Malformed { name, expected: self.expected.clone() })
    }
}

/// A whole number.
pub(in crate::config) trait Whole: FromStr + PartialOrd + Display + Default + 'static {
    /// The maximum of the type.
    const MAX: Self;
}

macro_rules! whole {
    ($($type:ident),+) => { $(impl Whole for $type { const MAX: Self = $type::MAX; })+ };
}
whole!(u32, i64, usize);

/// Parses a number of a range.
pub(in crate::config) fn number<T: Whole>(range: RangeInclusive<T>) -> Parser<T> {
    let (min, max) = (range.start(), range.end());
    let values = if *max == T::MAX { format!("at least {min}") } else { format!("{min} to {max}") };
    let expected = format!("is a whole number from {min} to {max}");
    Parser::new(values, expected, move |text| text.parse().ok().filter(|value| range.contains(value)))
}

/// Parses a limit up to a maximum; 0 means no limit.
pub(in crate::config) fn limit<T: Whole, N: 'static>(max: T, nonzero: fn(T) -> Option<N>) -> Parser<Option<N>> {
    let values = if max == T::MAX { "0 or more".to_owned() } else { format!("0 to {max}") };
    Parser { values: format!("{values}; 0 means no limit"), ..number(T::default()..=max).map(nonzero) }
}

/// Accepts any text.
pub(in crate::config) fn text(values: &str) -> Parser<String> {
    Parser::new(values, "is a text", |text| Some(text.to_owned()))
}

/// Accepts any path.
pub(in crate::config) fn path(values: &str) -> Parser<PathBuf> {
    text(values).map(PathBuf::from)
}

/// Parses one of several words.
pub(in crate::config) fn one_of<T: Copy>(choices: &'static [(&'static str, T)]) -> Parser<T> {
    let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
    let values = format!("`{}`", words.join("` or `"));
    Parser::new(values, format!("is {}", words.join(" or ")), |text| {
        choices.iter().find(|(word, _)| *word == text).map(|(_, value)| *value)
    })
}

/// Parses a comma-separated list.
pub(in crate::config) fn list<T: 'static>(
    values: &str,
    expected: &str,
    parse: impl Fn(&[&str]) -> Option<T> + 'static,
) -> Parser<T> {
    let values = format!("comma-separated {values}");
    let parse = move |text: &str| parse(&items(text).collect::<Vec<_>>());
    Parser { list: true, ..Parser::new(values, expected, parse) }
}

fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}
