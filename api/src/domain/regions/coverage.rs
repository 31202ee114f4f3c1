//! Coverage: the units that an akim has to meet (p. 2.1).

use entities::{enums::RegionKind, kato::KatoCode};

use crate::domain::{
    norms::NormSet,
    regions::{Tree, UnitNode},
};

/// Returns the units that the akim of `host` has to meet, in tree order.
///
/// Falls back to `host` itself if none lies below it. Empty when the unit does not exist or has no akim.
#[must_use]
pub fn covered_units(tree: &Tree, norms: &NormSet, host: KatoCode) -> Vec<UnitNode> {
    let Some((node, unit)) = tree.get(host).and_then(|node| Some((node, tree.unit(node)?))) else { return Vec::new() };
    let Some(norm) = norms.of(unit.kind).filter(|_| unit.has_akim) else { return Vec::new() };
    let counted = |node: &UnitNode| {
        tree.unit(*node).is_some_and(|unit| {
            norm.covers.contains(&unit.kind) && (unit.kind != RegionKind::Locality || unit.counts_for_coverage())
        })
    };
    let below: Vec<_> = tree.descendants(node).filter(counted).collect();
    if below.is_empty() { vec![node] } else { below }
}

/// Returns whether a meeting of the akim of `host` in `region` counts for its coverage.
#[must_use]
pub fn covers_as_host(tree: &Tree, norms: &NormSet, host: KatoCode, region: KatoCode) -> bool {
    tree.get(region).is_some_and(|node| covered_units(tree, norms, host).contains(&node))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{norms::DECREE_2022, regions::embedded};

    #[test]
    fn each_level_covers_the_units_named_in_the_decree() {
        let tree = Tree::build(embedded()).unwrap();
        let covers = |host: &str, region: &str| {
            covers_as_host(&tree, &DECREE_2022, host.parse().unwrap(), region.parse().unwrap())
        };
        assert!(covers("100000000", "103200000"), "an oblast covers its districts");
        assert!(covers("100000000", "101000000"), "and its cities");
        assert!(!covers("100000000", "103230000"), "but not the okrugs in them");
        assert!(!covers("100000000", "113200000"), "nor another oblast's districts");
        assert!(covers("103200000", "103230000"), "a district covers its okrugs");
        assert!(!covers("103200000", "103230100"), "but not the villages in them");
        assert!(covers("103230000", "103230100"), "an okrug covers its villages");
        assert!(!covers("103230000", "103230000"));
        assert!(covers("751110000", "751110000"), "a district of a city covers itself");
        assert!(covers("750000000", "751110000"), "a city covers its districts");
        assert!(!covers("103230100", "103230100"), "a locality has no akim");
    }
}
