//! Matches blocked words: whole words in any disguise, and signs literally.

use unicode_segmentation::UnicodeSegmentation;

use crate::domain::{
    characters::is_pictograph,
    normalization::{Level, is_part_of_word, normalize},
};

/// The highest number of blocked words of a meeting.
pub const MAX_BLOCKED_WORDS: usize = 500;
/// The longest blocked word or phrase, in characters.
pub const MAX_BLOCKED_WORD_LENGTH: usize = 100;

/// The blocked words of a meeting.
#[derive(Clone, Debug, Default)]
pub struct BlockedWords(Vec<Pattern>);

#[derive(Clone, Debug)]
struct Pattern {
    what: Matched,
    /// Whether it is a prefix, written with a trailing `*`.
    is_prefix: bool,
}

#[derive(Clone, Debug)]
enum Matched {
    /// Consecutive words, with anything between them.
    Words(Vec<String>),
    /// A normalised text with signs, which must not continue at its edges.
    Written(String),
}

impl BlockedWords {
    /// Parses words and phrases. A trailing `*` matches any ending.
    #[must_use]
    pub fn new(words: &[impl AsRef<str>]) -> Self {
        Self(words.iter().filter_map(|word| Pattern::parse(word.as_ref())).collect())
    }

    /// Returns whether a word can be blocked: it contains a letter, digit or picture, and `*` only at the end.
    #[must_use]
    pub fn is_blockable(word: &str) -> bool {
        let word = word.trim();
        !word.strip_suffix('*').unwrap_or(word).contains('*') && Pattern::parse(word).is_some()
    }

    /// Returns whether a text contains any of the words.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let text = normalize(text, Level::BlockedWords);
        let words = words(&text);
        let spelled = spelled_out(&words);
        self.0.iter().any(|pattern| match &pattern.what {
            Matched::Words(parts) => {
                has_words(&words, parts, pattern.is_prefix) || has_words(&spelled, parts, pattern.is_prefix)
            }
            Matched::Written(written) => has_written(&text, written, pattern.is_prefix),
        })
    }
}

impl Pattern {
    fn parse(word: &str) -> Option<Self> {
        let word = word.trim();
        let (stem, is_prefix) = word.strip_suffix('*').map_or((word, false), |stem| (stem, true));
        let stem = normalize(stem, Level::BlockedWords);
        let is_sign = |c: char| !is_part_of_word(c) && c != ' ';
        if !stem.contains(|c| is_part_of_word(c) || is_pictograph(c)) {
            return None;
        }
        let what = if stem.contains(is_sign) { Matched::Written(stem) } else { Matched::Words(words(&stem)) };
        Some(Self { what, is_prefix })
    }
}

/// Splits a normalised text into words, by Unicode rules where there are no spaces.
fn words(text: &str) -> Vec<String> {
    let whole = text.split(|c| !is_part_of_word(c));
    whole.flat_map(UnicodeSegmentation::unicode_words).map(str::to_owned).collect()
}

fn has_words(words: &[String], parts: &[String], is_prefix: bool) -> bool {
    let Some((last, first)) = parts.split_last() else { return false };
    words.windows(parts.len()).any(|window| {
        window.split_last().is_some_and(|(end, begin)| {
            begin == first && (end == last || (is_prefix && end.starts_with(last.as_str())))
        })
    })
}

fn has_written(text: &str, written: &str, is_prefix: bool) -> bool {
    let (Some(first), Some(last)) = (written.chars().next(), written.chars().last()) else { return false };
    let mut from = 0;
    while let Some(at) = text.get(from..).and_then(|rest| rest.find(written)) {
        let (start, end) = (from + at, from + at + written.len());
        let before = text.get(..start).and_then(|text| text.chars().last());
        let after = text.get(end..).and_then(|text| text.chars().next());
        if !continues(first, before) && (is_prefix || !continues(last, after)) {
            return true;
        }
        from = start + first.len_utf8();
    }
    false
}

/// Returns whether a match continues beyond its edge: in a word, a run of one sign ("C++" is not "C+") or an emoji.
fn continues(edge: char, beside: Option<char>) -> bool {
    match beside {
        None => false,
        Some('\u{200d}' | '\u{20e3}') => true,
        Some(beside) if is_part_of_word(edge) => is_part_of_word(beside),
        Some(beside) => edge == beside && !is_pictograph(edge),
    }
}

