//! Properties of the tree, against naive implementations on the same units.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::domain::regions::Names;

fn unit(code: &str, parent: Option<&str>, kind: RegionKind, name: &str) -> Unit {
    Unit {
        code: code.parse().unwrap(),
        parent: parent.map(|code| code.parse().unwrap()),
        kind,
        has_akim: kind != RegionKind::Locality,
        locality: None,
        names: Names { kk: name.to_owned(), ru: name.to_owned() },
        valid_from: None,
        valid_to: None,
    }
}

/// Returns the nearest existing ancestor of a code.
fn parent_in(codes: &BTreeSet<String>, code: &str) -> Option<String> {
    [7, 6, 4, 2]
        .into_iter()
        .map(|kept| format!("{}{}", &code[..kept], "0".repeat(9 - kept)))
        .find(|above| above != code && codes.contains(above))
}

fn forests() -> impl Strategy<Value = Vec<Unit>> {
    let code = (10..13_u32, 0..3_u32, 0..3_u32, 0..2_u32, 0..3_u32)
        .prop_map(|(ab, cd, ef, h, ij)| format!("{ab}{:02}{:02}{h}{ij:02}", cd * 10, ef * 30));
    prop::collection::btree_set(code, 1..60).prop_map(|codes| {
        codes
            .iter()
            .map(|code| unit(code, parent_in(&codes, code).as_deref(), RegionKind::Locality, &format!("Ауыл {code}")))
            .collect()
    })
}

proptest! {
    #[test]
    fn ancestors_and_descendants_match_a_naive_search(units in forests()) {
        let tree = Tree::build(units.clone()).unwrap();
        for unit in &units {
            let node = tree.get(unit.code).unwrap();
            let mut above = Vec::new();
            let mut at = unit.parent;
            while let Some(code) = at {
                above.insert(0, code);
                at = units.iter().find(|unit| unit.code == code).unwrap().parent;
            }
            let codes: Vec<_> = tree.ancestors(node).map(|node| tree.unit(node).unwrap().code).collect();
            prop_assert_eq!(&codes, &above);
            for other in &units {
                prop_assert_eq!(tree.covers(other.code, unit.code), other.code == unit.code || above.contains(&other.code));
            }
            let below: Vec<_> = tree.descendants(node).map(|node| tree.unit(node).unwrap().code).collect();
            let expected: Vec<_> = units.iter().map(|other| other.code).filter(|code| *code != unit.code && tree.covers(unit.code, *code)).collect();
            prop_assert_eq!(below, expected);
            let children = units.iter().filter(|other| other.parent == Some(unit.code)).count();
            prop_assert_eq!(tree.children(node).count(), children);
        }
    }

    #[test]
    fn a_selection_matches_a_naive_filter(
        units in forests(),
        names in prop::collection::vec("(Ақ|Қара|Жаңа|ақ)[ -](су|бұлақ|Су|төбе)", 60),
        above in prop::option::of(0..60_usize), direct in any::<bool>(),
        text in prop::option::of("(а|ак|жан|кара|су|бул|тобе|ауыл)( (с|б|к))?"),
    ) {
        let mut units = units;
        for (unit, name) in units.iter_mut().zip(names) {
            unit.names.ru = name;
        }
        let tree = Tree::build(units.clone()).unwrap();
        let above = above.map(|index| units[index % units.len()].code);
        let (parent, within) = if direct { (above, None) } else { (None, above) };
        let query = UnitFilter { parent, within, search: text.as_deref(), ..UnitFilter::default() };
        let found: Vec<_> = tree.select(&query).into_iter().map(|node| tree.unit(node).unwrap().code).collect();
        let fold = crate::domain::normalization::normalize_for_search;
        let naive: Vec<_> = units
            .iter()
            .filter(|unit| above.is_none_or(|above| if direct { unit.parent == Some(above) } else { unit.code != above && tree.covers(above, unit.code) }))
            .filter(|unit| {
                let (kk, ru) = (fold(&unit.names.kk), fold(&unit.names.ru));
                let words: Vec<_> = kk.split(' ').chain(ru.split(' ')).collect();
                text.iter().flat_map(|text| text.split(' ')).all(|wanted| words.iter().any(|word| word.starts_with(wanted)))
            })
            .map(|unit| unit.code)
            .collect();
        prop_assert_eq!(found, naive);
        let nobody = UnitFilter { parent: Some("999999999".parse().unwrap()), ..UnitFilter::default() };
        prop_assert!(tree.select(&nobody).is_empty());
    }

    #[test]
    fn paging_in_either_direction_shows_every_unit_once(units in forests(), size in 1..7_usize) {
        let tree = Tree::build(units).unwrap();
        let query = UnitFilter::default();
        let code = |node: &UnitNode| tree.unit(*node).unwrap().code;
        let (mut forth, mut back) = (Vec::new(), Vec::new());
        let mut after = None;
        loop {
            let slice = tree.page(&query, UnitPageRequest { after, before: None, limit: size, backward: false });
            after = slice.nodes.last().map(code);
            forth.extend(slice.nodes);
            if !slice.has_next { break }
        }
        let mut before = None;
        loop {
            let slice = tree.page(&query, UnitPageRequest { after: None, before, limit: size, backward: true });
            before = slice.nodes.first().map(code);
            back.splice(0..0, slice.nodes);
            if !slice.has_previous { break }
        }
        prop_assert_eq!(&forth, &tree.select(&query));
        prop_assert_eq!(forth, back);
    }
}

