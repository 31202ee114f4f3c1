//! Periods of the calendar: years, half-years and quarters.

use std::{fmt, str::FromStr};

use chrono::{Datelike as _, Days, Months, NaiveDate};

/// The years of periods.
const YEARS: std::ops::RangeInclusive<i32> = 1900..=9999;

/// A year, a half of it, or a quarter of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(into = "String")]
pub struct Period {
    year: i32,
    length: Length,
    /// Number of the part in the year, from 1.
    part: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Length {
    Year,
    Half,
    Quarter,
}

impl Length {
    const fn months(self) -> u32 {
        match self {
            Self::Year => 12,
            Self::Half => 6,
            Self::Quarter => 3,
        }
    }
}

/// The values name no period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadPeriod;

impl Period {
    /// Returns a year, or the quarter or half of it that is given.
    ///
    /// # Errors
    /// When a number is out of range, or both a quarter and a half are given.
    pub fn new(year: i32, quarter: Option<i32>, half: Option<i32>) -> Result<Self, BadPeriod> {
        let (length, part) = match (quarter, half) {
            (None, None) => (Length::Year, 1),
            (Some(quarter), None) => (Length::Quarter, quarter),
            (None, Some(half)) => (Length::Half, half),
            (Some(_), Some(_)) => return Err(BadPeriod),
        };
        let part = u32::try_from(part).map_err(|_| BadPeriod)?;
        let parts = 12 / length.months();
        if !YEARS.contains(&year) || !(1..=parts).contains(&part) {
            return Err(BadPeriod);
        }
        Ok(Self { year, length, part })
    }

    /// Returns the year.
    #[must_use]
    pub const fn year(self) -> i32 {
        self.year
    }

    /// Returns the number of the quarter; `None` if it is none.
    #[must_use]
    pub fn quarter(self) -> Option<i32> {
        (self.length == Length::Quarter).then(|| i32::try_from(self.part).unwrap_or(1))
    }

    /// Returns the number of the half-year; `None` if it is none.
    #[must_use]
    pub fn half(self) -> Option<i32> {
        (self.length == Length::Half).then(|| i32::try_from(self.part).unwrap_or(1))
    }

    /// Returns the first day.
    #[must_use]
    pub fn first_day(self) -> NaiveDate {
        let month = (self.part - 1) * self.length.months() + 1;
        NaiveDate::from_ymd_opt(self.year, month, 1).unwrap_or_default()
    }

    /// Returns the first day after it.
    #[must_use]
    pub fn end(self) -> NaiveDate {
        self.first_day().checked_add_months(Months::new(self.length.months())).unwrap_or(NaiveDate::MAX)
    }

    /// Returns the last day.
    #[must_use]
    pub fn last_day(self) -> NaiveDate {
        self.end().checked_sub_days(Days::new(1)).unwrap_or(NaiveDate::MIN)
    }

    /// Returns the quarter of a day.
    #[must_use]
    pub fn quarter_of(day: NaiveDate) -> Self {
        Self { year: day.year(), length: Length::Quarter, part: day.month0() / 3 + 1 }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.length {
            Length::Year => write!(f, "{:04}", self.year),
            Length::Half => write!(f, "{:04}-H{}", self.year, self.part),
            Length::Quarter => write!(f, "{:04}-Q{}", self.year, self.part),
        }
    }
}

impl From<Period> for String {
    fn from(period: Period) -> Self {
        period.to_string()
    }
}

impl FromStr for Period {
    type Err = BadPeriod;

    fn from_str(text: &str) -> Result<Self, BadPeriod> {
        let number = |text: &str| {
            let is_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            is_digits.then(|| text.parse::<i32>().ok()).flatten().ok_or(BadPeriod)
        };
        let Some((year, part)) = text.split_once('-') else { return Self::new(number(text)?, None, None) };
        let year = number(year)?;
        match part.split_at_checked(1) {
            Some(("Q", quarter)) => Self::new(year, Some(number(quarter)?), None),
            Some(("H", half)) => Self::new(year, None, Some(number(half)?)),
            _ => Err(BadPeriod),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::issues::Quarter;

    #[test]
    fn names_its_days() {
        for (text, from, to) in [
            ("2026", "2026-01-01", "2026-12-31"),
            ("2026-H1", "2026-01-01", "2026-06-30"),
            ("2026-H2", "2026-07-01", "2026-12-31"),
            ("2024-Q1", "2024-01-01", "2024-03-31"),
            ("2026-Q4", "2026-10-01", "2026-12-31"),
        ] {
            let period: Period = text.parse().unwrap();
            assert_eq!(
                (period.first_day().to_string(), period.last_day().to_string()),
                (from.to_owned(), to.to_owned())
            );
            assert_eq!(period.to_string(), text);
        }
        for bad in ["", "2026-Q0", "2026-Q5", "2026-H3", "2026-q1", "2026-", "2026-Q", "2026-ж", "99-Q1", "+2026"] {
            assert_eq!(bad.parse::<Period>(), Err(BadPeriod), "{bad}");
        }
        assert_eq!(Period::new(2026, Some(1), Some(1)), Err(BadPeriod));
    }

    proptest! {
        #[test]
        fn every_day_is_in_its_quarter(days in 700_000..900_000_i32) {
            let day = NaiveDate::from_num_days_from_ce_opt(days).unwrap();
            let quarter = Period::quarter_of(day);
            prop_assert!(quarter.first_day() <= day && day <= quarter.last_day() && day < quarter.end());
            prop_assert_eq!(quarter.to_string(), Quarter::of(day).to_string());
            prop_assert_eq!(quarter.to_string().parse(), Ok(quarter));
        }
    }
}
