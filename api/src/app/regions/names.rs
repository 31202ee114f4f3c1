//! Expands abbreviated names: "Қараауыл а.о." becomes "Қараауыл ауылдық округі".

use entities::enums::{LocalityKind, RegionKind};

use crate::{app::regions::Row, domain::regions::Names};

/// The word for the kind of unit in a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum UnitWord {
    City,
    Okrug,
    Settlement,
    Village,
    District,
    Kent,
    Place,
}

/// Returns the Kazakh word after a name, the same after "атындағы" (named after), and the Russian word.
const fn written(word: UnitWord) -> (&'static str, &'static str, &'static str) {
    match word {
        UnitWord::City => ("қаласы", "қала", "город"),
        UnitWord::Okrug => ("ауылдық округі", "ауылдық округ", "сельский округ"),
        UnitWord::Settlement | UnitWord::Kent => ("кенті", "кент", "посёлок"),
        UnitWord::Village | UnitWord::Place => ("ауылы", "ауыл", "село"),
        UnitWord::District => ("ауданы", "аудан", "район"),
    }
}

/// Returns the published Kazakh endings of a word.
const fn endings_kk(word: UnitWord) -> &'static [&'static str] {
    match word {
        UnitWord::City => &["қ.ә.", "қ.ә", "г.а.", "қ."],
        UnitWord::Okrug => &["а.о.", "а.о"],
        UnitWord::Settlement => &["к.ә.", "к.ә"],
        UnitWord::Village => &["а.ә.", "а.ә"],
        UnitWord::District => &["а.ә.", "а.ә", "ауданы"],
        UnitWord::Kent => &["к."],
        // Some Kazakh names carry the Russian abbreviation, the second one.
        UnitWord::Place => &["а.", "с."],
    }
}

/// Returns the published Russian abbreviations of a word, without the last dot.
const fn marks_ru(word: UnitWord) -> &'static [&'static str] {
    match word {
        UnitWord::City => &["г.а", "г"],
        UnitWord::Okrug => &["с.о"],
        UnitWord::Settlement => &["п.а"],
        UnitWord::Village => &["с.а"],
        UnitWord::District => &["р.а", "район"],
        UnitWord::Kent => &["п"],
        UnitWord::Place => &["с"],
    }
}

const fn word(kind: RegionKind, locality: Option<LocalityKind>) -> Option<UnitWord> {
    Some(match (kind, locality) {
        (RegionKind::Oblast, _) | (RegionKind::Locality, None | Some(LocalityKind::Other)) => return None,
        (
            RegionKind::Capital
            | RegionKind::RepublicanCity
            | RegionKind::OblastCity
            | RegionKind::CityProper
            | RegionKind::DistrictCity,
            _,
        )
        | (RegionKind::Locality, Some(LocalityKind::Town)) => UnitWord::City,
        (RegionKind::District | RegionKind::CityDistrict, _) => UnitWord::District,
        (RegionKind::RuralOkrug, _) => UnitWord::Okrug,
        (RegionKind::Settlement, _) => UnitWord::Settlement,
        (RegionKind::Village, _) => UnitWord::Village,
        (RegionKind::Locality, Some(LocalityKind::Kent)) => UnitWord::Kent,
        (RegionKind::Locality, Some(LocalityKind::Village)) => UnitWord::Place,
    })
}

/// Returns the full Kazakh name.
pub(in crate::app::regions) fn full_kk(kind: RegionKind, locality: Option<LocalityKind>, name: &str) -> String {
    let name = name.replace(" .", ".");
    if let Some(word) = word(kind, locality) {
        return spell_kk(word, &name).unwrap_or(name);
    }
    if kind == RegionKind::Oblast {
        return name;
    }
    for (mark, full) in [(" ст.", "станциясы"), (" рзд.", "разъезі")] {
        if let Some(stem) = name.strip_suffix(mark) {
            return format!("{} {full}", stem.trim_end());
        }
    }
    [UnitWord::Place, UnitWord::Kent, UnitWord::City, UnitWord::District]
        .into_iter()
        .find_map(|word| spell_kk(word, &name))
        .unwrap_or(name)
}

fn spell_kk(word: UnitWord, name: &str) -> Option<String> {
    let (plain, named_after, _) = written(word);
    let small = name.to_lowercase();
    endings_kk(word).iter().find_map(|ending| {
        let stem = name.get(..small.strip_suffix(ending)?.len())?;
        for mark in ["атын.", "атын. ", "ат.", "ат. ", "атындағы "] {
            if let Some(after) = stem.strip_suffix(mark).filter(|after| after.ends_with(' ')) {
                return Some(format!("{after}атындағы {named_after}"));
            }
        }
        match stem.chars().last() {
            Some(' ') => Some(format!("{} {plain}", stem.trim_end())),
            Some(digit) if digit.is_ascii_digit() => Some(format!("{stem}{plain}")),
            _ => None,
        }
    })
}

