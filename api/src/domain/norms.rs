//! The norms of the decree as dated data. A duty is judged by the norms in force on its date.

use chrono::NaiveDate;
use entities::enums::RegionKind;

/// Paragraphs of the decree, as the product cites them.
pub mod paragraph {
    /// Coverage and frequency of meetings; the calendar.
    pub const COVERAGE: &str = "2.1";
    /// Meetings outside the calendar.
    pub const OFF_CALENDAR: &str = "3.1";
    /// At most a quarter of the planned time for the presentation.
    pub const TIME_SPLIT: &str = "3.3";
    /// Announcement of meetings.
    pub const ANNOUNCED: &str = "3.4";
    /// Results of meetings, and progress on what was raised.
    pub const RESULTS: &str = "3.5";
    /// The list of issues that need central bodies.
    pub const CENTRAL_LIST: &str = "5.2";
    /// The lists of the issues of central bodies.
    pub const AGENCY_LIST: &str = "5.3";
}

/// How often an akim has to meet each unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    /// Once a year.
    Year,
    /// Once in each half-year.
    HalfYear,
    /// Once in each quarter.
    Quarter,
}

/// The maslikhat's part in the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Maslikhat {
    /// It agrees to the calendar.
    Agreement,
    /// It is notified of the calendar.
    Notification,
}

/// The norm for the akims of some kinds of units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Norm {
    /// Kinds of units whose akims the norm applies to.
    pub hosts: &'static [RegionKind],
    /// Kinds of units that such an akim covers. Empty: its own unit.
    pub covers: &'static [RegionKind],
    /// The frequency.
    pub period: Period,
    /// Whether the meetings are held in the covered units.
    pub visiting: bool,
    /// Days between announcement and meeting (p. 3.4).
    pub announce_days: u64,
    /// Whether no source confirms the norm, so that the previous wording is kept.
    pub unverified: bool,
}

/// The norms of one wording of the decree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NormSet {
    /// Name in the settings.
    pub name: &'static str,
    /// Citation in Kazakh.
    pub citation_kk: &'static str,
    /// Citation in Russian.
    pub citation_ru: &'static str,
    /// Citation in English.
    pub citation_en: &'static str,
    /// First day in force.
    pub valid_from: NaiveDate,
    /// The presentation's share of the planned time, as a fraction (p. 3.3).
    pub presentation_share: (u32, u32),
    /// The maslikhat's part in the calendar.
    pub maslikhat: Maslikhat,
    /// The norms for each kind of host.
    pub norms: &'static [Norm],
    /// Acts that it repealed (p. 6).
    pub repeals: &'static [&'static str],
}

use RegionKind::{
    Capital, CityDistrict, DistrictCity, Locality, Oblast, OblastCity, RepublicanCity, RuralOkrug, Settlement, Village,
};

const fn norm(
    hosts: &'static [RegionKind],
    covers: &'static [RegionKind],
    period: Period,
    visiting: bool,
    announce_days: u64,
) -> Norm {
    Norm { hosts, covers, period, visiting, announce_days, unverified: false }
}

const DISTRICT_UNITS: &[RegionKind] = &[Village, Settlement, RuralOkrug, DistrictCity];
const CITY_UNITS: &[RegionKind] = &[CityDistrict, Settlement, Village, RuralOkrug];

const NORMS_2022: &[Norm] = &[
    norm(&[Oblast], &[RegionKind::District, OblastCity], Period::HalfYear, true, 14),
    norm(&[Capital, RepublicanCity], &[CityDistrict], Period::Quarter, true, 14),
    norm(&[RegionKind::District], DISTRICT_UNITS, Period::Quarter, true, 14),
    norm(&[OblastCity], CITY_UNITS, Period::Quarter, true, 14),
    norm(&[DistrictCity], &[Locality], Period::Quarter, true, 14),
    norm(&[RuralOkrug], &[Locality], Period::Quarter, true, 7),
    norm(&[Village, Settlement], &[], Period::Quarter, false, 7),
    norm(&[CityDistrict], &[], Period::Quarter, false, 7),
];

const NORMS_2024: &[Norm] = &[
    norm(&[Oblast], &[RegionKind::District, OblastCity], Period::Year, true, 14),
    norm(&[Capital, RepublicanCity], &[CityDistrict], Period::Year, true, 14),
    norm(&[RegionKind::District], DISTRICT_UNITS, Period::HalfYear, true, 14),
    norm(&[OblastCity], CITY_UNITS, Period::HalfYear, true, 14),
    norm(&[DistrictCity], &[Locality], Period::HalfYear, true, 14),
    norm(&[RuralOkrug], &[Locality], Period::HalfYear, true, 7),
    Norm { unverified: true, ..norm(&[Village, Settlement], &[], Period::Quarter, false, 7) },
    Norm { unverified: true, ..norm(&[CityDistrict], &[], Period::Quarter, false, 7) },
];

