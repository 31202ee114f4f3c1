//! The text of a comment: what it may hold, how it is folded for search, how its number is shown.

use std::collections::HashSet;

use entities::{enums::Language, ids::MeetingId};
use sha2::{Digest, Sha256};
use unicode_normalization::UnicodeNormalization;

/// How many characters a comment may have.
pub const LONGEST_BODY: usize = 1000;
/// How many different words can be looked for at once. Each is a condition in the database's statement, which nests by them.
pub const MOST_SEARCHED: usize = 20;
/// How many characters a text that is looked for may have.
pub const LONGEST_SEARCH: usize = 200;

/// Why a text cannot be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadText {
    /// Nothing is left after trimming.
    Empty,
    /// It has more characters than allowed.
    TooLong {
        /// How many are allowed.
        max: usize,
    },
    /// It holds a control character, or one that turns the direction of what follows.
    ControlCharacter,
}

/// By what is looked up whether an author has said a thing at a meeting.
#[must_use]
pub fn said_digest(meeting: MeetingId, author: &str, body: &str) -> i64 {
    let hash =
        Sha256::new().chain_update(meeting.0.as_bytes()).chain_update(author).chain_update("\n").chain_update(body);
    hash.finalize().iter().take(8).fold(0, |sum: i64, byte| (sum << 8) | i64::from(*byte))
}

/// A text in composed form and trimmed, of 1 to `max` characters, in any script, without control characters. Where a line was
/// broken or a tab set, it has a space.
///
/// # Errors
/// When it is not such a text.
pub fn line(text: &str, max: usize) -> Result<String, BadText> {
    let parts = text.split(['\n', '\r', '\t']).map(str::trim).filter(|part| !part.is_empty());
    checked(&parts.collect::<Vec<_>>().join(" "), max, is_control)
}

/// As [`line`], but with the lines that it was written in, and at most one empty one between two.
///
/// # Errors
/// When it is not such a text.
pub fn lines(text: &str, max: usize) -> Result<String, BadText> {
    let mut kept: Vec<String> = Vec::new();
    for line in text.replace("\r\n", "\n").split(['\n', '\r']) {
        let line = line.replace('\t', " ").trim_end().to_owned();
        if !(line.is_empty() && kept.last().is_some_and(String::is_empty)) {
            kept.push(line);
        }
    }
    checked(&kept.join("\n"), max, |c| c != '\n' && is_control(c))
}

fn checked(text: &str, max: usize, forbidden: impl Fn(char) -> bool) -> Result<String, BadText> {
    let composed: String = text.nfc().collect();
    let trimmed = composed.trim();
    if !trimmed.chars().any(is_visible) {
        return Err(BadText::Empty);
    }
    if trimmed.chars().any(forbidden) {
        return Err(BadText::ControlCharacter);
    }
    if trimmed.chars().nth(max).is_some() {
        return Err(BadText::TooLong { max });
    }
    Ok(trimmed.to_owned())
}

/// A comment from a platform, made fit to be kept: its author cannot be asked again. None when nothing is left.
#[must_use]
pub fn tidy(text: &str, max: usize) -> Option<String> {
    let composed: String = text.nfc().map(|c| if is_control(c) { ' ' } else { c }).collect();
    let trimmed = composed.trim();
    if !trimmed.chars().any(is_visible) {
        return None;
    }
    if trimmed.chars().nth(max).is_none() {
        return Some(trimmed.to_owned());
    }
    let kept: String = trimmed.chars().take(max.saturating_sub(1)).collect();
    Some(format!("{}…", kept.trim_end()))
}

/// Whether a text that has this is more than an empty place on the screen. What cannot be shown at all is refused elsewhere.
fn is_visible(c: char) -> bool {
    let hidden = matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2065}' | '\u{206a}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{e0000}'..='\u{e0fff}');
    !hidden && !c.is_whitespace()
}

fn is_control(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

/// A letter as people look for it: small, without the dots of ё, Kazakh letters as on a Russian keyboard.
#[must_use]
pub fn fold_letter(c: char) -> char {
    match c {
        'ё' => 'е',
        'ә' => 'а',
        'ғ' => 'г',
        'қ' => 'к',
        'ң' => 'н',
        'ө' => 'о',
        'ұ' | 'ү' => 'у',
        'һ' => 'х',
        'і' => 'и',
        other => other,
    }
}

/// A text as it is searched: folded letters and digits, every run of anything else as one space.
#[must_use]
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for c in text.nfc().flat_map(char::to_lowercase) {
        if c.is_alphanumeric() {
            folded.push(fold_letter(c));
        } else if !folded.ends_with(' ') && !folded.is_empty() {
            folded.push(' ');
        }
    }
    folded.truncate(folded.trim_end().len());
    folded
}

