//! Scalars of our own.

use std::{borrow::Cow, ops::RangeInclusive};

use async_graphql::{InputType, InputValueError, InputValueResult, Scalar, ScalarType, Value, registry::Registry};
use chrono::{DateTime, Datelike as _, NaiveDate, Utc};
use entities::kato;

use crate::graphql::error::MESSAGE;

/// The years that an input may name: those that every database keeps alike, and that are written with four digits.
const YEARS: RangeInclusive<i32> = 1900..=9999;

/// A calendar date in Asia/Almaty, as `YYYY-MM-DD`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date(pub NaiveDate);

/// A calendar date in Asia/Almaty, as `YYYY-MM-DD`.
#[Scalar(name = "Date", specified_by_url = "https://www.rfc-editor.org/rfc/rfc3339#section-5.6")]
impl ScalarType for Date {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::String(text) => day(text).map(Self).ok_or_else(|| bad("error-date")),
            _ => Err(bad("error-date")),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.format("%Y-%m-%d").to_string())
    }
}

/// The date that ten characters say. The library alone would also take signs, spaces and single digits.
fn day(text: &str) -> Option<NaiveDate> {
    let written = |(at, byte): (usize, u8)| if matches!(at, 4 | 7) { byte == b'-' } else { byte.is_ascii_digit() };
    let whole = text.len() == 10 && text.bytes().enumerate().all(written);
    let day = whole.then(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()).flatten()?;
    YEARS.contains(&day.year()).then_some(day)
}

/// A moment as inputs take it: the library's `DateTime`, in whole milliseconds as moments are kept, and of a year that can be.
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
        let given = <DateTime<Utc> as InputType>::parse(value).map_err(|_| bad("error-moment"))?;
        // A leap second, which not every database knows, is the first moment of the next one.
        let kept = DateTime::from_timestamp_millis(given.timestamp_millis());
        kept.filter(|moment| YEARS.contains(&moment.year())).map(Self).ok_or_else(|| bad("error-moment"))
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
            Value::String(text) => text.parse().map(Self).map_err(|_| bad("error-kato-code")),
            _ => Err(bad("error-kato-code")),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.as_str().to_owned())
    }
}

/// A value that is not written as the message with this key says.
fn bad<T: InputType>(message: &'static str) -> InputValueError<T> {
    InputValueError::custom(message).with_extension(MESSAGE, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> Option<String> {
        ScalarType::parse(Value::from(text)).ok().map(|Date(day)| day.to_string())
    }

    fn moment(text: &str) -> Option<String> {
        Timestamp::parse(Some(Value::from(text))).ok().map(|Timestamp(at)| at.to_rfc3339())
    }

    #[test]
    fn a_date_is_four_two_and_two_digits() {
        for good in ["1900-01-01", "2024-02-29", "9999-12-31"] {
            assert_eq!(date(good).as_deref(), Some(good));
        }
        for bad in ["1899-12-31", "-9999-01-1", "+99999-1-1", "2026-3-002", "2026-03-2 ", " 2026-3-02", "2026-02-29"] {
            assert_eq!(date(bad), None, "{bad}");
        }
        for bad in ["2026/03/02", "٢٠٢٦-03-02", "2026-03-02T", "", "\u{0}026-03-02"] {
            assert_eq!(date(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_moment_is_of_a_year_with_four_digits_in_whole_milliseconds() {
        for (given, kept) in [
            ("1900-01-01T00:00:00Z", "1900-01-01T00:00:00+00:00"),
            ("2026-03-02T09:00:00.1239+05:00", "2026-03-02T04:00:00.123+00:00"),
            ("2026-06-30T23:59:60Z", "2026-07-01T00:00:00+00:00"),
            ("9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999+00:00"),
        ] {
            assert_eq!(moment(given).as_deref(), Some(kept));
        }
        for bad in ["1899-12-31T23:59:59Z", "1900-01-01T04:00:00+05:00", "9999-12-31T23:00:00-05:00"] {
            assert_eq!(moment(bad), None, "{bad}");
        }
        for bad in
            ["+10000-01-01T00:00:00Z", "+262142-12-31T23:00:00Z", "-0001-01-01T00:00:00Z", "2026-03-02", "", "\u{0}"]
        {
            assert_eq!(moment(bad), None, "{bad}");
        }
    }
}
