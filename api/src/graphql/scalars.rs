//! The custom scalars.

use std::{borrow::Cow, ops::RangeInclusive};

use async_graphql::{InputType, InputValueError, InputValueResult, Scalar, ScalarType, Value, registry::Registry};
use chrono::{DateTime, Datelike as _, NaiveDate, Utc};
use entities::kato;

use crate::graphql::error::MESSAGE;

/// The years that inputs accept: every database stores them alike, and they have four digits.
const YEARS: RangeInclusive<i32> = 1900..=9999;

/// A calendar date in Asia/Almaty, as `YYYY-MM-DD`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date(pub NaiveDate);

/// A calendar date in Asia/Almaty, as `YYYY-MM-DD`.
#[Scalar(name = "Date", specified_by_url = "https://www.rfc-editor.org/rfc/rfc3339#section-5.6")]
impl ScalarType for Date {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::String(text) => parse_date(text).map(Self).ok_or_else(|| invalid("error-date")),
            _ => Err(invalid("error-date")),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.format("%Y-%m-%d").to_string())
    }
}

/// Parses a date of exactly ten characters. The library alone also accepts signs, spaces and single digits.
fn parse_date(text: &str) -> Option<NaiveDate> {
    let is_valid_byte =
        |(at, byte): (usize, u8)| if matches!(at, 4 | 7) { byte == b'-' } else { byte.is_ascii_digit() };
    let is_valid = text.len() == 10 && text.bytes().enumerate().all(is_valid_byte);
    let date = is_valid.then(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()).flatten()?;
    YEARS.contains(&date.year()).then_some(date)
}

/// An input `DateTime`, truncated to milliseconds and limited to the supported years.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timestamp(pub DateTime<Utc>);

impl InputType for Timestamp {
    type RawValueType = DateTime<Utc>;

    fn type_name() -> Cow<'static, str> {
        <DateTime<Utc> as InputType>::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        <DateTime<Utc> as InputType>::create_type_info(registry)
    }

    fn parse(value: Option<Value>) -> InputValueResult<Self> {
        let parsed = <DateTime<Utc> as InputType>::parse(value).map_err(|_| invalid("error-moment"))?;
        // A leap second, which some databases reject, becomes the first instant of the next second.
        let truncated = DateTime::from_timestamp_millis(parsed.timestamp_millis());
        truncated.filter(|instant| YEARS.contains(&instant.year())).map(Self).ok_or_else(|| invalid("error-moment"))
    }

    fn to_value(&self) -> Value {
        InputType::to_value(&self.0)
    }

    fn as_raw_value(&self) -> Option<&Self::RawValueType> {
        Some(&self.0)
    }
}

/// The nine digits of a unit in the classifier of administrative-territorial objects (КАТО), for example `751110000`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KatoCode(pub kato::KatoCode);

/// The nine digits of a unit in the classifier of administrative-territorial objects (КАТО), for example `751110000`.
#[Scalar(name = "KatoCode")]
impl ScalarType for KatoCode {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::String(text) => text.parse().map(Self).map_err(|_| invalid("error-kato-code")),
            _ => Err(invalid("error-kato-code")),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.as_str().to_owned())
    }
}

/// Whole tenge as decimal digits: budgets do not fit an `Int`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tenge(pub i64);

/// Whole tenge as decimal digits: budgets do not fit an `Int`.
#[Scalar(name = "Tenge")]
impl ScalarType for Tenge {
    fn parse(value: Value) -> InputValueResult<Self> {
        let digits = match &value {
            Value::String(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
            Value::Number(number) => number.as_i64().filter(|tenge| *tenge >= 0),
            _ => None,
        };
        digits.map(Self).ok_or_else(|| invalid("error-tenge"))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// Returns the error that names a message.
fn invalid<T: InputType>(message: &'static str) -> InputValueError<T> {
    InputValueError::custom(message).with_extension(MESSAGE, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> Option<String> {
        ScalarType::parse(Value::from(text)).ok().map(|Date(date)| date.to_string())
    }

    fn instant(text: &str) -> Option<String> {
        Timestamp::parse(Some(Value::from(text))).ok().map(|Timestamp(at)| at.to_rfc3339())
    }

    #[test]
    fn accepts_dates_of_four_two_and_two_digits() {
        for good in ["1900-01-01", "2024-02-29", "9999-12-31"] {
            assert_eq!(date(good).as_deref(), Some(good));
        }
        for invalid in
            ["1899-12-31", "-9999-01-1", "+99999-1-1", "2026-3-002", "2026-03-2 ", " 2026-3-02", "2026-02-29"]
        {
            assert_eq!(date(invalid), None, "{invalid}");
        }
        for invalid in ["2026/03/02", "٢٠٢٦-03-02", "2026-03-02T", "", "\u{0}026-03-02"] {
            assert_eq!(date(invalid), None, "{invalid}");
        }
    }

    #[test]
    fn accepts_times_of_four_digit_years_in_whole_milliseconds() {
        for (parsed, truncated) in [
            ("1900-01-01T00:00:00Z", "1900-01-01T00:00:00+00:00"),
            ("2026-03-02T09:00:00.1239+05:00", "2026-03-02T04:00:00.123+00:00"),
            ("2026-06-30T23:59:60Z", "2026-07-01T00:00:00+00:00"),
            ("9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999+00:00"),
        ] {
            assert_eq!(instant(parsed).as_deref(), Some(truncated));
        }
        for invalid in ["1899-12-31T23:59:59Z", "1900-01-01T04:00:00+05:00", "9999-12-31T23:00:00-05:00"] {
            assert_eq!(instant(invalid), None, "{invalid}");
        }
        for invalid in
            ["+10000-01-01T00:00:00Z", "+262142-12-31T23:00:00Z", "-0001-01-01T00:00:00Z", "2026-03-02", "", "\u{0}"]
        {
            assert_eq!(instant(invalid), None, "{invalid}");
        }
    }
}
