//! The embedded units: the first level, all districts, cities and city districts, and one complete district.

use crate::domain::regions::{Names, Unit};

const FACTS: &str = include_str!("../../../data/regions.tsv");

/// Returns the embedded units, which serve until the first import.
#[must_use]
pub fn embedded() -> Vec<Unit> {
    FACTS.lines().skip(1).filter_map(parse).collect()
}

fn parse(line: &str) -> Option<Unit> {
    let mut fields = line.split('\t');
    let mut next = || fields.next();
    let code = next()?.parse().ok()?;
    let parent = next().filter(|text| !text.is_empty()).map(str::parse).transpose().ok()?;
    let kind = next()?.parse().ok()?;
    let has_akim = next()? == "1";
    let locality = next().filter(|text| !text.is_empty()).map(str::parse).transpose().ok()?;
    let names = Names { kk: next()?.to_owned(), ru: next()?.to_owned() };
    Some(Unit { code, parent, kind, has_akim, locality, names, valid_from: None, valid_to: None })
}

#[cfg(test)]
mod tests {
    use entities::enums::RegionKind;

    use super::*;
    use crate::domain::regions::Tree;

    #[test]
    fn the_embedded_units_form_a_complete_tree() {
        let units = embedded();
        assert_eq!(units.len(), FACTS.lines().count() - 1, "every line is understood");
        let count = |kind| units.iter().filter(|unit| unit.kind == kind).count();
        assert_eq!(count(RegionKind::Oblast), 17);
        assert_eq!(count(RegionKind::Capital) + count(RegionKind::RepublicanCity), 3);
        assert_eq!(count(RegionKind::District), 170);
        assert_eq!(count(RegionKind::OblastCity), 39);
        assert_eq!(count(RegionKind::CityDistrict), 25);
        assert!(units.iter().all(|unit| !unit.names.kk.ends_with('.') && !unit.names.ru.contains("р-н")));
        let tree = Tree::build(units).unwrap();
        let whole = tree.get("103200000".parse().unwrap()).unwrap();
        assert!(tree.descendants(whole).count() == 25, "one district is there with everything below it");
    }
}
