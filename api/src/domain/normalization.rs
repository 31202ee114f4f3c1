//! The normalisation of texts for comparison: searches, duplicates, blocked words, unit names.
//!
//! Steps, in this order:
//! 1. Letters and digits are decomposed by compatibility (NFKD), signs canonically, except wide and small forms.
//!    "№" and "™" stay signs.
//! 2. Invisible characters are removed: controls, soft hyphens, zero-width and direction characters, selectors.
//! 3. Combining marks are removed, except the breve of й and marks of scripts that need them. So ё becomes е.
//! 4. Dotted and dotless I become one letter.
//! 5. Case is folded fully: ß becomes ss.
//! 6. Kazakh letters become the Russian ones typed instead, except for blocked words.
//! 7. Words in two alphabets are rewritten in one (see [`read_in_one_alphabet`] and [`read_in_cyrillic`]).
//! 8. Words are recomposed (NFC). Spaces and signs are treated by [`Level`].
//!
//! Normalisation is idempotent. Every change to a step must raise [`VERSION`].

use std::collections::HashSet;

use entities::ids::MeetingId;
use sha2::{Digest, Sha256};
use unicode_normalization::{
    UnicodeNormalization,
    char::{decompose_canonical, decompose_compatible, is_combining_mark},
};

use crate::domain::{
    characters::{is_diacritic, is_european, is_invisible, is_pictograph, to_russian, without_invisible},
    homoglyphs::{read_in_cyrillic, read_in_one_alphabet},
    text::{BadText, single_line},
};

/// Version of the rules, stored with normalised rows. 0 is any version before this module.
pub const VERSION: i32 = 1;
/// Characters that a search term needs so that an index of trigrams finds it.
pub const TRIGRAM: usize = 3;
/// The highest number of different words in a search. Each nests one condition deeper in the SQL statement.
pub const MAX_SEARCH_TERMS: usize = 20;
/// The longest search, in characters.
pub const MAX_SEARCH_LENGTH: usize = 200;
/// The longest search before it is normalised, in bytes. Invisible characters do not count in its length, but take
/// time.
const MAX_SEARCH_BYTES: usize = 16 * MAX_SEARCH_LENGTH;

/// Signs that only separate words and sentences, and so carry no meaning.
const DIVIDERS: &str = ".,!?;:…-‐‑‒–—―«»“”„‟‘’‚'\"()[]/¡¿·";

/// What a normalised text is compared for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Searches: the words, then each sign once.
    Search,
    /// Duplicates: words and signs in order, without separators unless there is nothing else.
    Duplicates,
    /// Blocked words: words and signs as they stand, with Kazakh letters.
    BlockedWords,
}

enum Piece {
    Word(String),
    Sign(char),
    Space,
}

/// Normalises a text for a kind of comparison.
#[must_use]
pub fn normalize(text: &str, level: Level) -> String {
    let pieces = pieces(text, level);
    let joined = |kept: &dyn Fn(&Piece) -> bool| {
        let kept: Vec<_> = pieces.iter().filter(|piece| kept(piece)).map(Piece::text).collect();
        kept.join(" ")
    };
    match level {
        Level::Search => {
            let mut seen = HashSet::new();
            let words = pieces.iter().filter(|piece| matches!(piece, Piece::Word(_))).map(Piece::text);
            let signs = pieces.iter().filter(|piece| matches!(piece, Piece::Sign(sign) if seen.insert(*sign)));
            words.chain(signs.map(Piece::text)).collect::<Vec<_>>().join(" ")
        }
        Level::Duplicates => {
            let telling = joined(&|piece| match piece {
                Piece::Word(_) => true,
                Piece::Sign(sign) => !DIVIDERS.contains(*sign),
                Piece::Space => false,
            });
            if telling.is_empty() { joined(&|piece| !matches!(piece, Piece::Space)) } else { telling }
        }
        Level::BlockedWords => pieces.iter().map(Piece::text).collect::<String>().trim().to_owned(),
    }
}

/// Normalises a text for search: its words, then its signs, separated by spaces.
#[must_use]
pub fn normalize_for_search(text: &str) -> String {
    normalize(text, Level::Search)
}

/// Returns the distinct terms of a search: its words, or its signs if it has no words. Empty for a blank text.
#[must_use]
pub fn terms(text: &str) -> Vec<String> {
    let pieces = pieces(text, Level::Search);
    let has_words = pieces.iter().any(|piece| matches!(piece, Piece::Word(_)));
    let mut seen = HashSet::new();
    let asked = pieces.iter().filter(|piece| match piece {
        Piece::Word(_) => true,
        Piece::Sign(_) => !has_words,
        Piece::Space => false,
    });
    asked.map(Piece::text).filter(|term| seen.insert(term.clone())).collect()
}

/// Returns the terms of a search, or `None` if it is too long or has too many.
#[must_use]
pub fn search_terms(text: &str) -> Option<Vec<String>> {
    if text.len() > MAX_SEARCH_BYTES {
        return None;
    }
    match single_line(text, MAX_SEARCH_LENGTH) {
        Ok(text) => Some(terms(&text)).filter(|terms| terms.len() <= MAX_SEARCH_TERMS),
        Err(BadText::Empty) => Some(Vec::new()),
        Err(BadText::TooLong { .. }) => None,
    }
}

