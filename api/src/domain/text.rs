//! Validates texts that people send: names, titles, bodies, answers, reasons.
//!
//! Invisible characters are removed before validation, so a pasted text is never rejected for them. Lengths are counted
//! in Unicode code points of the cleaned text in NFC.

use entities::enums::Language;
use unicode_normalization::UnicodeNormalization;
use unicode_segmentation::UnicodeSegmentation;

use crate::domain::characters::{is_line_break, is_visible, without_invisible};

/// Why a text is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadText {
    /// The text has no visible character.
    Empty,
    /// The text has too many code points.
    TooLong {
        /// The highest allowed number.
        max: usize,
    },
}

/// Cleans a single-line text of 1 to `max` code points. Line breaks and tabs become spaces.
///
/// # Errors
/// When the text is blank or too long.
pub fn single_line(text: &str, max: usize) -> Result<String, BadText> {
    bounded(joined(&cleaned(text)), max)
}

/// Cleans a multi-line text of 1 to `max` code points, with at most one empty line in a row.
///
/// # Errors
/// When the text is blank or too long.
pub fn multi_line(text: &str, max: usize) -> Result<String, BadText> {
    let mut kept: Vec<String> = Vec::new();
    for line in cleaned(text).replace("\r\n", "\n").split(is_line_break) {
        let line = line.replace('\t', " ").trim_end().to_owned();
        if !(line.is_empty() && kept.last().is_some_and(String::is_empty)) {
            kept.push(line);
        }
    }
    bounded(kept.join("\n").trim().to_owned(), max)
}

/// Cleans a single-line text that cannot be rejected: truncates it if it is too long. `None` if it is blank.
#[must_use]
pub fn sanitize(text: &str, max: usize) -> Option<String> {
    let text = bounded(joined(&cleaned(text)), usize::MAX).ok()?;
    if !is_longer_than(&text, max) {
        return Some(text);
    }
    let room = max.saturating_sub(1);
    let mut used = 0;
    let whole = text.graphemes(true).take_while(|one| {
        used += one.chars().count();
        used <= room
    });
    let whole: String = whole.collect();
    // A single grapheme may be longer than the limit.
    let kept = if is_blank(&whole) { text.chars().take(room).collect() } else { whole };
    // A trailing joiner has no effect.
    Some(format!("{}…", joined(&cleaned(&kept))))
}

/// Returns whether a text has more than `max` code points, without counting all of a long text.
#[must_use]
pub fn is_longer_than(text: &str, max: usize) -> bool {
    text.chars().nth(max).is_some()
}

/// Returns whether a text has no visible character.
#[must_use]
pub fn is_blank(text: &str) -> bool {
    !text.chars().any(is_visible)
}

/// Guesses the language of a text: Kazakh if it has Kazakh letters, else Russian if it has Cyrillic ones, else English.
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

/// Returns the text in NFC without invisible characters, with its line breaks and tabs.
fn cleaned(text: &str) -> String {
    let mut cleaned: String = text.nfc().collect();
    // Removed characters may have separated a letter and its marks. In their new order, a joiner that had an effect may have none.
    loop {
        let again: String = without_invisible(&cleaned).nfc().collect();
        if again == cleaned {
            return cleaned;
        }
        cleaned = again;
    }
}

fn joined(text: &str) -> String {
    let parts = text.split(|c| is_line_break(c) || c == '\t').map(str::trim).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join(" ")
}

