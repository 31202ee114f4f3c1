//! Announcement deadlines of meetings (p. 3.4): 14 or 7 days by the host's kind, in Asia/Almaty dates.

use chrono::{DateTime, Days, FixedOffset, NaiveDate, NaiveTime, Offset as _, TimeZone as _, Utc};
use chrono_tz::Asia::Almaty;
use entities::enums::RegionKind;

use crate::domain::norms::Norms;

/// Returns the Asia/Almaty date of a time, by which the decree's deadlines run.
///
/// Falls back to the UTC date where the local date would overflow, so that every stored time has a date.
#[must_use]
pub fn date(at: DateTime<Utc>) -> NaiveDate {
    let utc = at.naive_utc();
    utc.checked_add_offset(offset(at)).unwrap_or(utc).date()
}

/// Returns when a day begins in Asia/Almaty; `None` beyond the last day.
#[must_use]
pub fn start_of_day(day: NaiveDate) -> Option<DateTime<Utc>> {
    Some(day.and_time(NaiveTime::MIN).and_local_timezone(Almaty).earliest()?.to_utc())
}

/// Returns a time with the offset of Asia/Almaty, as people read it.
#[must_use]
pub fn local(at: DateTime<Utc>) -> DateTime<FixedOffset> {
    at.with_timezone(&offset(at))
}

fn offset(at: DateTime<Utc>) -> FixedOffset {
    Almaty.offset_from_utc_datetime(&at.naive_utc()).fix()
}

/// Returns the last date for announcing a meeting in time, or `None` if the host's kind has no norm.
#[must_use]
pub fn due_date(norms: &Norms, host: RegionKind, planned_start: DateTime<Utc>) -> Option<NaiveDate> {
    let held = date(planned_start);
    held.checked_sub_days(Days::new(norms.in_force(held).of(host)?.announce_days))
}

/// Returns whether a meeting was announced in time. A deadline ends at 24:00.
#[must_use]
pub fn is_in_time(norms: &Norms, host: RegionKind, planned_start: DateTime<Utc>, announced: DateTime<Utc>) -> bool {
    due_date(norms, host, planned_start).is_none_or(|due| date(announced) <= due)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn districts_announce_14_days_before_and_okrugs_7() {
        let norms = Norms::default();
        // 2026-03-16 10:00 in Almaty.
        let start = at("2026-03-16T05:00:00Z");
        let last = at("2026-03-02T18:59:59.999Z");
        assert!(is_in_time(&norms, RegionKind::District, start, last));
        assert!(!is_in_time(&norms, RegionKind::District, start, last + chrono::TimeDelta::milliseconds(1)));
        assert!(is_in_time(&norms, RegionKind::RuralOkrug, start, at("2026-03-09T18:59:59Z")));
        assert!(!is_in_time(&norms, RegionKind::RuralOkrug, start, at("2026-03-09T19:00:00Z")));
    }

    #[test]
    fn every_time_has_a_date() {
        assert_eq!(date(DateTime::<Utc>::MAX_UTC), NaiveDate::MAX);
        assert_eq!(date(DateTime::<Utc>::MIN_UTC), NaiveDate::MIN);
        assert!(is_in_time(
            &Norms::default(),
            RegionKind::Oblast,
            DateTime::<Utc>::MAX_UTC,
            at("2026-03-02T04:00:00Z")
        ));
        assert_eq!(due_date(&Norms::default(), RegionKind::Oblast, DateTime::<Utc>::MIN_UTC), None);
    }

    #[test]
    fn dates_follow_almaty_across_its_change_of_offset() {
        assert_eq!(date(at("2024-02-28T18:00:00Z")).to_string(), "2024-02-29");
        assert_eq!(date(at("2024-03-01T18:30:00Z")).to_string(), "2024-03-01");
        assert_eq!(date(at("2024-03-01T19:00:00Z")).to_string(), "2024-03-02");
        assert_eq!(local(at("2024-02-28T18:00:00Z")).to_rfc3339(), "2024-02-29T00:00:00+06:00");
        assert_eq!(local(at("2024-03-01T19:00:00Z")).to_rfc3339(), "2024-03-02T00:00:00+05:00");
        // Deadlines count calendar days, whatever their length.
        let due = due_date(&Norms::default(), RegionKind::Oblast, at("2024-03-10T06:00:00Z")).unwrap();
        assert_eq!(due.to_string(), "2024-02-25");
    }
}