/// Returns the digest for finding an author's earlier posts at a meeting. `said` is normalised.
#[must_use]
pub fn duplicate_digest(meeting: MeetingId, author: &str, said: &str) -> i64 {
    let hash =
        Sha256::new().chain_update(meeting.0.as_bytes()).chain_update(author).chain_update("\n").chain_update(said);
    hash.finalize().iter().take(8).fold(0, |sum: i64, byte| (sum << 8) | i64::from(*byte))
}

impl Piece {
    fn text(&self) -> String {
        match self {
            Self::Word(word) => word.clone(),
            Self::Sign(sign) => sign.to_string(),
            Self::Space => " ".to_owned(),
        }
    }
}

/// Returns whether a character is a small letter or a digit that steps 1 to 5 and 8 leave as it is: most of a text.
const fn is_plain(c: char) -> bool {
    let kazakh = matches!(c, 'ә' | 'ғ' | 'қ' | 'ң' | 'ө' | 'ұ' | 'ү' | 'һ' | 'і');
    kazakh || matches!(c, 'a'..='z' | '0'..='9' | 'а'..='и' | 'к'..='я')
}

/// Returns whether a character can be part of a normalised word.
pub(in crate::domain) fn is_part_of_word(c: char) -> bool {
    is_plain(c) || is_other_part_of_word(c)
}

fn is_other_part_of_word(c: char) -> bool {
    // These two letters and the keycap form pictures.
    (c.is_alphanumeric() || is_combining_mark(c)) && !matches!(c, 'ℹ' | 'Ⓜ' | '\u{20e3}')
}

fn pieces(text: &str, level: Level) -> Vec<Piece> {
    let (mut pieces, mut word) = (Vec::new(), Vec::new());
    for c in characters(text, level).into_iter().chain([' ']) {
        if is_part_of_word(c) {
            fold(c, level, &mut word);
            continue;
        }
        if !word.is_empty() {
            let mut whole = std::mem::take(&mut word);
            match level {
                Level::BlockedWords => read_in_cyrillic(&mut whole),
                Level::Search | Level::Duplicates => read_in_one_alphabet(&mut whole),
            }
            let is_composed = whole.iter().all(|c| is_plain(*c));
            let word = if is_composed { whole.into_iter().collect() } else { whole.into_iter().nfc().collect() };
            pieces.push(Piece::Word(word));
        }
        if !c.is_whitespace() {
            pieces.push(Piece::Sign(c));
        } else if !matches!(pieces.last(), None | Some(Piece::Space)) {
            pieces.push(Piece::Space);
        }
    }
    pieces
}

/// Steps 1 to 4: returns the characters that are compared.
fn characters(text: &str, level: Level) -> Vec<char> {
    let mut kept = Vec::with_capacity(text.len());
    // An emoji sequence differs from its parts.
    let joined = if level == Level::BlockedWords { without_invisible(text) } else { text.to_owned() };
    for c in joined.chars() {
        if is_plain(c) {
            kept.push(c);
            continue;
        }
        let mut keep = |c| keep(c, level, &mut kept);
        // Wide and small forms equal their sign.
        let by_compatibility = is_part_of_word(c) || matches!(c, '\u{fe50}'..='\u{fe6b}' | '\u{ff01}'..='\u{ff5e}');
        if by_compatibility { decompose_compatible(c, &mut keep) } else { decompose_canonical(c, &mut keep) }
    }
    kept
}

fn keep(c: char, level: Level, kept: &mut Vec<char>) {
    let before = kept.last().copied();
    match (c, before) {
        ('\u{306}', Some('и' | 'И')) => {
            kept.pop();
            kept.push(if before == Some('и') { 'й' } else { 'Й' });
        }
        ('\u{20e3}', Some('0'..='9' | '#' | '*')) if level == Level::BlockedWords => {
            let in_word = kept.iter().nth_back(1).is_some_and(|c| is_part_of_word(*c));
            if !in_word {
                kept.push(c);
            }
        }
        ('\u{200d}', Some(before)) if level == Level::BlockedWords && is_pictograph(before) => kept.push(c),
        _ if c.is_whitespace() => kept.push(' '),
        _ if is_invisible(c) => {}
        _ if is_combining_mark(c) => {
            let needed = before.is_some_and(|before| is_part_of_word(before) && !is_european(before));
            if needed && !is_diacritic(c) {
                kept.push(c);
            }
        }
        ('ı', _) => kept.push('i'),
        ('ȷ', _) => kept.push('j'),
        ('ӏ' | 'Ӏ', _) => kept.push('і'),
        _ => kept.push(c),
    }
}

/// Steps 5 and 6. Keeps the Latin H for step 7, because it looks like another letter than h.
fn fold(c: char, level: Level, word: &mut Vec<char>) {
    let russian = |c| if level == Level::BlockedWords { c } else { to_russian(c) };
    match c {
        'H' => word.push(c),
        _ if is_plain(c) => word.push(russian(c)),
        _ => word.extend(fold_case(c).map(russian)),
    }
}

fn fold_case(c: char) -> impl Iterator<Item = char> {
    c.to_lowercase().flat_map(char::to_uppercase).flat_map(char::to_lowercase)
}

#[cfg(test)]
mod tests;
