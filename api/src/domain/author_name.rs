//! Author names that authors choose. They must not look like names of officials.

use std::sync::LazyLock;

use crate::domain::{
    blocked_words::BlockedWords,
    normalization::{Level, normalize, normalize_for_search},
};

/// Reserved titles of office in Kazakh, Russian and English. `*` matches any ending.
///
/// Titles that start common surnames (Акимов, Орынбасаров, Судьин) are listed in all their forms instead. Matching
/// ignores look-alike letters and Kazakh letters, so one spelling of each is enough.
pub const TITLES: &[&str] = &[
    // Akims and their offices.
    "әкім",
    "әкімі",
    "әкімдік",
    "әкімдігі",
    "әкімшілік*",
    "аким",
    "акима",
    "акимат",
    "акимата",
    "akim",
    "akimat",
    "губернатор*",
    "governor*",
    "мэр",
    "мэрия",
    "mayor",
    // Deputies of office.
    "орынбасар",
    "орынбасары",
    "заместитель",
    "заместителя",
    "замакима",
    "deputy",
    // Government, ministries, the President.
    "үкімет*",
    "правительств*",
    "government",
    "министр*",
    "minister*",
    "ministry",
    "премьер*",
    "президент*",
    "president*",
    "администраци*",
    "administration",
    "administrator*",
    "администратор*",
    "админ",
    "admin",
    // Courts, prosecutors, police.
    "сот",
    "судья",
    "судьи",
    "судьясы",
    "judge",
    "прокурор*",
    "прокуратур*",
    "prosecutor*",
    "полиция*",
    "полиции",
    "полицейский",
    "полицей",
    "police",
    // Representatives.
    "депутат*",
    "сенатор*",
    "senator*",
    "мәжіліс*",
    "парламент*",
    "мәслихат",
    "мәслихаты",
    "маслихат",
    "маслихата",
    "maslikhat",
    // Meeting staff.
    "модератор*",
    "moderator*",
    "жүргізуші",
    "ведущий",
    "оператор*",
    "kezdesu",
];

static RESERVED: LazyLock<BlockedWords> =
    LazyLock::new(|| BlockedWords::new(&TITLES.iter().map(|title| pattern(title)).collect::<Vec<_>>()));

fn pattern(title: &str) -> String {
    match title.strip_suffix('*') {
        Some(stem) => format!("{}*", fold_name(stem)),
        None => fold_name(title),
    }
}

/// Normalises a name for comparison: look-alikes unified, Kazakh letters replaced by Russian ones.
fn fold_name(name: &str) -> String {
    normalize_for_search(&normalize(name, Level::BlockedWords))
}

/// Returns whether a name contains a title of office.
#[must_use]
pub fn has_title(name: &str) -> bool {
    RESERVED.matches(&fold_name(name))
}

/// Returns a key that is equal for names that read the same, whatever the order of their parts.
#[must_use]
pub fn name_key(name: &str) -> String {
    let read = fold_name(name);
    let mut parts: Vec<&str> = read.split(' ').filter(|part| part.contains(char::is_alphanumeric)).collect();
    parts.sort_unstable();
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_of_office_are_found_in_any_spelling() {
        for name in [
            "Аким района",
            "әкім",
            "Қала әкімі",
            "AKIM",
            "Aкim",
            "а.к.и.м",
            "А к и м",
            "Акимат г. Алматы",
            "Министр",
            "Министрлік",
            "Облыс әкімінің орынбасары",
            "Заместитель акима",
            "прокурор города",
            "Прокуратура",
            "Полиция",
            "Депутат мәслихата",
            "Mодератор",
            "moderator",
            "Администрация",
            "Президент РК",
            "Үкімет",
            "Укимет",
            "Правительство",
            "Судья Ахметова",
            "Акі\u{200b}м",
            "Пресс-служба акимата",
            "Admin",
        ] {
            assert!(has_title(name), "{name}");
        }
    }

    #[test]
    fn names_that_resemble_a_title_are_allowed() {
        for name in [
            "Акимов Болат",
            "Акимжан",
            "Орынбасаров",
            "Ана",
            "Болат Серікұлы",
            "Хакимова",
            "Құралай",
            "Житель",
            "Тұрғын",
            "Сотников",
            "Полищук",
            "Мэри",
            "",
        ] {
            assert!(!has_title(name), "{name}");
        }
    }

    #[test]
    fn names_that_read_the_same_have_the_same_key() {
        let key = name_key("Айгүл Сәрсенова");
        for same in
            ["айгүл сәрсенова", "Сарсенова Айгул", "АЙГУЛ  САРСЕНОВА", "Айг\u{200b}үл, Сәрсенова", "Aйгүл Cәpceнoвa"]
        {
            assert_eq!(name_key(same), key, "{same}");
        }
        assert_ne!(name_key("Айгүл Сәрсен"), key);
    }

    #[test]
    fn every_title_matches_itself() {
        for title in TITLES {
            assert!(BlockedWords::is_blockable(title) && has_title(title.trim_end_matches('*')), "{title}");
        }
    }
}