/// Returns the full Russian name.
///
/// `centre` is the published name of the locality that the unit is named after. A settlement published as an adjective
/// ("Тобольская п.а.") takes its name ("посёлок Тобол").
pub(in crate::app::regions) fn full_ru(
    kind: RegionKind,
    locality: Option<LocalityKind>,
    name: &str,
    centre: Option<&str>,
) -> String {
    let Some(word) = word(kind, locality) else {
        return place_ru(kind, name);
    };
    let (_, _, full) = written(word);
    if matches!(kind, RegionKind::Settlement | RegionKind::Village | RegionKind::DistrictCity) {
        let mark = if kind == RegionKind::Settlement {
            "п."
        } else if kind == RegionKind::Village {
            "с."
        } else {
            "г."
        };
        let abbreviated = marks_ru(word).first().is_some_and(|unit| name.to_lowercase().contains(unit));
        if let Some(own) = centre.filter(|_| abbreviated).and_then(|centre| centre.strip_prefix(mark)) {
            return format!("{full} {}", named_after(own.trim()));
        }
    }
    for mark in marks_ru(word) {
        if let Some(rest) = cut_prefix(name, mark) {
            return format!("{full} {}", named_after(rest));
        }
        if let Some(stem) = cut_suffix(name, mark).filter(|_| *mark != "район") {
            // "Абайский сельский округ", but "сельский округ имени …".
            let before = word == UnitWord::Okrug && !stem.starts_with("им.");
            return if before { format!("{stem} {full}") } else { format!("{full} {}", named_after(stem)) };
        }
    }
    name.to_owned()
}

fn place_ru(kind: RegionKind, name: &str) -> String {
    if kind == RegionKind::Oblast {
        return name.to_owned();
    }
    for (mark, full) in [("ст.", "станция"), ("рзд.", "разъезд")] {
        if let Some(rest) = name.strip_prefix(mark) {
            return format!("{full} {}", rest.trim());
        }
    }
    cut_prefix(name, "район").map_or_else(|| name.to_owned(), |rest| format!("район {}", named_after(rest)))
}

/// Returns what follows an abbreviation at the start. A whole word needs no dot.
fn cut_prefix<'a>(name: &'a str, mark: &str) -> Option<&'a str> {
    let small = name.to_lowercase();
    let rest = small.strip_prefix(mark)?;
    let rest = rest.strip_prefix(if mark == "район" { ' ' } else { '.' })?;
    name.get(name.len() - rest.len()..).map(str::trim)
}

fn cut_suffix<'a>(name: &'a str, mark: &str) -> Option<&'a str> {
    let small = name.to_lowercase();
    let stem = small.strip_suffix('.').unwrap_or(&small).strip_suffix(mark)?.strip_suffix(' ')?;
    name.get(..stem.len()).map(str::trim)
}

fn named_after(name: &str) -> String {
    name.strip_prefix("им.").map_or_else(|| name.to_owned(), |person| format!("имени {}", person.trim()))
}

/// Returns whether the Kazakh and the Russian name imply the same kind of unit.
pub(in crate::app::regions) fn agree(
    kind: RegionKind,
    locality: Option<LocalityKind>,
    row: &Row,
    Names { kk, ru }: &Names,
) -> bool {
    let Some(word) = word(kind, locality) else {
        // A place that is not a village in Russian should not be one in Kazakh.
        let called = |ending: &str| row.kk.strip_suffix(ending).is_some_and(|stem| stem.ends_with(' '));
        return kind != RegionKind::Locality || !["а.", "к.", "қ."].into_iter().any(called);
    };
    let (plain, named_after, full) = written(word);
    let says = |name: &str, word: &str| name == word || name.ends_with(&format!(" {word}"));
    (says(kk, plain) || says(kk, named_after)) && (ru.starts_with(&format!("{full} ")) || says(ru, full))
}

/// Returns whether a unit named after its centre was published as an adjective: "Тобольская п.а.".
pub(in crate::app::regions) fn is_adjective(kind: RegionKind, ru: &str) -> bool {
    let mark = match kind {
        RegionKind::Settlement => "п.а",
        RegionKind::Village => "с.а",
        RegionKind::DistrictCity => "г.а",
        _ => return false,
    };
    cut_suffix(ru, mark).is_some_and(|stem| stem.ends_with("ая"))
}
