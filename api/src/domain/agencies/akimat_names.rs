//! Names of akimats, from the names of their units.

use crate::domain::{localized_name::LocalizedName, regions::Names};

/// The last words of Kazakh names of units, in the nominative and the genitive.
const KAZAKH_GENITIVES: [(&str, &str); 4] =
    [("облысы", "облысының"), ("қаласы", "қаласының"), ("ауданы", "ауданының"), ("аудан", "ауданның")];

/// The Russian words for units, in the nominative and the genitive.
const RUSSIAN_GENITIVES: [(&str, &str); 3] = [("область", "области"), ("город", "города"), ("район", "района")];

/// The endings of Russian adjectives in the names of units, in the nominative and the genitive.
const RUSSIAN_ADJECTIVES: [(&str, &str); 4] =
    [("ский", "ского"), ("цкий", "цкого"), ("ская", "ской"), ("цкая", "цкой")];

/// Returns the name of the akimat of a unit. Units have no English names, and so have akimats.
#[must_use]
pub fn akimat_name(unit: &Names) -> LocalizedName {
    LocalizedName { kk: kazakh(&unit.kk), ru: Some(russian(&unit.ru)), en: None }
}

fn kazakh(unit: &str) -> String {
    let (before, last) = split_last(unit);
    match find(&KAZAKH_GENITIVES, last).filter(|_| !before.is_empty()) {
        Some(genitive) => format!("{before} {genitive} әкімдігі"),
        None => format!("{unit}: әкімдік"),
    }
}

fn russian(unit: &str) -> String {
    russian_genitive(unit).map_or_else(|| format!("Акимат: {unit}"), |genitive| format!("Акимат {genitive}"))
}

/// Inflects "область Абай" and "Абайский район"; `None` for names of another form.
fn russian_genitive(unit: &str) -> Option<String> {
    if let Some((first, rest)) = unit.split_once(' ')
        && let Some(genitive) = find(&RUSSIAN_GENITIVES, first)
    {
        return Some(format!("{genitive} {rest}"));
    }
    let (before, last) = split_last(unit);
    let genitive = find(&RUSSIAN_GENITIVES, last)?;
    if before.is_empty() || before.contains(' ') {
        return None;
    }
    let inflected = RUSSIAN_ADJECTIVES.iter().find_map(|(ending, genitive)| {
        let stem = before.strip_suffix(ending)?;
        (!stem.is_empty()).then(|| format!("{stem}{genitive}"))
    });
    Some(format!("{} {genitive}", inflected?))
}

fn split_last(name: &str) -> (&str, &str) {
    name.rsplit_once(' ').unwrap_or(("", name))
}

fn find(forms: &[(&str, &'static str)], word: &str) -> Option<&'static str> {
    forms.iter().find(|(nominative, _)| *nominative == word).map(|(_, genitive)| *genitive)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(kk: &str, ru: &str) -> (String, String) {
        let name = akimat_name(&Names { kk: kk.to_owned(), ru: ru.to_owned() });
        (name.kk, name.ru.unwrap())
    }

    #[test]
    fn units_stand_in_the_genitive() {
        for (kk, ru, akimat_kk, akimat_ru) in [
            ("Абай облысы", "область Абай", "Абай облысының әкімдігі", "Акимат области Абай"),
            ("Ақмола облысы", "Акмолинская область", "Ақмола облысының әкімдігі", "Акимат Акмолинской области"),
            ("Алматы қаласы", "город Алматы", "Алматы қаласының әкімдігі", "Акимат города Алматы"),
            ("Абай ауданы", "Абайский район", "Абай ауданының әкімдігі", "Акимат Абайского района"),
            ("Алмалы ауданы", "Алмалинский район", "Алмалы ауданының әкімдігі", "Акимат Алмалинского района"),
            (
                "Солтүстік Қазақстан облысы",
                "Северо-Казахстанская область",
                "Солтүстік Қазақстан облысының әкімдігі",
                "Акимат Северо-Казахстанской области",
            ),
            ("Шал ақын ауданы", "район Шал акына", "Шал ақын ауданының әкімдігі", "Акимат района Шал акына"),
            (
                "Ғабит Мүсірепов атындағы аудан",
                "район имени Габита Мусрепова",
                "Ғабит Мүсірепов атындағы ауданның әкімдігі",
                "Акимат района имени Габита Мусрепова",
            ),
        ] {
            assert_eq!(name(kk, ru), (akimat_kk.to_owned(), akimat_ru.to_owned()));
        }
    }

    #[test]
    fn names_of_another_form_are_not_inflected() {
        for (kk, ru) in [("Байқоңыр", "Байконур"), ("ауданы", "район"), ("Жаңа қала", "Большой Абай район"), ("", "")]
        {
            assert_eq!(name(kk, ru), (format!("{kk}: әкімдік"), format!("Акимат: {ru}")));
        }
        assert_eq!(name("А", "ский район").1, "Акимат: ский район");
    }

    proptest! {
        #[test]
        fn every_name_names_its_unit(kk in "\\PC{0,40}", ru in "\\PC{0,40}") {
            let (akimat_kk, akimat_ru) = name(&kk, &ru);
            let first = |text: &str| text.split(' ').next().unwrap_or_default().chars().take(1).collect::<String>();
            prop_assert!(akimat_kk.starts_with(&first(&kk)) && akimat_kk.contains("әкімді"));
            prop_assert!(akimat_ru.starts_with("Акимат"));
        }
    }
}
