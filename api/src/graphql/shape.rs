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
    #[cfg(any(test, fuzzing))]
    #[must_use]
    pub fn of(document: &str) -> Self {
        Self::read(document, Self { tokens: usize::MAX, depth: usize::MAX })
    }

    /// Whether a document is no longer and no deeper than this. It is read no further than to where it is not.
    #[must_use]
    pub fn holds(self, document: &str) -> bool {
        let found = Self::read(document, self);
        !found.exceeds(self)
    }

    const fn exceeds(self, most: Self) -> bool {
        self.tokens > most.tokens || self.depth > most.depth
    }

    fn read(document: &str, most: Self) -> Self {
        let mut shape = Self::default();
        let mut open = 0_usize;
        let mut rest = document;
        let mut blocks = Blocks::default();
        while let Some(first) = rest.chars().next().filter(|_| !shape.exceeds(most)) {
            let length = match first {
                '#' => rest.find(['\n', '\r']).unwrap_or(rest.len()),
                '"' => blocks.string(rest),
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

const FENCE: &str = "\"\"\"";

/// What is known of the block strings of a document.
#[derive(Default)]
struct Blocks {
    /// Whether one has been met that does not end. None that begins later does: it would have ended that one too.
    endless: bool,
}

impl Blocks {
    /// How long the string is with which a text begins. One that does not end ends with its line: the parser comes no further.
    fn string(&mut self, text: &str) -> usize {
        if let Some(block) = text.strip_prefix(FENCE) {
            let mut from = if self.endless { block.len() } else { 0 };
            while let Some(at) = block.get(from..).and_then(|rest| rest.find(FENCE)) {
                let end = from + at;
                if !block.get(..end).unwrap_or_default().ends_with('\\') {
                    return FENCE.len() + end + FENCE.len();
                }
                from = end + FENCE.len();
            }
            self.endless = true;
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
    fn a_document_is_read_once_whatever_does_not_end_in_it() {
        // Each of these fences looks for an end, which took minutes.
        let endless = format!("{{a(b:\"\"\"\n{}", "\\\"\"\"\n".repeat(200_000));
        assert_eq!(shape(&endless), (7 + 3 * 200_000, 2));
    }

    #[test]
    fn what_is_too_large_is_not_read_to_its_end() {
        let most = Shape { tokens: 6, depth: 2 };
        assert!(most.holds("{ viewer { subject } }"));
        assert!(!most.holds("{ viewer { subject name } }"));
        assert!(!most.holds("{{{"));
        let read = Shape::read(&"{ a ".repeat(100), most);
        assert_eq!(read, Shape { tokens: 5, depth: 3 });
    }

    #[test]
    fn nothing_hides_behind_a_string_that_does_not_end() {
        assert_eq!(shape("{ a(b: \"x\n{{{{").1, 6);
        assert_eq!(shape("[\"\"\"\" {{{{").1, 5, "two empty strings, and what follows them");
        assert_eq!(shape("{a(b:\"\"\"{{{{ \\\"\"\" {{").1, 2, "an empty string, and one that does not end");
        assert_eq!(shape("))){{").1, 2);
    }
}