/// The words of a text, folded, each once.
#[must_use]
pub fn words(text: &str) -> Vec<String> {
    let mut seen = HashSet::new();
    fold(text).split(' ').filter(|word| !word.is_empty() && seen.insert(*word)).map(str::to_owned).collect()
}

/// The words to look for; none where that is more than can be looked for at once.
#[must_use]
pub fn search_words(text: &str) -> Option<Vec<String>> {
    // Measured first: whatever is longer is not even folded.
    if text.chars().nth(LONGEST_SEARCH).is_some() {
        return None;
    }
    Some(words(text)).filter(|words| words.len() <= MOST_SEARCHED)
}

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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bodies_are_counted_in_characters_after_trimming() {
        let most = "ә".repeat(LONGEST_BODY);
        assert_eq!(line(&format!("  {most}\u{a0} "), LONGEST_BODY), Ok(most.clone()));
        assert_eq!(line(&format!("{most}ә"), LONGEST_BODY), Err(BadText::TooLong { max: LONGEST_BODY }));
        assert_eq!(line(" \u{3000}\n", LONGEST_BODY), Err(BadText::Empty));
        assert_eq!(line("а\u{0}б", LONGEST_BODY), Err(BadText::ControlCharacter));
        assert_eq!(line("а\u{202e}б", LONGEST_BODY), Err(BadText::ControlCharacter));
        assert_eq!(line("Что с дорогой? 道路 👍🏽", LONGEST_BODY).unwrap(), "Что с дорогой? 道路 👍🏽");
        assert_eq!(tidy(&format!("{most}ә"), LONGEST_BODY).unwrap().chars().count(), LONGEST_BODY);
        assert_eq!(tidy("бір\nекі\u{7}", LONGEST_BODY).unwrap(), "бір екі");
    }

    #[test]
    fn a_broken_line_is_a_space_but_in_an_answer() {
        assert_eq!(line("Жол\r\n\n қашан\tжөнделеді?\n", 40).unwrap(), "Жол қашан жөнделеді?");
        assert_eq!(
            lines(" Бірінші \r\n\r\n\n екінші\tсөз \rүшінші\n\n", 40).unwrap(),
            "Бірінші\n\n екінші сөз\nүшінші"
        );
        assert_eq!(lines("а\u{0}б", 40), Err(BadText::ControlCharacter));
        assert_eq!(lines("а\n".repeat(21).as_str(), 40), Err(BadText::TooLong { max: 40 }));
    }

    #[test]
    fn what_cannot_be_seen_is_nothing() {
        for nothing in ["\u{200b}\u{200b}", " \u{3164}\u{2800} \u{feff}", "\u{ad}\n\u{fe0f}"] {
            assert_eq!(line(nothing, 40), Err(BadText::Empty));
            assert_eq!(lines(nothing, 40), Err(BadText::Empty));
            assert_eq!(tidy(nothing, 40), None);
        }
        assert_eq!(
            line("👨\u{200d}👩\u{200d}👧", 40).unwrap(),
            "👨\u{200d}👩\u{200d}👧",
            "what joins two is not nothing"
        );
    }

    #[test]
    fn a_name_is_found_however_it_is_typed() {
        assert_eq!(fold("Қарағанды облысы"), fold("КАРАГАНДЫ  ОБЛЫСЫ"));
        assert_eq!(fold("Үлкен-Өзен"), "улкен озен");
        assert_eq!(fold("село Берёзовка"), fold("село березовка"));
    }

    #[test]
    fn what_is_looked_for_has_an_end() {
        let different = |count: usize| (0..count).map(|n| n.to_string()).collect::<Vec<_>>().join(" ");
        assert_eq!(search_words(&different(MOST_SEARCHED)).map(|words| words.len()), Some(MOST_SEARCHED));
        assert_eq!(search_words(&different(MOST_SEARCHED + 1)), None);
        assert_eq!(search_words(&"Су ".repeat(40)), Some(vec!["су".to_owned()]), "the same word is one");
        assert_eq!(search_words(&"ә".repeat(LONGEST_SEARCH)).map(|words| words.len()), Some(1));
        assert_eq!(search_words(&"ә".repeat(LONGEST_SEARCH + 1)), None);
    }

    proptest! {
        #[test]
        fn what_is_accepted_is_accepted_again_as_it_is(text in ".{0,60}") {
            if let Ok(accepted) = line(&text, 40) {
                prop_assert_eq!(line(&accepted, 40), Ok(accepted.clone()));
                prop_assert!(accepted.chars().count() <= 40);
            }
            if let Ok(accepted) = lines(&text, 40) {
                prop_assert_eq!(lines(&accepted, 40), Ok(accepted));
            }
            if let Some(tidied) = tidy(&text, 40) {
                prop_assert_eq!(line(&tidied, 40), Ok(tidied.clone()));
            }
        }
    }
}
