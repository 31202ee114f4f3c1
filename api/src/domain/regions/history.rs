//! The history of the tree of units: one tree for each period in which no unit changed.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use chrono::NaiveDate;
use entities::kato::KatoCode;

use crate::domain::regions::{Tree, TreeError, Unit, UnitNode};

/// A stored version of a unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitVersion {
    /// Number of the unit's version, from 1.
    pub revision: i32,
    /// The unit in this version.
    pub unit: Unit,
}

/// The trees of units, current and past.
#[derive(Clone, Debug)]
pub struct RegionHistory {
    /// The first tree, valid from the beginning.
    first: Arc<Tree>,
    /// Later trees by their first day.
    later: Vec<(NaiveDate, Arc<Tree>)>,
    /// Day after the last day of each unit that has ended.
    gone: HashMap<KatoCode, NaiveDate>,
}

impl RegionHistory {
    /// Builds a tree for every period between two changes.
    ///
    /// # Errors
    /// When the versions of some period do not form a tree.
    pub fn build(versions: &[UnitVersion]) -> Result<Self, TreeError> {
        let units = || versions.iter().map(|version| &version.unit);
        let days: BTreeSet<NaiveDate> = units().flat_map(|unit| [unit.valid_from, unit.valid_to]).flatten().collect();
        let on = |day: Option<NaiveDate>| {
            let holds = |unit: &&Unit| {
                let begun = unit.valid_from.is_none_or(|from| day.is_some_and(|day| from <= day));
                let ended = unit.valid_to.is_some_and(|to| day.is_some_and(|day| to <= day));
                begun && !ended
            };
            Tree::build(units().filter(holds).cloned().collect()).map(Arc::new)
        };
        let first = on(None);
        let mut later = Vec::with_capacity(days.len());
        for day in days {
            later.push((day, on(Some(day))?));
        }
        // If all units start on some day, the tree of that day also serves for the time before.
        let first = match (first, later.first()) {
            (Err(TreeError::Empty), Some((_, tree))) => Arc::clone(tree),
            (first, _) => first?,
        };
        let newest = later.last().map_or(&first, |(_, tree)| tree);
        let mut gone = HashMap::new();
        for unit in units().filter(|unit| newest.get(unit.code).is_none()) {
            let last = gone.entry(unit.code).or_insert(NaiveDate::MIN);
            *last = unit.valid_to.unwrap_or(NaiveDate::MAX).max(*last);
        }
        Ok(Self { first, later, gone })
    }

    /// Returns the tree in force on a date.
    #[must_use]
    pub fn at(&self, date: NaiveDate) -> &Arc<Tree> {
        self.later.iter().rev().find(|(from, _)| *from <= date).map_or(&self.first, |(_, tree)| tree)
    }

    /// Returns a unit on a date. A unit that did not exist then is returned as it was last, or as it is now.
    #[must_use]
    pub fn unit_on(&self, code: KatoCode, date: NaiveDate) -> Option<(Arc<Tree>, UnitNode)> {
        let tree = self.at(date);
        if let Some(node) = tree.get(code) {
            return Some((Arc::clone(tree), node));
        }
        let last_day = self.gone.get(&code).and_then(NaiveDate::pred_opt);
        let tree = last_day.map_or_else(|| self.newest(), |day| self.at(day));
        tree.get(code).map(|node| (Arc::clone(tree), node))
    }

    /// Returns the trees of all periods, oldest first.
    pub fn trees(&self) -> impl Iterator<Item = &Arc<Tree>> {
        std::iter::once(&self.first).chain(self.later.iter().map(|(_, tree)| tree))
    }

    fn newest(&self) -> &Arc<Tree> {
        self.later.last().map_or(&self.first, |(_, tree)| tree)
    }
}

#[cfg(test)]
mod tests {
    use entities::enums::RegionKind;

    use super::*;
    use crate::domain::regions::Names;

    #[test]
    fn a_unit_keeps_its_historical_name() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let code = |text: &str| text.parse::<KatoCode>().unwrap();
        let state = |text: &str, name: &str, from: Option<&str>, to: Option<&str>| {
            let parent = (text != "100000000").then(|| code("100000000"));
            let names = Names { kk: name.to_owned(), ru: name.to_owned() };
            let (valid_from, valid_to) = (from.map(day), to.map(day));
            let kind = RegionKind::District;
            let unit =
                Unit { code: code(text), parent, kind, has_akim: true, locality: None, names, valid_from, valid_to };
            UnitVersion { revision: 1, unit }
        };
        let region_history = RegionHistory::build(&[
            state("100000000", "Облыс", None, None),
            state("103200000", "Ескі", None, Some("2026-07-17")),
            state("103200000", "Жаңа", Some("2026-07-17"), None),
            state("103400000", "Кеткен", None, Some("2026-07-17")),
        ])
        .unwrap();
        let name = |text: &str, on: &str| {
            region_history.unit_on(code(text), day(on)).map(|(tree, node)| tree.unit(node).unwrap().names.kk.clone())
        };
        assert_eq!(name("103200000", "2026-07-16").as_deref(), Some("Ескі"));
        assert_eq!(name("103200000", "2026-07-17").as_deref(), Some("Жаңа"));
        assert_eq!(name("103400000", "2027-01-01").as_deref(), Some("Кеткен"), "what is gone is shown as it last was");
        assert!(region_history.at(day("2026-07-17")).get(code("103400000")).is_none());
        assert_eq!(name("999999999", "2026-07-17"), None);
    }
}