#[test]
fn finds_words_that_every_name_contains() {
    // As many units as the country has, each with twenty words that start with twenty letters.
    let letters: Vec<char> = "абвгдежзийклмнопрсту".chars().collect();
    let unit = |n: usize| {
        let code = format!("{:09}", 100_000_000 + n);
        let name: String = letters.iter().map(|letter| format!("{letter}{n} ")).collect();
        unit(&code, None, RegionKind::Locality, &name)
    };
    let tree = Tree::build((0..16_000).map(unit).collect()).unwrap();
    let words: String = letters.iter().map(|letter| format!("{letter} ")).collect();
    let request = UnitPageRequest { after: None, before: None, limit: 1, backward: false };
    let query = UnitFilter { search: Some(&words), ..UnitFilter::default() };
    assert_eq!(tree.page(&query, request).total, 16_000);
}

#[test]
fn units_that_form_no_tree_are_rejected() {
    let root = unit("100000000", None, RegionKind::Oblast, "Абай облысы");
    let code = |text: &str| text.parse::<KatoCode>().unwrap();
    assert_eq!(Tree::build(vec![]).unwrap_err(), TreeError::Empty);
    assert_eq!(Tree::build(vec![root.clone(), root.clone()]).unwrap_err(), TreeError::Doubled(root.code));
    let orphan = unit("113200000", Some("110000000"), RegionKind::District, "Аудан");
    assert_eq!(
        Tree::build(vec![root.clone(), orphan]).unwrap_err(),
        TreeError::NoParent(code("113200000"), code("110000000"))
    );
    let stray = unit("113200000", Some("100000000"), RegionKind::District, "Аудан");
    assert_eq!(Tree::build(vec![root, stray]).unwrap_err(), TreeError::NoParent(code("113200000"), code("100000000")));
}

#[test]
fn a_name_is_found_in_either_language_by_prefixes_of_its_words() {
    let mut city = unit("351000000", Some("350000000"), RegionKind::OblastCity, "Қарағанды қаласы");
    city.names.ru = "город Караганда".to_owned();
    let root = unit("350000000", None, RegionKind::Oblast, "Қарағанды облысы");
    let tree = Tree::build(vec![root, city]).unwrap();
    let found = |text: &str| tree.select(&UnitFilter { search: Some(text), ..UnitFilter::default() }).len();
    assert_eq!(found("караганды"), 2);
    assert_eq!(found("КАРАГАНДА"), 1);
    assert_eq!(found("қарағ қала"), 1);
    assert_eq!(found("раганды"), 0);
    assert_eq!(found("город карағанды"), 1, "words of both languages at once");
    assert_eq!(found(""), 2);
    assert_eq!(found(" \u{200b} "), 2, "a blank text asks for nothing");
    assert_eq!(found(" - "), 0, "a text without words is looked for as it is");
}
