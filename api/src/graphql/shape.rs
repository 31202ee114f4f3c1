//! How long a document is and how deep it nests, told without a parse: the parser recurses as deep as the document does, so
//! a deep one would take the stack of the whole process.

/// The outward shape of a document. What cannot be parsed has one too, of as far as the parser could come or more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// How many tokens it has.
    pub tokens: usize,
    /// How many brackets stand open at its deepest place.
    pub depth: usize,
}

impl Shape {
    /// The shape of a document.
    #[must_use]
    pub fn of(document: &str) -> Self {
        let mut shape = Self::default();
        let mut open = 0_usize;
        let mut rest = document;
        while let Some(first) = rest.chars().next() {
            let length = match first {
                '#' => rest.find(['\n', '\r']).unwrap_or(rest.len()),
                '"' => string(rest),
                'a'..='z' | 'A'..='Z' | '0'..='9' | '_' => {
                    rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len())
                }
                other => other.len_utf8(),
            };
            match first {
                '{' | '[' | '(' => open += 1,
                '}' | ']' | ')' => open = open.saturating_sub(1),
                _ => {}
            }
            let nothing = first == '#' || first == ',' || first == '\u{feff}' || first.is_whitespace();
            shape.tokens += usize::from(!nothing);
            shape.depth = shape.depth.max(open);
            rest = rest.get(length..).unwrap_or_default();
        }
        shape
    }
}

/// How long the string is with which a text begins. One that does not end ends with its line: the parser comes no further.
fn string(text: &str) -> usize {
    const FENCE: &str = "\"\"\"";
    if let Some(block) = text.strip_prefix(FENCE) {
        let mut from = 0;
        while let Some(at) = block.get(from..).and_then(|rest| rest.find(FENCE)) {
            let end = from + at;
            if !block.get(..end).unwrap_or_default().ends_with('\\') {
                return FENCE.len() + end + FENCE.len();
            }
            from = end + FENCE.len();
        }
        // As the parser sees it, an empty string and the beginning of another one.
        return 2;
    }
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '\n' | '\r' => return at,
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(document: &str) -> (usize, usize) {
        let Shape { tokens, depth } = Shape::of(document);
        (tokens, depth)
    }

    #[test]
    fn tokens_and_open_brackets_are_counted() {
        assert_eq!(shape(""), (0, 0));
        assert_eq!(shape("{ viewer { subject } }"), (6, 2));
        assert_eq!(shape("query Q($ids: [ID!]!, $n: Int = 1) { a(b: {c: [[$n]]}) }"), (35, 5));
        assert_eq!(shape("{a b}{c d}"), (8, 1), "what is closed is not deep");
    }

    #[test]
    fn what_stands_in_strings_and_comments_is_neither() {
        for text in [
            r#"{ a(b: "((([[[{{{ and more words") }"#,
            r#"{ a(b: "\"((([[[{{{\\") }"#,
            r#"{ a(b: """((("[[[\"""{{{ " """) }"#,
            "{ a(b: \"\") } # ((((( a b c",
            "{ a(b: \"\") # ((((( a b c\r }",
        ] {
            assert_eq!(shape(text), (8, 2), "{text}");
        }
    }

    #[test]
    fn nothing_hides_behind_a_string_that_does_not_end() {
        assert_eq!(shape("{ a(b: \"x\n{{{{").1, 6);
        assert_eq!(shape("[\"\"\"\" {{{{").1, 5, "two empty strings, and what follows them");
        assert_eq!(shape("{a(b:\"\"\"{{{{ \\\"\"\" {{").1, 2, "an empty string, and one that does not end");
        assert_eq!(shape("))){{").1, 2);
    }
}
