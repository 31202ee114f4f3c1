//! When a meeting has to be announced (p. 3.4): 14 or 7 days before its date, by the host's kind, in Asia/Almaty dates.

use chrono::{DateTime, Days, NaiveDate, Offset as _, TimeZone as _, Utc};
use chrono_tz::Asia::Almaty;
use entities::enums::RegionKind;

use crate::domain::norms::Norms;

/// The calendar date of a moment in Asia/Almaty, by which the decree's terms run. At the end of time, where Almaty's date cannot be
/// written any more, it is the one in UTC: every stored moment has a date.
#[must_use]
pub fn date(at: DateTime<Utc>) -> NaiveDate {
    let utc = at.naive_utc();
    utc.checked_add_offset(Almaty.offset_from_utc_datetime(&utc).fix()).unwrap_or(utc).date()
}

/// The last date on which a meeting can be announced in time; none where the host's kind owes no meetings.
#[must_use]
pub fn due(norms: &Norms, host: RegionKind, planned_start: DateTime<Utc>) -> Option<NaiveDate> {
    let held = date(planned_start);
    held.checked_sub_days(Days::new(norms.in_force(held).of(host)?.announce_days))
}

/// Whether a meeting that was announced at a moment was announced in time. A date is met up to its 24:00.
#[must_use]
pub fn in_time(norms: &Norms, host: RegionKind, planned_start: DateTime<Utc>, announced: DateTime<Utc>) -> bool {
    due(norms, host, planned_start).is_none_or(|due| date(announced) <= due)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_district_announces_fourteen_days_before_and_an_okrug_seven() {
        let norms = Norms::default();
        // 16 March 2026, 10:00 in Almaty.
        let start = at("2026-03-16T05:00:00Z");
        let last = at("2026-03-02T18:59:59.999Z");
        assert!(in_time(&norms, RegionKind::District, start, last));
        assert!(!in_time(&norms, RegionKind::District, start, last + chrono::TimeDelta::milliseconds(1)));
        assert!(in_time(&norms, RegionKind::RuralOkrug, start, at("2026-03-09T18:59:59Z")));
        assert!(!in_time(&norms, RegionKind::RuralOkrug, start, at("2026-03-09T19:00:00Z")));
    }

    #[test]
    fn every_moment_has_a_date() {
        assert_eq!(date(DateTime::<Utc>::MAX_UTC), NaiveDate::MAX);
        assert_eq!(date(DateTime::<Utc>::MIN_UTC), NaiveDate::MIN);
        assert!(in_time(&Norms::default(), RegionKind::Oblast, DateTime::<Utc>::MAX_UTC, at("2026-03-02T04:00:00Z")));
        assert_eq!(due(&Norms::default(), RegionKind::Oblast, DateTime::<Utc>::MIN_UTC), None);
    }

    #[test]
    fn dates_are_those_of_almaty_on_both_sides_of_its_change_of_offset() {
        assert_eq!(date(at("2024-02-28T18:00:00Z")).to_string(), "2024-02-29");
        assert_eq!(date(at("2024-03-01T18:30:00Z")).to_string(), "2024-03-01");
        assert_eq!(date(at("2024-03-01T19:00:00Z")).to_string(), "2024-03-02");
        // Due dates count calendar days, whatever the hours between them.
        let due = due(&Norms::default(), RegionKind::Oblast, at("2024-03-10T06:00:00Z")).unwrap();
        assert_eq!(due.to_string(), "2024-02-25");
    }
}