const fn day(year: i32, month: u32, day: u32) -> NaiveDate {
    match NaiveDate::from_ymd_opt(year, month, day) {
        Some(date) => date,
        None => NaiveDate::MIN,
    }
}

/// The decree as signed on 3 March 2022.
pub const DECREE_2022: NormSet = NormSet {
    name: "decree-2022",
    citation_kk: "Қазақстан Республикасы Президентінің 2022 жылғы 3 наурыздағы № 826 Жарлығы",
    citation_ru: "Указ Президента Республики Казахстан от 3 марта 2022 года № 826",
    citation_en: "Decree of the President of the Republic of Kazakhstan No. 826 of 3 March 2022",
    valid_from: day(2022, 3, 3),
    presentation_share: (1, 4),
    maslikhat: Maslikhat::Agreement,
    norms: NORMS_2022,
    repeals: &["No. 190 of 2016-02-05", "No. 622 of 2018-01-10", "No. 272 of 2020-02-24", "No. 403 of 2020-09-07"],
};

/// The decree as amended on 20 November 2023, with frequencies as reported by the press.
pub const DECREE_2024: NormSet = NormSet {
    name: "decree-2024",
    citation_kk: "№ 826 Жарлық, 2023 жылғы 20 қарашадағы өзгерістермен",
    citation_ru: "Указ № 826 с изменениями от 20 ноября 2023 года",
    citation_en: "Decree No. 826 as amended on 20 November 2023",
    valid_from: day(2024, 1, 1),
    presentation_share: (1, 4),
    maslikhat: Maslikhat::Notification,
    norms: NORMS_2024,
    repeals: &[],
};

/// All known sets of norms.
pub const ALL: [&NormSet; 2] = [&DECREE_2022, &DECREE_2024];

/// The sets that the operator switched on, oldest first. Never empty.
#[derive(Clone, Debug)]
pub struct Norms {
    first: &'static NormSet,
    later: Vec<&'static NormSet>,
}

impl Default for Norms {
    fn default() -> Self {
        Self { first: &DECREE_2022, later: Vec::new() }
    }
}

impl Norms {
    /// Returns the sets with these names.
    ///
    /// # Errors
    /// The first unknown name, or an empty name if there are no names.
    pub fn named(names: &[impl AsRef<str>]) -> Result<Self, String> {
        let mut sets = Vec::with_capacity(names.len());
        for name in names {
            let known = ALL.into_iter().find(|set| set.name == name.as_ref());
            sets.push(known.ok_or_else(|| name.as_ref().to_owned())?);
        }
        sets.sort_by_key(|set| set.valid_from);
        sets.dedup_by_key(|set| set.name);
        let mut sets = sets.into_iter();
        let first = sets.next().ok_or_else(String::new)?;
        Ok(Self { first, later: sets.collect() })
    }

    /// Returns the set in force on a date, or the first set for earlier dates.
    #[must_use]
    pub fn in_force(&self, date: NaiveDate) -> &'static NormSet {
        self.later.iter().rev().find(|set| set.valid_from <= date).copied().unwrap_or(self.first)
    }
}

impl NormSet {
    /// Returns the norm for a host of this kind, or `None` if it has no akim.
    #[must_use]
    pub fn of(&self, host: RegionKind) -> Option<&'static Norm> {
        self.norms.iter().find(|norm| norm.hosts.contains(&host))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_with_an_akim_has_one_norm_in_every_set() {
        for set in ALL {
            for kind in RegionKind::ALL {
                let count = set.norms.iter().filter(|norm| norm.hosts.contains(kind)).count();
                let expected = usize::from(!matches!(kind, RegionKind::CityProper | Locality));
                assert_eq!(count, expected, "{} {kind:?}", set.name);
            }
        }
    }

    #[test]
    fn a_duty_is_judged_by_the_set_in_force_on_its_date() {
        let default = Norms::default();
        assert_eq!(default.in_force(day(2026, 3, 2)).name, "decree-2022");
        assert_eq!(default.in_force(day(2020, 1, 1)).name, "decree-2022");
        let both = Norms::named(&["decree-2024", "decree-2022"]).unwrap();
        assert_eq!(both.in_force(day(2023, 12, 31)).name, "decree-2022");
        assert_eq!(both.in_force(day(2024, 1, 1)).name, "decree-2024");
        assert_eq!(Norms::named(&["decree-1999"]).unwrap_err(), "decree-1999");
    }
}
