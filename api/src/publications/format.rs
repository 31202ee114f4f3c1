//! Dates, numbers and durations as people read them, in the time of Asia/Almaty.

use chrono::{DateTime, Datelike as _, NaiveDate, Utc};

use crate::{domain::announcement, publications::PageLanguage};

/// Keeps the parts of a number, and a number and its unit, on one line.
const NO_BREAK_SPACE: char = '\u{a0}';

const MONTHS_KK: [&str; 12] = [
    "қаңтар",
    "ақпан",
    "наурыз",
    "сәуір",
    "мамыр",
    "маусым",
    "шілде",
    "тамыз",
    "қыркүйек",
    "қазан",
    "қараша",
    "желтоқсан",
];
const MONTHS_RU: [&str; 12] = [
    "января",
    "февраля",
    "марта",
    "апреля",
    "мая",
    "июня",
    "июля",
    "августа",
    "сентября",
    "октября",
    "ноября",
    "декабря",
];

impl PageLanguage {
    /// Returns a date, for example `2026 жылғы 2 наурыз` or `2 марта 2026 г.`
    #[must_use]
    pub fn date(self, date: NaiveDate) -> String {
        let (day, year, month) = (date.day(), date.year(), usize::try_from(date.month0()).unwrap_or_default());
        let name = |months: &[&'static str; 12]| months.get(month).copied().unwrap_or_default();
        match self {
            Self::Kk => format!("{year} жылғы {day}{NO_BREAK_SPACE}{}", name(&MONTHS_KK)),
            Self::Ru => format!("{day}{NO_BREAK_SPACE}{} {year}{NO_BREAK_SPACE}г.", name(&MONTHS_RU)),
        }
    }

    /// Returns the date and the time of day in Asia/Almaty.
    #[must_use]
    pub fn date_time(self, at: DateTime<Utc>) -> String {
        format!("{}, {}", self.date(announcement::date(at)), self.time_of_day(at))
    }

    /// Returns the time of day in Asia/Almaty.
    #[must_use]
    pub fn time_of_day(self, at: DateTime<Utc>) -> String {
        announcement::local(at).format("%H:%M").to_string()
    }

    /// Returns a time with the seconds, for segments of a meeting.
    #[must_use]
    pub fn exact_time(self, at: DateTime<Utc>) -> String {
        announcement::local(at).format("%H:%M:%S").to_string()
    }

    /// Returns a whole number with its digits in groups of three.
    #[must_use]
    pub fn number(self, number: i64) -> String {
        let digits = number.unsigned_abs().to_string();
        let mut grouped = String::from(if number < 0 { "−" } else { "" });
        for (place, digit) in digits.chars().enumerate() {
            // Numbers of four digits are written together.
            if digits.len() > 4 && place > 0 && (digits.len() - place).is_multiple_of(3) {
                grouped.push(NO_BREAK_SPACE);
            }
            grouped.push(digit);
        }
        grouped
    }

    /// Returns the share of a part in a whole as a percentage with one decimal, for example `25,3 %`.
    #[must_use]
    pub fn percent(self, part: i64, whole: i64) -> String {
        let tenths = part.max(0).saturating_mul(1_000).saturating_add(whole / 2) / whole.max(1);
        format!("{},{}{NO_BREAK_SPACE}%", tenths / 10, tenths % 10)
    }

    /// Returns a duration in hours, minutes and seconds, without those that are zero.
    #[must_use]
    pub fn duration(self, milliseconds: i64) -> String {
        let seconds = milliseconds.max(0) / 1_000;
        let units = match self {
            Self::Kk => ["сағ", "мин", "с"],
            Self::Ru => ["ч", "мин", "с"],
        };
        let amounts = [seconds / 3_600, seconds / 60 % 60, seconds % 60];
        let parts =
            amounts.into_iter().zip(units).filter(|(amount, unit)| *amount > 0 || (seconds == 0 && *unit == "с"));
        parts.map(|(amount, unit)| format!("{amount}{NO_BREAK_SPACE}{unit}")).collect::<Vec<_>>().join(" ")
    }
}

/// Returns a time for programs, with the offset of Asia/Almaty and whole seconds.
#[must_use]
pub fn machine_time(at: DateTime<Utc>) -> String {
    announcement::local(at).to_rfc3339_opts(chrono::SecondsFormat::Secs, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_dates_in_almaty_time() {
        let at = "2026-03-02T19:05:09Z".parse().unwrap();
        assert_eq!(PageLanguage::Kk.date_time(at), "2026 жылғы 3\u{a0}наурыз, 00:05");
        assert_eq!(PageLanguage::Ru.date_time(at), "3\u{a0}марта 2026\u{a0}г., 00:05");
        assert_eq!(PageLanguage::Ru.exact_time(at), "00:05:09");
        assert_eq!(machine_time(at), "2026-03-03T00:05:09+05:00");
    }

    #[test]
    fn writes_numbers_shares_and_durations() {
        let ru = PageLanguage::Ru;
        assert_eq!(
            [0, 1_500, 63_000, 1_234_567, -12_345].map(|number| ru.number(number)),
            ["0", "1500", "63\u{a0}000", "1\u{a0}234\u{a0}567", "−12\u{a0}345"]
        );
        assert_eq!(
            [(1, 4), (1, 3), (0, 0), (5, 4)].map(|(part, whole)| ru.percent(part, whole)),
            ["25,0\u{a0}%", "33,3\u{a0}%", "0,0\u{a0}%", "125,0\u{a0}%"]
        );
        assert_eq!(ru.duration(4_520_999), "1\u{a0}ч 15\u{a0}мин 20\u{a0}с");
        assert_eq!(PageLanguage::Kk.duration(3_600_000), "1\u{a0}сағ");
        assert_eq!(ru.duration(0), "0\u{a0}с");
    }
}
