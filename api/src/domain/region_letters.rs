//! The letters of first-level units in the numbers of issues. Once issued, a number keeps its letters.

use entities::kato::KatoCode;

const FACTS: &str = include_str!("../../data/region-letters.tsv");

/// Returns the three letters of an oblast, a republican city or the capital, or `None` for any other unit.
#[must_use]
pub fn letters(first_level_code: KatoCode) -> Option<&'static str> {
    rows().find(|(code, _)| *code == first_level_code.as_str()).map(|(_, letters)| letters)
}

/// Returns the letters of the unit of the first level that a unit lies in.
#[must_use]
pub fn letters_of(code: KatoCode) -> Option<&'static str> {
    letters(format!("{}0000000", code.as_str().get(..2)?).parse().ok()?)
}

/// Returns the code and the letters of each unit.
fn rows() -> impl Iterator<Item = (&'static str, &'static str)> {
    FACTS.lines().skip(1).filter_map(|line| {
        let mut fields = line.split('\t');
        fields.next().zip(fields.next())
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::domain::regions::embedded;

    #[test]
    fn every_first_level_unit_has_letters_of_its_own() {
        let units = embedded();
        let first_level: Vec<_> = units.iter().filter(|unit| unit.parent.is_none()).collect();
        assert_eq!((first_level.len(), rows().count()), (20, 20));
        let all: BTreeSet<_> = first_level.iter().map(|unit| letters(unit.code).unwrap()).collect();
        assert_eq!(all.len(), 20, "no two units share their letters");
        assert!(all.iter().all(|letters| letters.len() == 3 && letters.bytes().all(|byte| byte.is_ascii_uppercase())));
        for (code, expected) in [("750000000", Some("ALM")), ("190000000", Some("ALO")), ("103200000", None)] {
            assert_eq!(letters(code.parse().unwrap()), expected);
        }
        for (code, expected) in [("751110000", Some("ALM")), ("103200000", Some("ABA")), ("990000000", None)] {
            assert_eq!(letters_of(code.parse().unwrap()), expected);
        }
    }
}
