//! Periods in the schema.

use async_graphql::{InputObject, SimpleObject};

use crate::{
    domain::period,
    graphql::{
        error::{ApiError, ApiResult},
        scalars::Date,
    },
};

/// A year, a half-year or a quarter.
#[derive(SimpleObject, Clone, Debug, PartialEq, Eq)]
pub struct Period {
    /// The year.
    pub year: i32,
    /// Number of the quarter, 1 to 4; null if it is no quarter.
    pub quarter: Option<i32>,
    /// Number of the half-year, 1 or 2; null if it is no half-year.
    pub half: Option<i32>,
    /// The first day.
    pub from: Date,
    /// The last day.
    pub to: Date,
}

impl From<period::Period> for Period {
    fn from(period: period::Period) -> Self {
        Self {
            year: period.year(),
            quarter: period.quarter(),
            half: period.half(),
            from: Date(period.first_day()),
            to: Date(period.last_day()),
        }
    }
}

/// A year, or the quarter or the half of it that is given. At most one of the two is.
#[derive(InputObject, Clone, Copy, Debug)]
pub struct PeriodInput {
    /// The year.
    pub year: i32,
    /// Number of the quarter, 1 to 4.
    pub quarter: Option<i32>,
    /// Number of the half-year, 1 or 2.
    pub half: Option<i32>,
}

impl PeriodInput {
    /// Returns the period.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` if a number is out of range, or both a quarter and a half are given.
    pub fn parse(self, field: &str) -> ApiResult<period::Period> {
        period::Period::new(self.year, self.quarter, self.half).map_err(|_| ApiError::bad(field))
    }
}
