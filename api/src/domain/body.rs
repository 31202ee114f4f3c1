//! What is told of a comment from its text and its number.

use entities::enums::Language;

/// How many code points a comment may have.
pub const MAX_BODY_LENGTH: usize = 1000;

/// The number of a comment as its author can quote it.
#[must_use]
pub fn receipt_text(number: i32) -> String {
    format!("Q-{number:04}")
}

/// The language a text seems to be in: Kazakh by its own letters, else Russian for Cyrillic, else English.
#[must_use]
pub fn guess_language(text: &str) -> Language {
    let small = text.to_lowercase();
    if small.chars().any(|c| "әғқңөұүһі".contains(c)) {
        Language::Kk
    } else if small.chars().any(|c| ('а'..='я').contains(&c) || c == 'ё') {
        Language::Ru
    } else {
        Language::En
    }
}
