//! Quarters of a year, for which progress is reported (p. 3.5, 5.3).

use std::{fmt, str::FromStr};

use chrono::{Datelike as _, NaiveDate};

/// A quarter of a year, for example `2026-Q4`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quarter {
    year: i32,
    quarter: u8,
}

/// A text names no quarter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadQuarter;

impl Quarter {
    /// Returns the quarter of a date.
    #[must_use]
    pub fn of(date: NaiveDate) -> Self {
        Self { year: date.year(), quarter: u8::try_from(date.month0() / 3 + 1).unwrap_or(1) }
    }
}

impl FromStr for Quarter {
    type Err = BadQuarter;

    fn from_str(text: &str) -> Result<Self, BadQuarter> {
        let (year, quarter) = text.split_once("-Q").ok_or(BadQuarter)?;
        if year.len() != 4 || !year.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(BadQuarter);
        }
        let quarter = match quarter {
            "1" => 1,
            "2" => 2,
            "3" => 3,
            "4" => 4,
            _ => return Err(BadQuarter),
        };
        Ok(Self { year: year.parse().map_err(|_| BadQuarter)?, quarter })
    }
}

impl fmt::Display for Quarter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-Q{}", self.year, self.quarter)
    }
}
