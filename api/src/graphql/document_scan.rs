//! Measures the tokens and the nesting depth of a document without parsing it.
//!
//! The parser recurses as deep as the document nests, so a deep one would overflow the stack.

/// The size of a document. For one that cannot be parsed, it covers at least what the parser would read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DocumentSize {
    /// Number of tokens.
    pub tokens: usize,
    /// Maximum number of open brackets.
    pub depth: usize,
}

impl DocumentSize {
    /// Measures a document.
    #[cfg(any(test, fuzzing))]
    #[must_use]
    pub fn of(document: &str) -> Self {
        Self::scan(document, Self { tokens: usize::MAX, depth: usize::MAX })
    }

    /// Returns whether a document is within this size. Scans no further than the limit.
    #[must_use]
    pub fn allows(self, document: &str) -> bool {
        let found = Self::scan(document, self);
        !found.exceeds(self)
    }

    const fn exceeds(self, max: Self) -> bool {
        self.tokens > max.tokens || self.depth > max.depth
    }

    fn scan(document: &str, max: Self) -> Self {
        let mut size = Self::default();
        let mut open = 0_usize;
        let mut rest = document;
        let mut block_strings = BlockStrings::default();
        while let Some(first) = rest.chars().next().filter(|_| !size.exceeds(max)) {
            let length = match first {
                '#' => rest.find(['\n', '\r']).unwrap_or(rest.len()),
                '"' => block_strings.string_length(rest),
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
            let is_ignored = first == '#' || first == ',' || first == '\u{feff}' || first.is_whitespace();
            size.tokens += usize::from(!is_ignored);
            size.depth = size.depth.max(open);
            rest = rest.get(length..).unwrap_or_default();
        }
        size
    }
}

const BLOCK_QUOTE: &str = "\"\"\"";

/// The block strings seen so far.
#[derive(Default)]
struct BlockStrings {
    /// Whether one was unterminated. Then no later one is terminated either.
    has_unterminated: bool,
}

impl BlockStrings {
    /// Returns the length of the string at the start of `text`. An unterminated one ends with its line, where
    /// the parser stops.
    fn string_length(&mut self, text: &str) -> usize {
        if let Some(block) = text.strip_prefix(BLOCK_QUOTE) {
            let mut from = if self.has_unterminated { block.len() } else { 0 };
            while let Some(at) = block.get(from..).and_then(|rest| rest.find(BLOCK_QUOTE)) {
                let end = from + at;
                if !block.get(..end).unwrap_or_default().ends_with('\\') {
                    return BLOCK_QUOTE.len() + end + BLOCK_QUOTE.len();
                }
                from = end + BLOCK_QUOTE.len();
            }
            self.has_unterminated = true;
            // The parser sees an empty string and the start of another one.
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
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size_of(document: &str) -> (usize, usize) {
        let DocumentSize { tokens, depth } = DocumentSize::of(document);
        (tokens, depth)
    }

    #[test]
    fn counts_tokens_and_open_brackets() {
        assert_eq!(size_of(""), (0, 0));
        assert_eq!(size_of("{ viewer { subject } }"), (6, 2));
        assert_eq!(size_of("query Q($ids: [ID!]!, $n: Int = 1) { a(b: {c: [[$n]]}) }"), (35, 5));
        assert_eq!(size_of("{a b}{c d}"), (8, 1), "closed brackets do not add up");
    }

    #[test]
    fn ignores_strings_and_comments() {
        for text in [
            r#"{ a(b: "((([[[{{{ and more words") }"#,
            r#"{ a(b: "\"((([[[{{{\\") }"#,
            r#"{ a(b: """((("[[[\"""{{{ " """) }"#,
            "{ a(b: \"\") } # ((((( a b c",
            "{ a(b: \"\") # ((((( a b c\r }",
        ] {
            assert_eq!(size_of(text), (8, 2), "{text}");
        }
    }

    #[test]
    fn scans_a_document_with_unterminated_strings_once() {
        // Each block quote searches for its end, which took minutes.
        let unterminated = format!("{{a(b:\"\"\"\n{}", "\\\"\"\"\n".repeat(200_000));
        assert_eq!(size_of(&unterminated), (7 + 3 * 200_000, 2));
    }

    #[test]
    fn stops_scanning_at_the_limit() {
        let max = DocumentSize { tokens: 6, depth: 2 };
        assert!(max.allows("{ viewer { subject } }"));
        assert!(!max.allows("{ viewer { subject name } }"));
        assert!(!max.allows("{{{"));
        let scanned = DocumentSize::scan(&"{ a ".repeat(100), max);
        assert_eq!(scanned, DocumentSize { tokens: 5, depth: 3 });
    }

    #[test]
    fn counts_what_follows_an_unterminated_string() {
        assert_eq!(size_of("{ a(b: \"x\n{{{{").1, 6);
        assert_eq!(size_of("[\"\"\"\" {{{{").1, 5, "two empty strings, then brackets");
        assert_eq!(size_of("{a(b:\"\"\"{{{{ \\\"\"\" {{").1, 2, "an empty string, then an unterminated one");
        assert_eq!(size_of("))){{").1, 2);
    }
}
