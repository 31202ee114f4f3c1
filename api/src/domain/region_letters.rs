//! The letters of first-level units in the numbers of issues. Once issued, a number keeps its letters.

use entities::kato::KatoCode;

const FACTS: &str = include_str!("../../data/region-letters.tsv");

/// The first letter of the letters that follow from a code. No unit of the file has letters that begin with it.
const DERIVED: char = 'X';

/// Returns the three letters of the unit of the first level that a unit lies in: an oblast, a republican city or the capital.
///
/// A unit that is newer than this version has letters that follow from its code: X, and its first two digits with A for 0.
/// They are its own, and stay the same when it is renamed.
#[must_use]
pub fn letters_of(code: KatoCode) -> String {
    let first_level = rows().find(|(unit, _)| code.as_str().get(..2) == unit.get(..2));
    first_level.map_or_else(|| derived_letters(code), |(_, letters)| letters.to_owned())
}

fn derived_letters(code: KatoCode) -> String {
    let [first, second, ..] = code.digits();
    let letter = |digit: &u8| char::from(digit.wrapping_sub(b'0').wrapping_add(b'A'));
    [DERIVED, letter(first), letter(second)].into_iter().collect()
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
        let all: BTreeSet<_> = first_level.iter().map(|unit| letters_of(unit.code)).collect();
        assert_eq!(all.len(), 20, "no two units share their letters");
        assert!(all.iter().all(|letters| letters.len() == 3 && letters.bytes().all(|byte| byte.is_ascii_uppercase())));
        assert!(all.iter().all(|letters| !letters.starts_with(DERIVED)));
        for (code, expected) in [("750000000", "ALM"), ("190000000", "ALO"), ("751110000", "ALM"), ("103200000", "ABA")]
        {
            assert_eq!(letters_of(code.parse().unwrap()), expected);
        }
    }

    #[test]
    fn a_later_unit_has_letters_of_its_own_that_follow_from_its_code() {
        for (code, expected) in [("640000000", "XGE"), ("643200000", "XGE"), ("990000000", "XJJ"), ("000000000", "XAA")]
        {
            assert_eq!(letters_of(code.parse().unwrap()), expected);
        }
        let derived = (0..100).map(|first| derived_letters(format!("{first:02}0000000").parse().unwrap()));
        assert_eq!(derived.collect::<BTreeSet<_>>().len(), 100);
    }
}
