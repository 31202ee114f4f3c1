//! Tables as text: a header, and fields that are separated by tabs.

use std::collections::HashMap;

/// Why a text is not the expected table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTsv {
    /// There is no header.
    #[error("the file is empty")]
    Empty,
    /// A column is missing.
    #[error("the header has no column {0}")]
    MissingColumn(&'static str),
    /// A column is unknown.
    #[error("the header has an unknown column {0:?}")]
    UnknownColumn(String),
    /// A column is there twice.
    #[error("the header has the column {0} twice")]
    DoubledColumn(String),
    /// A row has fewer or more fields than the header.
    #[error("line {line} has {found} fields instead of {expected}")]
    Fields {
        /// Number of the line, from 1.
        line: usize,
        /// Number of its fields.
        found: usize,
        /// Number of columns.
        expected: usize,
    },
}

/// A row of a table.
#[derive(Clone, Debug)]
pub struct TsvRow<'a> {
    /// Number of the line, from 1 for the header.
    pub line: usize,
    fields: HashMap<&'a str, &'a str>,
}

impl<'a> TsvRow<'a> {
    /// Returns a field without spaces around it, or `None` if it is empty or the table has no such column.
    #[must_use]
    pub fn get(&self, column: &str) -> Option<&'a str> {
        self.fields.get(column).copied().filter(|field| !field.is_empty())
    }

    /// Returns whether the table has a column.
    #[must_use]
    pub fn has(&self, column: &str) -> bool {
        self.fields.contains_key(column)
    }
}

/// Reads a table whose header names the columns, in any order. Blank lines are skipped.
///
/// # Errors
/// When a required column is missing, a column is unknown, or a row has another number of fields.
pub fn read_tsv<'a>(text: &'a str, required: &[&'static str], optional: &[&str]) -> Result<Vec<TsvRow<'a>>, BadTsv> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = text.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty());
    let (header, _) = lines.next().ok_or(BadTsv::Empty)?;
    let columns = fields(header);
    for (at, column) in columns.iter().enumerate() {
        if columns.iter().take(at).any(|other| other == column) {
            return Err(BadTsv::DoubledColumn((*column).to_owned()));
        }
        if !required.contains(column) && !optional.contains(column) {
            return Err(BadTsv::UnknownColumn((*column).to_owned()));
        }
    }
    if let Some(missing) = required.iter().find(|column| !columns.contains(column)) {
        return Err(BadTsv::MissingColumn(missing));
    }
    lines
        .map(|(text, line)| {
            let found = fields(text);
            if found.len() != columns.len() {
                return Err(BadTsv::Fields { line, found: found.len(), expected: columns.len() });
            }
            Ok(TsvRow { line, fields: columns.iter().copied().zip(found).collect() })
        })
        .collect()
}

fn fields(line: &str) -> Vec<&str> {
    line.split('\t').map(str::trim).collect()
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    #[test]
    fn reads_fields_by_the_names_of_columns() {
        let rows = read_tsv("\u{feff}b\ta\r\n\r\n 1 \t\r\n", &["a", "b"], &[]).unwrap();
        let [row] = rows.as_slice() else { panic!("{rows:?}") };
        assert_eq!((row.line, row.get("b"), row.get("a"), row.get("c")), (3, Some("1"), None, None));
        assert!(row.has("a") && !row.has("c"));
    }

    #[test]
    fn rejects_other_tables() {
        for (text, why) in [
            ("", "the file is empty"),
            ("\n \n", "the file is empty"),
            ("a\n", "the header has no column b"),
            ("a\tb\tc\n", "the header has an unknown column \"c\""),
            ("a\tb\ta\n", "the header has the column a twice"),
            ("a\tb\n1\n", "line 2 has 1 fields instead of 2"),
            ("a\tb\n1\t2\n1\t2\t3\n", "line 3 has 3 fields instead of 2"),
        ] {
            assert_eq!(read_tsv(text, &["a", "b"], &["d"]).unwrap_err().to_string(), why, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn reads_back_what_is_written(rows in vec(("[а-яa-z]([а-яa-z ]{0,8}[а-яa-z])?", "[0-9]{0,4}"), 0..20)) {
            let lines: String = rows.iter().map(|(a, b)| format!("{b}\t{a}\n")).collect();
            let text = format!("b\ta\n{lines}");
            let read = read_tsv(&text, &["a", "b"], &[]).unwrap();
            prop_assert_eq!(read.len(), rows.len());
            for (row, (a, b)) in read.iter().zip(&rows) {
                prop_assert_eq!(row.get("a"), Some(a.as_str()));
                prop_assert_eq!(row.get("b").unwrap_or_default(), b.as_str());
            }
        }

        #[test]
        fn any_text_is_read_or_rejected(text in "(a|b|\t|\n|\r|\\PC){0,60}") {
            if let Ok(rows) = read_tsv(&text, &["a"], &["b"]) {
                prop_assert!(rows.iter().all(|row| row.has("a")));
            }
        }
    }
}
