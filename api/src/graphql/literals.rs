//! Rewrites string literals that the library's parser misreads into equivalent ones.
//!
//! The parser rejects surrogate pairs (`\ud83d\ude4f`) and code points in braces (`\u{1F64F}`), and does not
//! unescape `\"""` in block strings. Invalid literals are left for the parser to reject.

use std::{borrow::Cow, fmt::Write as _};

const BLOCK_QUOTE: &str = "\"\"\"";

/// Returns the document with its string literals rewritten. What follows keeps its line and, where possible,
/// its column.
#[must_use]
pub fn normalize_strings(document: &str) -> Cow<'_, str> {
    if !document.contains(BLOCK_QUOTE) && !document.contains("\\u") {
        return Cow::Borrowed(document);
    }
    let mut out = String::with_capacity(document.len());
    let mut rest = document;
    while let Some(at) = rest.find(['"', '#']) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let Some((literal, after)) = token_length(from).and_then(|length| from.split_at_checked(length)) else {
            // The parser reports the unterminated string.
            out.push_str(from);
            return Cow::Owned(out);
        };
        match rewrite(literal) {
            Some(text) if !literal.starts_with('#') => push_padded(&text, literal, &mut out),
            _ => out.push_str(literal),
        }
        rest = after;
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// Returns the length of the comment or string at the start of `text`, or `None` if the string is
/// unterminated.
fn token_length(text: &str) -> Option<usize> {
    if text.starts_with('#') {
        return Some(text.find(['\n', '\r']).unwrap_or(text.len()));
    }
    if let Some(block) = text.strip_prefix(BLOCK_QUOTE) {
        let mut from = 0;
        while let Some(at) = block.get(from..)?.find(BLOCK_QUOTE) {
            let end = from + at;
            if !block.get(..end)?.ends_with('\\') {
                return Some(BLOCK_QUOTE.len() + end + BLOCK_QUOTE.len());
            }
            from = end + BLOCK_QUOTE.len();
        }
        return None;
    }
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '\n' | '\r' => return None,
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// Returns the rewritten literal, or `None` if the parser reads it correctly.
fn rewrite(literal: &str) -> Option<String> {
    match literal.strip_prefix(BLOCK_QUOTE).and_then(|rest| rest.strip_suffix(BLOCK_QUOTE)) {
        Some(block) if literal.len() >= 2 * BLOCK_QUOTE.len() => Some(quote(&block_value(block))),
        _ => literal.contains("\\u").then(|| unescape(literal)),
    }
}

/// Writes a literal, padded to the size of the original.
fn push_padded(text: &str, original: &str, out: &mut String) {
    out.push_str(text);
    let width = |text: &str| text.chars().count();
    let last = original.rfind(['\n', '\r']).map_or("", |at| original.get(at + 1..).unwrap_or_default());
    if original.contains(['\n', '\r']) {
        out.extend(original.chars().filter(|c| matches!(c, '\n' | '\r')));
        out.extend(std::iter::repeat_n(' ', width(last)));
    } else {
        out.extend(std::iter::repeat_n(' ', width(original).saturating_sub(width(text))));
    }
}

/// Returns the value of a block string: without the common indent and blank first and last lines.
fn block_value(block: &str) -> String {
    let raw = block.replace("\\\"\"\"", BLOCK_QUOTE).replace("\r\n", "\n");
    let lines: Vec<&str> = raw.split(['\n', '\r']).collect();
    let indent = |line: &str| line.len() - line.trim_start_matches([' ', '\t']).len();
    let blank = |line: &&str| indent(line) == line.len();
    let common = lines.iter().skip(1).filter(|line| !blank(line)).map(|line| indent(line)).min().unwrap_or(0);
    let lines: Vec<&str> = lines
        .iter()
        .enumerate()
        .map(|(at, line)| if at == 0 { line } else { line.get(common..).unwrap_or_default() })
        .collect();
    let first = lines.iter().position(|line| !blank(line)).unwrap_or(lines.len());
    let end = lines.iter().rposition(|line| !blank(line)).map_or(first, |last| last + 1);
    lines.get(first..end).unwrap_or_default().join("\n")
}

/// Returns the text as a string literal.
fn quote(text: &str) -> String {
    let mut literal = String::with_capacity(text.len() + 2);
    literal.push('"');
    text.chars().for_each(|c| push_escaped(c, &mut literal));
    literal.push('"');
    literal
}

fn push_escaped(c: char, literal: &mut String) {
    match c {
        '"' | '\\' => literal.extend(['\\', c]),
        '\n' => literal.push_str("\\n"),
        // Writing to a string cannot fail.
        c if c.is_ascii_control() => drop(write!(literal, "\\u{:04x}", u32::from(c))),
        c => literal.push(c),
    }
}

/// Replaces surrogate pairs and code points in braces by their characters.
fn unescape(literal: &str) -> String {
    let mut out = String::with_capacity(literal.len());
    let mut rest = literal;
    while let Some((before, escape)) = rest.split_once('\\') {
        out.push_str(before);
        if let Some((c, length)) = escape.strip_prefix('u').and_then(code_point) {
            push_escaped(c, &mut out);
            rest = escape.get(1 + length..).unwrap_or_default();
        } else {
            let length = escape.chars().next().map_or(0, char::len_utf8);
            out.push('\\');
            out.push_str(escape.get(..length).unwrap_or_default());
            rest = escape.get(length..).unwrap_or_default();
        }
    }
    out.push_str(rest);
    out
}

/// Parses a `{…}` or two surrogates after a `\u`. Returns the character and the length.
fn code_point(text: &str) -> Option<(char, usize)> {
    if let Some((digits, _)) = text.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
        let hex = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let value = digits.trim_start_matches('0');
        let value = if value.is_empty() { Some(0) } else { u32::from_str_radix(value, 16).ok() };
        return Some((value.filter(|_| hex).and_then(char::from_u32)?, digits.len() + 2));
    }
    let high = code_unit(text)?;
    let low = code_unit(text.get(4..)?.strip_prefix("\\u")?)?;
    let c = char::decode_utf16([high, low]).next()?.ok()?;
    // Two escapes that are not a pair are two characters, which the parser reads.
    (u32::from(c) > 0xffff).then_some((c, 10))
}

