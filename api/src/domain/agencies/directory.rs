//! The directory of bodies: built-in, derived, and saved ones.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use chrono::NaiveDate;
use entities::{enums::Stored as _, ids::AgencyId};

use crate::domain::{
    agencies::{
        agency::Agency,
        akimats::{AKIMAT_PREFIX, akimats},
        draft::{AgencyDraft, BadAgency, MAX_AGENCIES},
        embedded::embedded,
    },
    regions::RegionHistory,
};

/// All bodies of today and of the past.
#[derive(Clone, Debug)]
pub struct AgencyDirectory {
    by_code: BTreeMap<String, Arc<Agency>>,
    by_id: HashMap<AgencyId, Arc<Agency>>,
    /// By kind, then by code.
    in_order: Vec<Arc<Agency>>,
    /// How many bodies are neither built in nor derived.
    added: usize,
}

impl AgencyDirectory {
    /// Creates the directory, with akimats named as on a day. A saved body takes the place of the one with the same code.
    /// No akimat outlives its unit.
    #[must_use]
    pub fn new(history: &RegionHistory, day: NaiveDate, saved: impl IntoIterator<Item = Agency>) -> Self {
        let own = embedded().into_iter().chain(akimats(history, day));
        let mut by_code: BTreeMap<_, _> = own.map(|agency| (agency.code.clone(), Arc::new(agency))).collect();
        let built_in = by_code.len();
        for mut agency in saved {
            if let Some(akimat) = by_code.get(&agency.code).filter(|_| is_akimat(&agency.code)) {
                (agency.kind, agency.region) = (akimat.kind, akimat.region);
                agency.valid_from = agency.valid_from.max(akimat.valid_from);
                agency.valid_to = [agency.valid_to, akimat.valid_to].into_iter().flatten().min();
            }
            by_code.insert(agency.code.clone(), Arc::new(agency));
        }
        let by_id = by_code.values().map(|agency| (agency.id(), Arc::clone(agency))).collect();
        let mut in_order: Vec<_> = by_code.values().cloned().collect();
        in_order.sort_by(|one, other| (one.kind, &one.code).cmp(&(other.kind, &other.code)));
        let added = by_code.len() - built_in;
        Self { by_code, by_id, in_order, added }
    }

    /// Returns the body with a code, whether it still exists or not.
    #[must_use]
    pub fn get(&self, code: &str) -> Option<&Arc<Agency>> {
        self.by_code.get(code)
    }

    /// Returns the body with an id, whether it still exists or not.
    #[must_use]
    pub fn by_id(&self, id: AgencyId) -> Option<&Arc<Agency>> {
        self.by_id.get(&id)
    }

    /// Returns the bodies that exist on a day, by kind and code.
    pub fn valid_on(&self, day: NaiveDate) -> impl Iterator<Item = &Arc<Agency>> {
        self.in_order.iter().filter(move |agency| agency.is_valid_on(day))
    }

    /// Checks a body to save against the other bodies and the classifier.
    ///
    /// # Errors
    /// When a field is invalid.
    pub fn check(&self, draft: &AgencyDraft, history: &RegionHistory, today: NaiveDate) -> Result<Agency, BadAgency> {
        let mut agency = draft.checked()?;
        if is_akimat(&agency.code) {
            let akimat = self.get(&agency.code).ok_or(BadAgency::NoAkimat)?;
            if agency.kind != akimat.kind {
                return Err(BadAgency::AkimatChanged("kind"));
            }
            if agency.region.is_some_and(|region| akimat.region != Some(region)) {
                return Err(BadAgency::AkimatChanged("region"));
            }
            agency.region = akimat.region;
        }
        // A kind that only a later version knows is not overwritten.
        if let Some(known) = self.get(&agency.code).filter(|known| !known.kind.is_known()) {
            agency.kind = known.kind;
        }
        if agency.region.is_some_and(|region| history.unit_on(region, today).is_none()) {
            return Err(BadAgency::Region);
        }
        Ok(agency)
    }