fn bounded(text: String, max: usize) -> Result<String, BadText> {
    if is_blank(&text) {
        return Err(BadText::Empty);
    }
    if is_longer_than(&text, max) {
        return Err(BadText::TooLong { max });
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Characters that affect cleaning, among ordinary ones.
    fn awkward() -> impl Strategy<Value = String> {
        let special = "\u{0}\t\n\r\u{b}\u{c}\u{85}\u{2028}\u{2029}\u{a0}\u{200b}\u{200c}\u{200d}\u{200e}\u{202e}\u{2066}\u{feff}\u{ad}\u{fe0f}\
                       \u{e0067}\u{e007f}\u{e0100}\u{180b}\u{3164}\u{2800}\u{20e3}\u{301}\u{306}\u{338}\u{2add}\u{1f3f4}👨👩❤1#иеәqकि्ب葛 .";
        let special: Vec<char> = special.chars().collect();
        let one = prop_oneof![4 => prop::sample::select(special), 1 => any::<char>()];
        prop::collection::vec(one, 0..40).prop_map(|text| text.into_iter().collect())
    }

    #[test]
    fn counts_code_points_after_trimming() {
        let most = "ә".repeat(1000);
        assert_eq!(single_line(&format!("  {most}\u{a0} "), 1000), Ok(most.clone()));
        assert_eq!(single_line(&format!("{most}ә"), 1000), Err(BadText::TooLong { max: 1000 }));
        assert_eq!(single_line(&"е\u{308}\u{200b}\u{ad}".repeat(1000), 1000), Ok("ё".repeat(1000)), "as it is kept");
        assert_eq!(single_line("Что с дорогой? 道路 👍🏽", 1000).unwrap(), "Что с дорогой? 道路 👍🏽");
        assert_eq!(multi_line(&"а\n".repeat(21), 40), Err(BadText::TooLong { max: 40 }));
    }

    #[test]
    fn turns_every_kind_of_line_break_into_a_space_or_a_newline() {
        for end in ["\n", "\r", "\r\n", "\u{b}", "\u{c}", "\u{85}", "\u{2028}", "\u{2029}"] {
            assert_eq!(single_line(&format!("бір {end} екі{end}"), 40).unwrap(), "бір екі", "{end:?}");
            assert_eq!(multi_line(&format!("{end}бір {end} екі{end}"), 40).unwrap(), "бір\n екі", "{end:?}");
            assert_eq!(sanitize(&format!("бір{end}екі"), 40).unwrap(), "бір екі", "{end:?}");
        }
        assert_eq!(single_line("Жол\r\n\n қашан\tжөнделеді?\n", 40).unwrap(), "Жол қашан жөнделеді?");
        assert_eq!(
            multi_line(" Бірінші \r\n\r\n\n екінші\tсөз \rүшінші\n\n", 40).unwrap(),
            "Бірінші\n\n екінші сөз\nүшінші"
        );
    }

    #[test]
    fn removes_invisible_characters() {
        for unseen in "\u{0}\u{7}\u{1b}\u{7f}\u{9f}\u{ad}\u{200b}\u{200c}\u{200d}\u{200e}\u{200f}\u{61c}\u{202a}\u{202e}\u{2060}\u{2066}\u{2069}\u{feff}\
                       \u{3164}\u{fe0f}\u{e0067}\u{fff9}\u{ffff}"
            .chars()
        {
            let text = format!("{unseen}ба{unseen}р{unseen}");
            assert_eq!(single_line(&text, 3).as_deref(), Ok("бар"), "{unseen:?}");
            assert_eq!(multi_line(&text, 3).as_deref(), Ok("бар"), "{unseen:?}");
            assert_eq!(sanitize(&text, 3).as_deref(), Some("бар"), "{unseen:?}");
        }
    }

    #[test]
    fn keeps_joiners_and_selectors_with_a_visible_effect() {
        for drawn in [
            "👨\u{200d}👩\u{200d}👧",
            "❤\u{fe0f}\u{200d}🔥",
            "1\u{fe0f}\u{20e3}",
            "می\u{200c}خواهم",
            "क्\u{200d}ष",
            "葛\u{e0100}",
            "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
        ] {
            assert_eq!(single_line(drawn, 40).as_deref(), Ok(drawn));
        }
    }

    #[test]
    fn rejects_blank_texts() {
        for nothing in
            ["", " \u{3000}\n", "\u{200b}\u{200b}", " \u{3164}\u{2800} \u{feff}", "\u{ad}\n\u{fe0f}", "\u{0}\u{202e}"]
        {
            assert_eq!(single_line(nothing, 40), Err(BadText::Empty));
            assert_eq!(multi_line(nothing, 40), Err(BadText::Empty));
            assert_eq!(sanitize(nothing, 40), None);
        }
    }

    #[test]
    fn truncates_between_graphemes() {
        assert_eq!(sanitize(&"ә".repeat(1001), 1000).unwrap().chars().count(), 1000);
        assert_eq!(sanitize("аб👨\u{200d}👩\u{200d}👧в", 6).unwrap(), "аб…");
        assert_eq!(sanitize(&format!("а{}", "\u{301}".repeat(50)), 6).unwrap(), format!("а{}…", "\u{301}".repeat(4)));
    }

    #[test]
    fn removes_a_joiner_that_loses_its_effect_when_marks_are_reordered() {
        let text = "क\u{200c}\u{94d}\u{200b}\u{338}";
        assert_eq!(single_line(text, 40).as_deref(), Ok("क\u{338}\u{94d}"));
    }

    proptest! {
        #[test]
        fn validation_is_idempotent(text in prop_oneof![awkward(), any::<String>()]) {
            if let Ok(accepted) = single_line(&text, 40) {
                prop_assert_eq!(single_line(&accepted, 40), Ok(accepted.clone()));
                prop_assert!(accepted.chars().count() <= 40);
            }
            if let Ok(accepted) = multi_line(&text, 40) {
                prop_assert_eq!(multi_line(&accepted, 40), Ok(accepted));
            }
            if let Some(kept) = sanitize(&text, 20) {
                prop_assert_eq!(single_line(&kept, 20), Ok(kept.clone()));
            }
        }
    }
}