/// Joins runs of single letters into words: `с.л.о.в.о`.
fn spelled_out(words: &[String]) -> Vec<String> {
    let mut joined = Vec::new();
    let mut run = String::new();
    for word in words {
        if word.chars().nth(1).is_none() {
            run.push_str(word);
        } else if !run.is_empty() {
            joined.push(std::mem::take(&mut run));
        }
    }
    joined.push(run);
    joined
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn blocked(words: &[&str], text: &str) -> bool {
        BlockedWords::new(words).matches(text)
    }

    #[test]
    fn matches_whole_words_only() {
        assert!(blocked(&["хам"], "Ну ты и ХАМ!"));
        assert!(!blocked(&["хам"], "Вода в храме и в хамаме"));
        assert!(!blocked(&["хам"], "обхамил"));
        assert!(blocked(&["хам*"], "хамы кругом"));
        assert!(blocked(&["ақымақ"], "Сен ақымақ!"));
        assert!(!blocked(&["ақымақ"], "акымак"), "a Kazakh letter is not its Russian neighbour");
        assert!(blocked(&["道路"], "新道路が"), "without spaces too");
    }

    #[test]
    fn matches_words_in_any_disguise() {
        for dress in
            ["xам", "ХAM", "х\u{200b}ам", "х\u{301}ам", "х.а.м", "х-а-м", "х а м", "«хам»", "хам,", "х\u{ad}ам"]
        {
            assert!(blocked(&["хам"], dress), "{dress}");
        }
        assert!(blocked(&["сло́во"], "сл0во"));
        assert!(blocked(&["елка"], "ёлка"));
        assert!(!blocked(&["йод"], "иод"));
    }

    #[test]
    fn matches_phrases_in_order() {
        assert!(blocked(&["пошел вон"], "а ну, пошёл ВОН отсюда"));
        assert!(!blocked(&["пошел вон"], "вон он пошел"));
        assert!(!blocked(&[" ", "*"], "любой текст"));
    }

    #[test]
    fn matches_signs_literally() {
        for (word, texts, others) in [
            ("18+", ["Только 18+!", "(18+)", "Фильм 18＋"], ["Ему 18", "18 лет + год", "118+"]),
            ("C#", ["Учу C#.", "c# и с#", "(С#)"], ["Сижу с братом", "C", "C++"]),
            ("C+", ["C+", "на C+, да", "«c+»"], ["C++", "AC+", "с +"]),
            ("😀", ["Ура😀", "😀😀😀", "😀\u{fe0f}"], ["Ура", "😁", "🙂"]),
            ("👨", ["👨", "о 👨!", "👨\u{1f3fd}"], ["👨\u{200d}👩\u{200d}👧", "👩", "👩\u{200d}👨"]),
            ("1\u{fe0f}\u{20e3}", ["1\u{fe0f}\u{20e3}", "№ 1\u{20e3}", "1\u{20e3}!"], ["1", "21\u{20e3}", "1️"]),
            ("ℹ\u{fe0f}", ["ℹ", "ℹ\u{fe0f} сюда", "тутℹ"], ["i", "і", "и"]),
            ("т.д.", ["и т.д.", "Т.Д. и т.п.", "(т.д.)"], ["т д", "тд", "т.д.."]),
            ("@bot*", ["@bot", "@bot_1", "эй @botnet"], ["bot", "@ bot", "@ bоt"]),
        ] {
            assert!(BlockedWords::is_blockable(word), "{word}");
            for text in texts {
                assert!(blocked(&[word], text), "{word} is in {text}");
            }
            for text in others {
                assert!(!blocked(&[word], text), "{word} is not in {text}");
            }
        }
    }

    #[test]
    fn rejects_words_that_match_nothing() {
        for bad in ["", "*", " * ", "*сөз", "сө*з", "сөз**", "?!", "#", "\u{200b}"] {
            assert!(!BlockedWords::is_blockable(bad), "{bad}");
        }
        for good in ["сөз", "сөз*", "екі сөз", "18+", "👍", "C#*"] {
            assert!(BlockedWords::is_blockable(good), "{good}");
        }
    }

    proptest! {
        #[test]
        fn invisible_characters_do_not_hide_a_word(at in 0..5_usize, unseen in prop::sample::select(vec!['\u{200b}', '\u{ad}', '\u{301}', '\u{feff}', '\u{200d}'])) {
            let mut letters: Vec<char> = "слово".chars().collect();
            letters.insert(at + 1, unseen);
            let dressed: String = letters.into_iter().collect();
            let text = format!("это {dressed} тут");
            prop_assert!(blocked(&["слово"], &text));
        }

        #[test]
        fn any_text_can_be_looked_through(text in any::<String>(), word in any::<String>()) {
            let _ = blocked(&[&word], &text);
        }

        #[test]
        fn a_word_that_can_be_blocked_blocks_itself(word in "[а-яәA-Z0-9 +#%.😀👍\u{200d}-]{1,8}") {
            if BlockedWords::is_blockable(&word) {
                prop_assert!(blocked(&[&word], &format!("вот {word} и всё")), "{:?}", word);
            }
        }
    }
}
