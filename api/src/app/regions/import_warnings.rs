//! Warns of names in an edition that could not be fully interpreted.

use std::fmt;

use entities::{
    enums::{LocalityKind, RegionKind},
    kato::KatoCode,
};

use crate::{
    app::regions::{Row, names},
    domain::regions::Names,
};

/// A warning about a row of an edition. Warnings do not stop the import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportWarning {
    /// Row number in the file.
    pub line: usize,
    /// Classifier code.
    pub code: KatoCode,
    /// Kind of the warning.
    pub what: WarningKind,
    /// The published name.
    pub name: String,
}

/// What is wrong with a row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WarningKind {
    /// The unit directly above is missing, so the unit hangs from a higher one.
    Level,
    /// A word mixes alphabets, or contains a letter of neither language.
    Letters,
    /// The Kazakh and the Russian name imply different kinds of units.
    Languages,
    /// The Russian name is an adjective, and no unit below it gives the noun.
    Adjective,
    /// An unknown abbreviation was left as published.
    Abbreviation(String),
}

impl fmt::Display for WarningKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Level => f.write_str("the unit directly above is not in the file"),
            Self::Letters => f.write_str("the name mixes alphabets"),
            Self::Languages => f.write_str("the Kazakh and the Russian name do not say the same sort of unit"),
            Self::Adjective => f.write_str("the Russian name stayed an adjective"),
            Self::Abbreviation(text) => write!(f, "the abbreviation \"{text}\" is left as published"),
        }
    }
}

/// A unit as parsed from a row.
#[derive(Clone, Copy, Debug)]
pub(in crate::app::regions) struct ParsedUnit<'a> {
    pub(in crate::app::regions) kind: RegionKind,
    pub(in crate::app::regions) locality: Option<LocalityKind>,
    pub(in crate::app::regions) parent: Option<KatoCode>,
    pub(in crate::app::regions) names: &'a Names,
    /// Whether the file contains the locality that the unit is named after.
    pub(in crate::app::regions) has_centre: bool,
}

/// Returns the warnings about a row.
pub(in crate::app::regions) fn check_row(row: &Row, parsed: ParsedUnit<'_>) -> Vec<ImportWarning> {
    let mut found = Vec::new();
    if parsed.parent.is_some_and(|parent| skips_a_level(row.code, parent, parsed.kind)) {
        found.push(WarningKind::Level);
    }
    if [&parsed.names.kk, &parsed.names.ru].into_iter().any(|name| mixes_alphabets(name)) {
        found.push(WarningKind::Letters);
    }
    if !names::agree(parsed.kind, parsed.locality, row, parsed.names) {
        found.push(WarningKind::Languages);
    }
    if !parsed.has_centre && names::is_adjective(parsed.kind, &row.ru) {
        found.push(WarningKind::Adjective);
    }
    let unknown = [&parsed.names.kk, &parsed.names.ru].into_iter().find_map(|name| abbreviation(name));
    found.extend(unknown.map(WarningKind::Abbreviation));
    let name = format!("{} / {}", row.kk, row.ru);
    found.into_iter().map(|what| ImportWarning { line: row.line, code: row.code, what, name: name.clone() }).collect()
}

/// Returns whether the code implies a district or an okrug between a unit and its parent.
fn skips_a_level(code: KatoCode, parent: KatoCode, kind: RegionKind) -> bool {
    let [a, _, c, d, e, f, ..] = *code.digits();
    let [_, _, parent_c, parent_d, parent_e, parent_f, ..] = *parent.digits();
    // Republican cities have no districts; towns and city districts may have no okrug.
    let district = a < b'7' && [e, f] != [b'0'; 2] && [parent_c, parent_d] != [c, d];
    let okrug = kind == RegionKind::Locality && [parent_e, parent_f] != [e, f];
    district || okrug
}

fn mixes_alphabets(name: &str) -> bool {
    let ours = |c: char| matches!(c, 'а'..='я' | 'А'..='Я') || "ёәғқңөұүһіЁӘҒҚҢӨҰҮҺІ".contains(c);
    name.split(|c: char| !c.is_alphabetic()).any(|word| {
        let own = word.chars().filter(|c| ours(*c)).count();
        let foreign = word.chars().filter(|c| !ours(*c) && !c.is_ascii()).count();
        foreign > 0 || (own > 0 && own < word.chars().count())
    })
}

/// Returns the first word that ends in a dot and is not an initial.
fn abbreviation(name: &str) -> Option<String> {
    let mut words = name.split_inclusive(|c: char| !c.is_alphabetic());
    words.find_map(|word| {
        let stem = word.strip_suffix('.').filter(|stem| !stem.is_empty())?;
        let initial = stem.chars().count() <= 2 && stem.chars().next().is_some_and(char::is_uppercase);
        (!initial).then(|| word.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn initials_are_not_abbreviations() {
        assert_eq!(abbreviation("И.Ф.Павлов атындағы ауыл"), None);
        assert_eq!(abbreviation("село Ю.Гагарина"), None);
        assert_eq!(abbreviation("Талды уч.").as_deref(), Some("уч."));
        assert_eq!(abbreviation("Жив.т.Босшилик").as_deref(), Some("Жив."));
        assert_eq!(abbreviation("Ақтан батыр ат.ауыл").as_deref(), Some("ат."));
    }

    #[test]
    fn warns_of_letters_of_other_alphabets() {
        for fine in ["Қараауыл ауылы", "посёлок Чаган", "рзд.18 км", "MTF 2", "«Ақши»"]
        {
            assert!(!mixes_alphabets(fine), "{fine}");
        }
        for wrong in ["Сeмей", "Ќараауыл", "Іле aуданы"] {
            assert!(mixes_alphabets(wrong), "{wrong}");
        }
    }

    #[test]
    fn warns_of_a_missing_level() {
        let skips =
            |code: &str, parent: &str, kind| skips_a_level(code.parse().unwrap(), parent.parse().unwrap(), kind);
        assert!(skips("103230000", "100000000", RegionKind::RuralOkrug), "its district is not there");
        assert!(skips("103230100", "103200000", RegionKind::Locality), "its okrug is not there");
        assert!(!skips("103230000", "103200000", RegionKind::RuralOkrug));
        assert!(!skips("751110000", "750000000", RegionKind::CityDistrict));
        assert!(!skips("113820100", "113800000", RegionKind::DistrictCity));
        assert!(!skips("632400485", "632400000", RegionKind::Locality));
    }
}