    /// Returns whether more bodies were added to the built-in ones than there may be.
    #[must_use]
    pub const fn is_overfull(&self) -> bool {
        self.added > MAX_AGENCIES
    }
}

fn is_akimat(code: &str) -> bool {
    code.starts_with(AKIMAT_PREFIX)
}

#[cfg(test)]
mod tests {
    use entities::{enums::AgencyKind, kato::KatoCode};

    use super::*;
    use crate::domain::{
        localized_name::LocalizedName,
        reference_code::BadCode,
        regions::{Unit, UnitVersion, embedded as units},
        text::BadText,
    };

    fn history() -> RegionHistory {
        let versions: Vec<_> = units().into_iter().map(|unit| UnitVersion { revision: 1, unit }).collect();
        RegionHistory::build(&versions).unwrap()
    }

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn directory(saved: impl IntoIterator<Item = Agency>) -> AgencyDirectory {
        AgencyDirectory::new(&history(), day("2026-03-02"), saved)
    }

    fn draft(code: &str) -> AgencyDraft {
        AgencyDraft {
            code: code.to_owned(),
            kind: AgencyKind::CentralBody,
            names: LocalizedName { kk: "Жаңа".to_owned(), ru: None, en: None },
            region: None,
            valid_from: None,
            valid_to: None,
            doubt: None,
        }
    }

    fn check(draft: &AgencyDraft) -> Result<Agency, BadAgency> {
        directory([]).check(draft, &history(), day("2026-03-02"))
    }

    #[test]
    fn finds_bodies_by_code_and_by_id() {
        let directory = directory([]);
        let code = "min-finance";
        let agency = directory.get(code).unwrap();
        assert_eq!(directory.by_id(agency.id()).unwrap().code, code);
        assert!(directory.get("nobody").is_none());
        assert_eq!(directory.by_code.len(), directory.by_id.len(), "no two bodies share an id");
        assert!(directory.get("akimat-750000000").is_some());
    }

    #[test]
    fn lists_the_bodies_of_a_day() {
        let directory = directory([]);
        let on = |text: &str, code: &str| directory.valid_on(day(text)).any(|agency| agency.code == code);
        assert!(on("2025-09-28", "min-digital") && !on("2025-09-29", "min-digital"));
        assert!(!on("2025-09-28", "min-ai-digital") && on("2025-09-29", "min-ai-digital"));
        let kinds: Vec<_> = directory.valid_on(day("2026-03-02")).map(|agency| agency.kind).collect();
        assert!(kinds.is_sorted());
    }

    #[test]
    fn a_saved_body_takes_the_place_of_another() {
        let kind = AgencyKind::NationalHolding;
        let saved =
            ["min-finance", "new-body", "akimat-750000000"].map(|code| AgencyDraft { kind, ..draft(code) }.unchecked());
        let directory = directory(saved);
        let names = |code: &str| directory.get(code).unwrap().names.kk.as_str();
        assert_eq!([names("min-finance"), names("new-body"), names("akimat-750000000")], ["Жаңа"; 3]);
        assert_eq!(directory.get("min-finance").unwrap().kind, kind);
        let akimat = directory.get("akimat-750000000").unwrap();
        let unit = Some("750000000".parse().unwrap());
        assert_eq!((akimat.kind, akimat.region), (AgencyKind::LocalExecutive, unit), "these follow the classifier");
        assert_eq!(directory.added, 1);
        let many = (0..=MAX_AGENCIES).map(|number| draft(&format!("n{number}")).unchecked());
        assert!(AgencyDirectory::new(&history(), day("2026-03-02"), many).is_overfull());
    }

