//! Derives a unit's kind from its code and the abbreviation in its published name.

use std::collections::HashSet;

use entities::{
    enums::{LocalityKind, RegionKind},
    kato::KatoCode,
};

use crate::app::regions::Row;

/// Districts of Aqtöbe and Taraz that are coded like localities of their city.
const DISTRICTS_AMONG_LOCALITIES: [&str; 4] = ["151011100", "151013100", "311011100", "311013100"];

/// Abbreviations of units with an akim, in Russian and Kazakh, with their kind. The Russian one takes precedence.
const ABBREVIATIONS: [(&str, &str, RegionKind); 5] = [
    ("р.а", "", RegionKind::CityDistrict),
    ("с.о", "а.о", RegionKind::RuralOkrug),
    ("п.а", "к.ә", RegionKind::Settlement),
    ("с.а", "а.ә", RegionKind::Village),
    ("г.а", "қ.ә", RegionKind::DistrictCity),
];

/// Returns the nearest existing ancestor of a code.
pub(in crate::app::regions) fn parent(code: KatoCode, codes: &HashSet<KatoCode>) -> Option<KatoCode> {
    [7, 6, 4, 2].into_iter().find_map(|kept| {
        let above: KatoCode = format!("{:0<9}", code.as_str().get(..kept)?).parse().ok()?;
        (above != code && codes.contains(&above)).then_some(above)
    })
}

/// Returns a unit's kind, or `None` if it is unknown.
pub(in crate::app::regions) fn kind(row: &Row, codes: &HashSet<KatoCode>) -> Option<RegionKind> {
    let text = row.code.as_str();
    let number = |from, to| text.get(from..to).and_then(|digits: &str| digits.parse::<u32>().ok());
    let (ab, cd, ef, hij) = (number(0, 2)?, number(2, 4)?, number(4, 6)?, number(6, 9)?);
    let city = ab >= 70;
    Some(match (cd, ef, hij) {
        (0, 0, 0) if ab == 71 => RegionKind::Capital,
        (0, 0, 0) if city => RegionKind::RepublicanCity,
        (0, 0, 0) => RegionKind::Oblast,
        (0, _, _) => return None,
        (_, _, 0) if city => RegionKind::CityDistrict,
        (_, 0, 0) if cd <= 31 => RegionKind::OblastCity,
        (_, 0, 0) => RegionKind::District,
        (_, 10, 0) if cd <= 31 => RegionKind::CityProper,
        (_, _, 0) => by_abbreviation(row)?,
        _ if DISTRICTS_AMONG_LOCALITIES.contains(&text) => RegionKind::CityDistrict,
        _ if is_town(row) && !has_own_unit(row.code, codes) => RegionKind::DistrictCity,
        _ => RegionKind::Locality,
    })
}

/// Returns the kind of a locality by its published Russian abbreviation.
pub(in crate::app::regions) fn locality(row: &Row) -> LocalityKind {
    let begins = |abbreviation| row.ru.starts_with(abbreviation);
    if begins("с.") {
        LocalityKind::Village
    } else if begins("п.") {
        LocalityKind::Kent
    } else if begins("г.") {
        LocalityKind::Town
    } else {
        LocalityKind::Other
    }
}

fn by_abbreviation(row: &Row) -> Option<RegionKind> {
    let (ru, kk) = (row.ru.to_lowercase(), row.kk.to_lowercase());
    let in_russian = ABBREVIATIONS.iter().find(|(abbreviation, _, _)| {
        let end = ru.trim_end_matches('.').strip_suffix(abbreviation).is_some_and(|stem| stem.ends_with(' '));
        end || ru.strip_prefix(abbreviation).is_some_and(|rest| rest.starts_with('.'))
    });
    let in_kazakh = || {
        ABBREVIATIONS.iter().find(|(_, abbreviation, _)| {
            !abbreviation.is_empty() && kk.trim_end_matches([' ', '.']).ends_with(abbreviation)
        })
    };
    in_russian.or_else(in_kazakh).map(|(_, _, kind)| *kind)
}

fn is_town(row: &Row) -> bool {
    row.ru.starts_with("г.") || row.kk.ends_with(" қ.")
}

fn has_own_unit(code: KatoCode, codes: &HashSet<KatoCode>) -> bool {
    code.as_str().get(..6).and_then(|own| format!("{own}000").parse().ok()).is_some_and(|unit| codes.contains(&unit))
}
