//! Blocked words: whole words, in whatever letters they are dressed up.
//!
//! Two texts that look alike have one skeleton: Latin and Greek letters that look like Cyrillic ones are read as those, digits
//! inside a word as the letters they stand for, and what cannot be seen does not count. Kazakh letters stay what they are.

use unicode_normalization::UnicodeNormalization;
use unicode_segmentation::UnicodeSegmentation;

/// How many words may be blocked at a meeting.
pub const MOST_WORDS: usize = 500;
/// How many characters a blocked word or phrase may have.
pub const LONGEST_WORD: usize = 100;

/// The blocked words of a meeting.
#[derive(Clone, Debug, Default)]
pub struct BlockedWords(Vec<Blocked>);

#[derive(Clone, Debug)]
struct Blocked {
    parts: Vec<String>,
    /// Whether the last part only has to begin the word: written with a `*` at the end.
    open: bool,
}

impl BlockedWords {
    /// Reads words and phrases; a `*` at the end of one stands for any ending.
    #[must_use]
    pub fn new(words: &[impl AsRef<str>]) -> Self {
        let blocked = words.iter().map(|word| {
            let word = word.as_ref().trim();
            let (stem, open) = word.strip_suffix('*').map_or((word, false), |stem| (stem, true));
            Blocked { parts: skeletons(stem), open }
        });
        Self(blocked.filter(|blocked| !blocked.parts.is_empty()).collect())
    }

    /// Whether this blocks anything at all, and no more than it says: a `*` stands at the end of a word, and of a word.
    #[must_use]
    pub fn is_word(word: &str) -> bool {
        let word = word.trim();
        let stem = word.strip_suffix('*').unwrap_or(word);
        !stem.contains('*') && !skeletons(stem).is_empty()
    }

    /// Whether a text holds any of them.
    #[must_use]
    pub fn are_in(&self, text: &str) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let words = skeletons(text);
        let spelled = spelled_out(&words);
        self.0.iter().any(|blocked| blocked.is_in(&words) || blocked.is_in(&spelled))
    }
}

impl Blocked {
    fn is_in(&self, words: &[String]) -> bool {
        let Some((last, first)) = self.parts.split_last() else { return false };
        words.windows(self.parts.len()).any(|window| {
            window.split_last().is_some_and(|(end, begin)| {
                begin == first && (end == last || (self.open && end.starts_with(last.as_str())))
            })
        })
    }
}

/// The skeletons of the words of a text.
fn skeletons(text: &str) -> Vec<String> {
    let seen: String = text.nfkd().filter(|c| !is_unseen(*c)).nfc().flat_map(char::to_lowercase).collect();
    seen.unicode_words()
        .flat_map(|word| word.split(['.', '_', '\'', '’', ':']))
        .filter(|word| !word.is_empty())
        .map(skeleton)
        .collect()
}

fn skeleton(word: &str) -> String {
    let has_letters = word.chars().any(char::is_alphabetic);
    word.chars().map(|c| look(c, has_letters)).collect()
}

/// Words of single letters in a row, joined: `с.л.о.в.о`.
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

/// What cannot be seen, or only hangs over a letter. The breve and the diaeresis stay: й and ё are letters.
fn is_unseen(c: char) -> bool {
    let mark = unicode_normalization::char::is_combining_mark(c) && !matches!(c, '\u{306}' | '\u{308}');
    let blank = matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}');
    mark || blank
}

fn look(c: char, among_letters: bool) -> char {
    match c {
        'ё' => 'е',
        'a' | 'α' => 'а',
        'b' | 'β' => 'в',
        'c' | 'ϲ' => 'с',
        'e' | 'ε' => 'е',
        'h' => 'н',
        'i' | 'ι' => 'і',
        'k' | 'κ' => 'к',
        'm' | 'μ' => 'м',
        'o' | 'ο' | 'σ' => 'о',
        'p' | 'ρ' => 'р',
        't' | 'τ' => 'т',
        'x' | 'χ' => 'х',
        'y' | 'υ' => 'у',
        '0' if among_letters => 'о',
        '3' if among_letters => 'з',
        '4' if among_letters => 'ч',
        '6' if among_letters => 'б',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn blocked(words: &[&str], text: &str) -> bool {
        BlockedWords::new(words).are_in(text)
    }

    #[test]
    fn a_word_is_blocked_as_a_whole_and_never_inside_another() {
        assert!(blocked(&["хам"], "Ну ты и ХАМ!"));
        assert!(!blocked(&["хам"], "Вода в храме и в хамаме"));
        assert!(!blocked(&["хам"], "обхамил"));
        assert!(blocked(&["хам*"], "хамы кругом"));
        assert!(blocked(&["ақымақ"], "Сен ақымақ!"));
        assert!(!blocked(&["ақымақ"], "акымак"), "a Kazakh letter is not its Russian neighbour");
    }

    #[test]
    fn a_word_is_found_in_any_dress() {
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
    fn a_phrase_is_blocked_in_its_order() {
        assert!(blocked(&["пошел вон"], "а ну, пошёл ВОН отсюда"));
        assert!(!blocked(&["пошел вон"], "вон он пошел"));
        assert!(!blocked(&[" ", "*"], "любой текст"));
    }

    proptest! {
        #[test]
        fn nothing_unseen_hides_a_word(at in 0..5_usize, unseen in prop::sample::select(vec!['\u{200b}', '\u{ad}', '\u{301}', '\u{feff}', '\u{200d}'])) {
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
    }
}