    #[test]
    fn a_saved_akimat_exists_no_longer_than_its_unit() {
        let code: KatoCode = "103200000".parse().unwrap();
        let existing = |from: Option<&str>, to: Option<&str>| {
            let of_unit = |mut unit: Unit| {
                if code.contains(unit.code) {
                    (unit.valid_from, unit.valid_to) = (from.map(day), to.map(day));
                }
                UnitVersion { revision: 1, unit }
            };
            let versions: Vec<_> = units().into_iter().map(of_unit).collect();
            RegionHistory::build(&versions).unwrap()
        };
        let saved = |from: Option<&str>, to: Option<&str>| AgencyDraft {
            kind: AgencyKind::LocalExecutive,
            valid_from: from.map(day),
            valid_to: to.map(day),
            ..draft(&format!("akimat-{code}"))
        };
        for (unit, akimat, expected) in [
            ((None, Some("2026-07-17")), (None, None), (None, Some("2026-07-17"))),
            ((None, Some("2026-07-17")), (None, Some("2026-05-01")), (None, Some("2026-05-01"))),
            ((None, None), (None, Some("2026-05-01")), (None, Some("2026-05-01"))),
            ((Some("2026-07-17"), None), (None, None), (Some("2026-07-17"), None)),
            ((Some("2026-07-17"), None), (Some("2026-08-01"), None), (Some("2026-08-01"), None)),
        ] {
            let saved = saved(akimat.0, akimat.1).unchecked();
            let directory = AgencyDirectory::new(&existing(unit.0, unit.1), day("2026-03-02"), [saved]);
            let agency = directory.get(&format!("akimat-{code}")).unwrap();
            assert_eq!((agency.valid_from, agency.valid_to), (expected.0.map(day), expected.1.map(day)), "{unit:?}");
            assert_eq!(agency.names.kk, "Жаңа");
            assert!(expected.1.is_none_or(|end| directory.valid_on(day(end)).all(|other| other.code != agency.code)));
        }
    }

    #[test]
    fn rejects_bad_bodies() {
        let names = LocalizedName { kk: " ".to_owned(), ru: None, en: None };
        let long = LocalizedName { kk: "А".to_owned(), ru: Some("я".repeat(201)), en: None };
        let akimat = AgencyDraft { kind: AgencyKind::LocalExecutive, ..draft("akimat-750000000") };
        let elsewhere = Some("710000000".parse().unwrap());
        let start = Some(day("2026-01-01"));
        for (bad, why) in [
            (draft("Min"), BadAgency::Code(BadCode)),
            (AgencyDraft { kind: AgencyKind::Unknown, ..draft("min-x") }, BadAgency::Kind),
            (AgencyDraft { names, ..draft("min-x") }, BadAgency::Names(BadText::Empty)),
            (AgencyDraft { names: long, ..draft("min-x") }, BadAgency::Names(BadText::TooLong { max: 200 })),
            (AgencyDraft { valid_from: start, valid_to: start, ..draft("min-x") }, BadAgency::Dates),
            (AgencyDraft { region: Some("999999999".parse().unwrap()), ..draft("min-x") }, BadAgency::Region),
            (draft("akimat-999999999"), BadAgency::NoAkimat),
            (draft("akimat-750000000"), BadAgency::AkimatChanged("kind")),
            (AgencyDraft { region: elsewhere, ..akimat.clone() }, BadAgency::AkimatChanged("region")),
        ] {
            assert_eq!(check(&bad), Err(why), "{bad:?}");
        }
        assert_eq!(check(&akimat).unwrap().region, Some("750000000".parse().unwrap()));
        let unit = Some("103200000".parse().unwrap());
        assert_eq!(check(&AgencyDraft { region: unit, ..draft("roads-abai") }).unwrap().region, unit);
    }

    #[test]
    fn a_kind_of_a_later_version_is_kept() {
        let saved = AgencyDraft { kind: AgencyKind::Unknown, ..draft("new-body") }.unchecked();
        let checked = directory([saved]).check(&draft("new-body"), &history(), day("2026-03-02"));
        assert_eq!(checked.unwrap().kind, AgencyKind::Unknown);
    }

    #[test]
    fn every_built_in_body_passes_the_check() {
        let directory = directory([]);
        for agency in directory.by_code.values() {
            let Agency { code, kind, names, region, valid_from, valid_to, doubt } = agency.as_ref().clone();
            let draft = AgencyDraft { code, kind, names, region, valid_from, valid_to, doubt };
            assert_eq!(check(&draft).as_ref(), Ok(agency.as_ref()));
        }
    }
}
