//! Names that an author chooses to be shown by: none may pass for an official.

use std::sync::LazyLock;

use crate::domain::{
    blocked_words::BlockedWords,
    normalization::{Level, normalize, normalize_for_search},
};

/// Titles of office in Kazakh, Russian and English, as whole words; a `*` stands for any ending.
///
/// Where a common surname begins with a title (Акимов, Орынбасаров, Судьин) its forms are listed instead. Letters that look alike
/// and Kazakh letters typed as Russian ones are read as the same, so that one spelling of each is enough.
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
    // Those who run the meetings.
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
        Some(stem) => format!("{}*", read_as(stem)),
        None => read_as(title),
    }
}

/// A name as it is read: what looks alike is alike, and Kazakh letters are as on a Russian keyboard.
fn read_as(name: &str) -> String {
    normalize_for_search(&normalize(name, Level::BlockedWords))
}

/// Whether a name holds a title of office.
#[must_use]
pub fn has_title(name: &str) -> bool {
    RESERVED.are_in(&read_as(name))
}

/// Returns the key under which names are equal that people read as the same, in whatever order their parts stand.
#[must_use]
pub fn name_key(name: &str) -> String {
    let read = read_as(name);
    let mut parts: Vec<&str> = read.split(' ').filter(|part| part.contains(char::is_alphanumeric)).collect();
    parts.sort_unstable();
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_of_office_is_found_in_any_dress() {
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
    fn a_name_that_only_resembles_a_title_is_free() {
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
    fn names_that_read_the_same_have_one_key() {
        let key = name_key("Айгүл Сәрсенова");
        for same in
            ["айгүл сәрсенова", "Сарсенова Айгул", "АЙГУЛ  САРСЕНОВА", "Айг\u{200b}үл, Сәрсенова", "Aйгүл Cәpceнoвa"]
        {
            assert_eq!(name_key(same), key, "{same}");
        }
        assert_ne!(name_key("Айгүл Сәрсен"), key);
    }

    #[test]
    fn every_title_is_a_word_that_can_be_found() {
        for title in TITLES {
            assert!(BlockedWords::is_word(title) && has_title(title.trim_end_matches('*')), "{title}");
        }
    }
}
