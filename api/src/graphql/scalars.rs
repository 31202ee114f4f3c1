//! Scalars of our own.

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};
use chrono::NaiveDate;
use entities::kato;

/// A calendar date in Asia/Almaty, as `YYYY-MM-DD`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date(pub NaiveDate);

/// A calendar date in Asia/Almaty, as `YYYY-MM-DD`.
#[Scalar(name = "Date", specified_by_url = "https://www.rfc-editor.org/rfc/rfc3339#section-5.6")]
impl ScalarType for Date {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::String(text) if text.len() == 10 => {
                NaiveDate::parse_from_str(text, "%Y-%m-%d").map(Self).map_err(|_| bad("a date is written YYYY-MM-DD"))
            }
            _ => Err(bad("a date is written YYYY-MM-DD")),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.format("%Y-%m-%d").to_string())
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
            Value::String(text) => text.parse().map(Self).map_err(|_| bad("a classifier code has nine digits")),
            _ => Err(bad("a classifier code is a string of nine digits")),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.as_str().to_owned())
    }
}

fn bad<T: async_graphql::InputType>(why: &str) -> InputValueError<T> {
    InputValueError::custom(why)
}