fn code_unit(text: &str) -> Option<u16> {
    let digits = text.get(..4).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    u16::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use async_graphql::{
        Pos, Value,
        parser::{
            parse_query,
            types::{DocumentOperations, Selection},
        },
    };

    use super::*;

    /// Returns the value of a literal, and the position of the field after it.
    fn read(literal: &str) -> Option<(String, Pos)> {
        let document = parse_query(normalize_strings(&format!("{{ a(b: {literal}) c }}"))).ok()?;
        let DocumentOperations::Single(operation) = document.operations else { return None };
        let [first, second] = &operation.node.selection_set.node.items[..] else { return None };
        let Selection::Field(field) = &first.node else { return None };
        match field.node.get_argument("b")?.node.clone().into_const()? {
            Value::String(text) => Some((text, second.pos)),
            _ => None,
        }
    }

    fn meaning(literal: &str) -> Option<String> {
        read(literal).map(|(text, _)| text)
    }

    #[test]
    fn reads_code_points_by_the_specification() {
        for (literal, text) in [
            (r#""\ud83d\ude4f""#, "🙏"),
            (r#""\uD83D\uDE4F!""#, "🙏!"),
            (r#""\u{1F64F}""#, "🙏"),
            (r#""a\u{0000061}\u{62}\u0063""#, "aabc"),
            (r#""\u{22}\u{5c}\u{a}\u{0}""#, "\"\\\n\0"),
            (r#""\\u{1F64F}""#, r"\u{1F64F}"),
            (r#""\\ud83d\\ude4f""#, r"\ud83d\ude4f"),
            (r#""қ # \u049b""#, "қ # қ"),
        ] {
            assert_eq!(meaning(literal).as_deref(), Some(text), "{literal}");
        }
    }

    #[test]
    fn rejects_invalid_escapes() {
        for literal in [
            r#""\ud83d""#,
            r#""\ude4f""#,
            r#""\ude4f\ud83d""#,
            r#""\ud83dx\ude4f""#,
            r#""\ud83d\u0041""#,
            r#""\u{d83d}""#,
            r#""\u{d83d}\u{de4f}""#,
            r#""\u{}""#,
            r#""\u{110000}""#,
            r#""\u{g}""#,
            r#""\u{1F64F""#,
            r#""\u12""#,
            r#""\x41""#,
            r#""""never ends ""#,
            "\"line\nbreak\"",
        ] {
            assert_eq!(meaning(literal), None, "{literal}");
        }
    }

    #[test]
    fn reads_block_strings_by_the_specification() {
        for (literal, text) in [
            (r#""""""""#, ""),
            (r#""""a \""" b""""#, r#"a """ b"#),
            (r#""""\"""""""#, r#"""""#),
            (r#""""a\n\u0041\b""""#, r"a\n\u0041\b"),
            (
                "\"\"\"\n    Hello,\n      World!\n\n    Yours,\n      GraphQL.\n  \"\"\"",
                "Hello,\n  World!\n\nYours,\n  GraphQL.",
            ),
            ("\"\"\"a\r\n    b\r    c\"\"\"", "a\nb\nc"),
            ("\"\"\"\n    a\n  \n    b\"\"\"", "a\n\nb"),
            ("\"\"\" \n\t\n\"\"\"", ""),
            ("\"\"\"tab\there\"\"\"", "tab\there"),
        ] {
            assert_eq!(meaning(literal).as_deref(), Some(text), "{literal}");
        }
    }

    #[test]
    fn keeps_the_positions_of_what_follows() {
        for literal in [
            r#""\ud83d\ude4f""#,
            r#""\u{1F64F}""#,
            r#""""""""#,
            r#""""a "quoted" b""""#,
            "\"\"\"\n  a\n\n  b \\\"\"\"\n \"\"\"",
        ] {
            let document = format!("{{ a(b: {literal}) c }}");
            let before = &document[..document.len() - "c }".len()];
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap().chars().count() + 1;
            assert_eq!(read(literal).unwrap().1, Pos { line, column }, "{literal}");
        }
    }

    #[test]
    fn leaves_other_documents_unchanged() {
        for document in ["{ a }", r#"{ a(b: "\"\n\u0041") } # """ \u{1}"#, r##"{ a(b: "#") c(d: "\u00e9") }"##] {
            assert_eq!(normalize_strings(document), document);
        }
        assert!(matches!(normalize_strings(r#"{ a(b: "x") }"#), Cow::Borrowed(_)));
    }
}
