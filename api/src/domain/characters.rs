//! Character classes for cleaning and comparing texts.

/// Returns whether a character ends a line: LF, VT, FF, CR, NEL, LINE SEPARATOR or PARAGRAPH SEPARATOR.
#[must_use]
pub const fn is_line_break(c: char) -> bool {
    matches!(c, '\n' | '\u{b}' | '\u{c}' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Returns whether a character controls text direction: marks, embeddings, overrides and isolates.
#[must_use]
pub const fn is_direction_control(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Returns whether a character is invisible: a control or format character, filler, joiner or selector.
#[must_use]
pub fn is_invisible(c: char) -> bool {
    is_direction_control(c)
        || c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fdd0}'..='\u{fdef}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Returns whether a character makes a text visible.
#[must_use]
pub fn is_visible(c: char) -> bool {
    // The braille blank looks like a space.
    !is_invisible(c) && !c.is_whitespace() && c != '\u{2800}'
}

/// Returns whether a character is a pictograph, which joiners and selectors modify.
#[must_use]
pub const fn is_pictograph(c: char) -> bool {
    matches!(c, '©' | '®' | '‼' | '⁉' | '™' | 'ℹ' | 'Ⓜ' | '\u{2190}'..='\u{23ff}' | '\u{25a0}'..='\u{27bf}'
        | '\u{2900}'..='\u{2bff}' | '〰' | '〽' | '㊗' | '㊙' | '\u{1f000}'..='\u{1faff}')
}

/// Returns whether a character belongs to the Latin, Greek or Cyrillic script, or is an ASCII digit.
#[must_use]
pub const fn is_european(c: char) -> bool {
    c.is_ascii_alphanumeric()
        || matches!(c, 'ª' | 'º' | '\u{c0}'..='\u{2ff}' | '\u{370}'..='\u{52f}' | '\u{1c80}'..='\u{1c8f}'
            | '\u{1d00}'..='\u{1dbf}' | '\u{1e00}'..='\u{1fff}' | '\u{2c60}'..='\u{2c7f}' | '\u{a640}'..='\u{a69f}'
            | '\u{a720}'..='\u{a7ff}' | '\u{ab30}'..='\u{ab6f}')
}

/// Returns whether a combining mark is a diacritic, without which the text can still be read.
#[must_use]
pub const fn is_diacritic(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{591}'..='\u{5c7}' | '\u{64b}'..='\u{65f}' | '\u{670}'
        | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
}

/// Removes invisible characters except line breaks, tabs, and joiners, selectors and tags that have a visible effect.
#[must_use]
pub fn without_invisible(text: &str) -> String {
    let kept = |c: &char| !is_invisible(*c) || is_contextual(*c) || is_line_break(*c) || *c == '\t';
    let characters: Vec<char> = text.chars().filter(kept).collect();
    // For each character the next one that is not contextual, computed from the back.
    let mut following = Vec::with_capacity(characters.len());
    let mut next = None;
    for c in characters.iter().rev() {
        following.push(next);
        if !is_contextual(*c) {
            next = Some(*c);
        }
    }
    let mut clean = String::with_capacity(text.len());
    let mut previous = None;
    for (c, next) in characters.into_iter().zip(following.into_iter().rev()) {
        if !is_contextual(c) || previous.is_some_and(|previous| matters(c, previous, next)) {
            clean.push(c);
            previous = Some(c);
        }
    }
    clean
}

/// Returns whether a character may change how its neighbours are drawn.
const fn is_contextual(c: char) -> bool {
    matches!(c, '\u{180b}'..='\u{180d}' | '\u{180f}' | '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{e0020}'..='\u{e007f}' | '\u{e0100}'..='\u{e01ef}')
}

fn matters(c: char, previous: char, next: Option<char>) -> bool {
    match c {
        '\u{200c}' => shapes(previous) && next.is_some_and(shapes),
        '\u{200d}' => {
            let of_letters = shapes(previous) && next.is_some_and(shapes);
            let of_pictures = is_pictograph(previous) || matches!(previous, '\u{fe0f}' | '\u{e007f}');
            of_letters || (of_pictures && next.is_some_and(is_pictograph))
        }
        '\u{fe00}'..='\u{fe0f}' if matches!(previous, '0'..='9' | '#' | '*') => next == Some('\u{20e3}'),
        '\u{fe00}'..='\u{fe0f}' => is_pictograph(previous) || is_ideograph(previous) || shapes(previous),
        '\u{e0100}'..='\u{e01ef}' => is_ideograph(previous),
        '\u{e0020}'..='\u{e007f}' => matches!(previous, '\u{1f3f4}' | '\u{e0020}'..='\u{e007e}'),
        _ => matches!(previous, '\u{1820}'..='\u{18aa}'),
    }
}

/// Returns whether a character belongs to a script with contextual letter forms.
const fn shapes(c: char) -> bool {
    matches!(c, '\u{600}'..='\u{8ff}' | '\u{900}'..='\u{dff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}'
        | '\u{1810}'..='\u{18aa}' | '\u{a840}'..='\u{a877}' | '\u{fb50}'..='\u{fdcf}' | '\u{fe70}'..='\u{fefc}')
}

const fn is_ideograph(c: char) -> bool {
    matches!(c, '\u{2e80}'..='\u{2fdf}' | '\u{3000}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{323af}')
}

/// Returns the Russian letter that a Kazakh one is typed as.
pub(in crate::domain) const fn to_russian(c: char) -> char {
    match c {
        'ә' => 'а',
        'ғ' => 'г',
        'қ' => 'к',
        'ң' => 'н',
        'ө' => 'о',
        'ұ' | 'ү' => 'у',
        'һ' => 'х',
        // і stays, because it also looks like a Latin letter.
        other => other,
    }
}
