//! Validation of input fields that several features share.

use chrono::{DateTime, Months, Utc};

use crate::{
    app::{CommandError, Rejection, rejection::Invalid},
    clock::almaty_date,
    domain::text::{BadText, single_line},
};

/// A text in up to three languages.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Title {
    /// In Kazakh.
    pub kk: String,
    /// In Russian.
    pub ru: Option<String>,
    /// In English.
    pub en: Option<String>,
}

impl Title {
    /// Validates and cleans each language, of at most `max` characters.
    pub(in crate::app) fn checked(&self, field: &'static str, max: usize) -> Result<Self, CommandError> {
        let other = |part: &Option<String>| part.as_ref().map(|part| checked_text(field, part, max)).transpose();
        Ok(Self { kk: checked_text(field, &self.kk, max)?, ru: other(&self.ru)?, en: other(&self.en)? })
    }

    /// Returns the text in each of its languages.
    pub(in crate::app) fn texts(&self) -> impl Iterator<Item = &str> {
        [Some(&self.kk), self.ru.as_ref(), self.en.as_ref()].into_iter().flatten().map(String::as_str)
    }
}

/// Validates and cleans a single-line text of 1 to `max` characters.
pub(in crate::app) fn checked_text(field: &'static str, text: &str, max: usize) -> Result<String, CommandError> {
    single_line(text, max).map_err(|bad| text_rejection(field, bad).into())
}

/// Checks that a time is at most so many months ahead.
pub(in crate::app) fn check_not_after(
    field: &'static str,
    at: DateTime<Utc>,
    ahead: Months,
    now: DateTime<Utc>,
) -> Result<(), Rejection> {
    match now.checked_add_months(ahead) {
        Some(furthest) if at > furthest => {
            let why = Invalid::Dates { from: almaty_date(now), to: almaty_date(furthest) };
            Err(Rejection::Invalid { field, why })
        }
        _ => Ok(()),
    }
}

/// Checks that an object has not changed since the caller read a version of it, if the caller names one.
pub(in crate::app) fn check_version(current: i32, read: Option<i32>) -> Result<(), Rejection> {
    if read.is_some_and(|read| read != current) { Err(Rejection::Stale { current }) } else { Ok(()) }
}

/// Turns a text error into the rejection of an input field.
pub(in crate::app) const fn text_rejection(field: &'static str, bad: BadText) -> Rejection {
    match bad {
        BadText::Empty => Rejection::Invalid { field, why: Invalid::Empty },
        BadText::TooLong { max } => Rejection::TooLong { field, max },
    }
}

/// Validates and cleans a required reason of at most `max` characters.
pub(in crate::app) fn checked_reason(text: Option<&str>, max: usize) -> Result<String, CommandError> {
    match single_line(text.unwrap_or_default(), max) {
        Err(BadText::Empty) => Err(Rejection::Invalid { field: "reason", why: Invalid::ReasonRequired }.into()),
        other => other.map_err(|bad| text_rejection("reason", bad).into()),
    }
}

/// Checks that a value is in `min..=max`.
pub(in crate::app) const fn check_range(field: &'static str, value: i32, min: i32, max: i32) -> Result<(), Rejection> {
    if min <= value && value <= max {
        return Ok(());
    }
    Err(Rejection::Invalid { field, why: Invalid::Range { min: i64_of(min), max: i64_of(max) } })
}

#[expect(clippy::as_conversions, reason = "widening, in a const")]
const fn i64_of(value: i32) -> i64 {
    value as i64
}
