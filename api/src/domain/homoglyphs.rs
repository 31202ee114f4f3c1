//! Look-alike letters of different alphabets.

use crate::domain::characters::to_russian;

/// Rewrites a word for the comparison with blocked words.
///
/// All look-alikes become Cyrillic, and so do digits that stand for letters.
pub(in crate::domain) fn read_in_cyrillic(word: &mut [char]) {
    let has_letters = word.iter().any(|c| c.is_alphabetic());
    // The Latin h looks like the Kazakh letter, but is used to disguise the Russian one.
    let look_alike = |c| if c == 'h' { Some('н') } else { as_cyrillic(c) };
    for c in word.iter_mut() {
        *c = digit_as_letter(*c, has_letters).or_else(|| look_alike(*c)).unwrap_or(*c);
    }
}

/// Rewrites a word that mixes alphabets in one of them.
///
/// A word with a Cyrillic letter becomes Latin if some letter is only Latin and none is only Cyrillic, else Cyrillic.
/// Finally a Kazakh і becomes и.
pub(in crate::domain) fn read_in_one_alphabet(word: &mut [char]) {
    let is_cyrillic_only = |c: &char| is_cyrillic(*c) && as_latin(*c).is_none();
    let is_latin_only = |c: &char| is_latin(*c) && as_cyrillic(*c).is_none();
    let in_latin = word.iter().any(is_latin_only) && !word.iter().any(is_cyrillic_only);
    let is_mixed = word.iter().any(|c| is_cyrillic(*c));
    for c in word.iter_mut() {
        let read = match *c {
            c if is_mixed && in_latin => as_latin(c),
            c if is_mixed => as_cyrillic(c),
            _ => None,
        };
        *c = match read.unwrap_or(*c) {
            'H' => 'h',
            'і' => 'и',
            other => to_russian(other),
        };
    }
}

/// Returns the Cyrillic letter that a Latin or Greek one looks like.
const fn as_cyrillic(c: char) -> Option<char> {
    Some(match c {
        'a' | 'α' => 'а',
        'b' | 'β' => 'в',
        'c' | 'ϲ' => 'с',
        'e' | 'ε' => 'е',
        'H' | 'η' => 'н',
        'h' => 'һ',
        'i' | 'ι' => 'і',
        'k' | 'κ' => 'к',
        'm' | 'μ' => 'м',
        'o' | 'ο' | 'σ' => 'о',
        'p' | 'ρ' => 'р',
        't' | 'τ' => 'т',
        'x' | 'χ' => 'х',
        'y' | 'υ' => 'у',
        'ə' => 'ә',
        'ɵ' => 'ө',
        _ => return None,
    })
}

/// Returns the Latin letter that a Cyrillic one looks like.
const fn as_latin(c: char) -> Option<char> {
    Some(match c {
        'а' => 'a',
        'в' => 'b',
        'с' => 'c',
        'е' => 'e',
        'н' => 'h',
        'і' => 'i',
        'к' => 'k',
        'м' => 'm',
        'о' => 'o',
        'р' => 'p',
        'т' => 't',
        'х' => 'x',
        'у' => 'y',
        _ => return None,
    })
}

/// Returns the letter that a digit stands for in a word.
const fn digit_as_letter(c: char, has_letters: bool) -> Option<char> {
    Some(match c {
        '0' if has_letters => 'о',
        '3' if has_letters => 'з',
        '4' if has_letters => 'ч',
        '6' if has_letters => 'б',
        _ => return None,
    })
}

const fn is_cyrillic(c: char) -> bool {
    matches!(c, '\u{400}'..='\u{52f}')
}

const fn is_latin(c: char) -> bool {
    c.is_ascii_alphabetic() || matches!(c, '\u{c0}'..='\u{2af}')
}
