//! Akimats, derived from the classifier: of the units of the first level, and of districts and cities.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use entities::{
    enums::{AgencyKind, RegionKind},
    kato::KatoCode,
};

use crate::domain::{
    agencies::{agency::Agency, akimat_names::akimat_name},
    regions::RegionHistory,
};

/// What the codes of akimats begin with; the code of the unit follows.
pub(in crate::domain::agencies) const AKIMAT_PREFIX: &str = "akimat-";

/// When a unit exists, in all its versions together.
struct Lifetime {
    from: Option<NaiveDate>,
    to: Option<NaiveDate>,
}

/// Returns the akimats of all units that there are or were, under their names on a day.
#[must_use]
pub fn akimats(history: &RegionHistory, day: NaiveDate) -> Vec<Agency> {
    let mut lifetimes: BTreeMap<KatoCode, Lifetime> = BTreeMap::new();
    for unit in history.trees().flat_map(|tree| tree.units()).filter(|unit| has_akimat(unit.kind)) {
        let lifetime = lifetimes.entry(unit.code).or_insert(Lifetime { from: unit.valid_from, to: None });
        lifetime.to = unit.valid_to;
    }
    let akimat = |(code, Lifetime { from, to }): (KatoCode, Lifetime)| {
        let (tree, node) = history.unit_on(code, day)?;
        Some(Agency {
            code: format!("{AKIMAT_PREFIX}{code}"),
            kind: AgencyKind::LocalExecutive,
            names: akimat_name(&tree.unit(node)?.names),
            region: Some(code),
            valid_from: from,
            valid_to: to,
            doubt: None,
        })
    };
    lifetimes.into_iter().filter_map(akimat).collect()
}

/// Returns whether issues are assigned to the akimats of units of this kind.
const fn has_akimat(kind: RegionKind) -> bool {
    use RegionKind::{Capital, CityDistrict, District, Oblast, OblastCity, RepublicanCity};
    matches!(kind, Oblast | Capital | RepublicanCity | District | OblastCity | CityDistrict)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::regions::{Names, Unit, UnitVersion, embedded};

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn history(units: impl IntoIterator<Item = Unit>) -> RegionHistory {
        let versions: Vec<_> = units.into_iter().map(|unit| UnitVersion { revision: 1, unit }).collect();
        RegionHistory::build(&versions).unwrap()
    }

    fn unit(code: &str, kk: &str, from: Option<&str>, to: Option<&str>) -> Unit {
        let code: KatoCode = code.parse().unwrap();
        let is_oblast = code.as_str() == "100000000";
        Unit {
            code,
            parent: (!is_oblast).then(|| "100000000".parse().unwrap()),
            kind: if is_oblast { RegionKind::Oblast } else { RegionKind::District },
            has_akim: true,
            locality: None,
            names: Names { kk: kk.to_owned(), ru: kk.to_owned() },
            valid_from: from.map(day),
            valid_to: to.map(day),
        }
    }

    #[test]
    fn every_unit_down_to_districts_has_an_akimat_whose_name_is_inflected() {
        let akimats = akimats(&history(embedded()), day("2026-03-02"));
        assert_eq!(akimats.len(), 20 + 170 + 39 + 25);
        for akimat in &akimats {
            assert_eq!(akimat.code, format!("akimat-{}", akimat.region.unwrap()));
            assert!(akimat.names.kk.ends_with("ның әкімдігі"), "{}", akimat.names.kk);
            let ru = akimat.names.ru.as_deref().unwrap();
            assert!(ru.starts_with("Акимат ") && !ru.contains(':'), "{ru}");
        }
    }

    #[test]
    fn a_renamed_unit_keeps_its_akimat() {
        let history = history([
            unit("100000000", "Абай облысы", None, None),
            unit("103200000", "Ескі ауданы", None, Some("2026-07-17")),
            unit("103200000", "Жаңа ауданы", Some("2026-07-17"), None),
        ]);
        for (on, name) in [("2026-07-16", "Ескі ауданының әкімдігі"), ("2026-07-17", "Жаңа ауданының әкімдігі")]
        {
            let akimats = akimats(&history, day(on));
            let [_, akimat] = akimats.as_slice() else { panic!("{akimats:?}") };
            assert_eq!((akimat.names.kk.as_str(), akimat.valid_from, akimat.valid_to), (name, None, None));
        }
    }

    #[test]
    fn an_akimat_exists_while_its_unit_does() {
        let history = history([
            unit("100000000", "Абай облысы", None, None),
            unit("103200000", "Кеткен ауданы", None, Some("2026-07-17")),
            unit("103400000", "Келген ауданы", Some("2026-07-17"), None),
        ]);
        let akimats = akimats(&history, day("2027-01-01"));
        let [_, gone, new] = akimats.as_slice() else { panic!("{akimats:?}") };
        assert_eq!((gone.names.kk.as_str(), gone.valid_to), ("Кеткен ауданының әкімдігі", Some(day("2026-07-17"))));
        assert_eq!((new.valid_from, new.valid_to), (Some(day("2026-07-17")), None));
    }
}
