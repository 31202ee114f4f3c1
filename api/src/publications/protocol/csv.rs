//! The questions of a protocol as CSV (RFC 4180), for spreadsheets.

use std::borrow::Cow;

use csv::{Terminator, WriterBuilder};

use crate::{
    domain::{
        announcement,
        protocol::{Protocol, ProtocolQuestion, ProtocolScope},
    },
    publications::{PageLanguage, RenderError},
};

/// The byte order mark, by which spreadsheets recognise UTF-8.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// What a formula begins with in spreadsheets, in their wide forms too.
const FORMULA_STARTS: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];

/// Those of them that begin one after a separator within a cell.
const FORMULA_SIGNS: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];
/// What spreadsheets take for the end of a cell.
const SEPARATORS: [char; 5] = [';', ',', '\t', '\r', '\n'];

/// The keys of the names of columns, which everybody is shown.
const COLUMNS: [&str; 10] = [
    "page-column-receipt",
    "page-column-received",
    "page-column-text",
    "page-column-author",
    "page-column-platform",
    "page-column-state",
    "page-column-votes",
    "page-column-answer",
    "page-column-answered",
    "page-column-issue",
];

/// The keys of the names of columns for staff.
const STAFF_COLUMNS: [&str; 3] = ["page-column-reason", "page-column-body", "page-column-merged"];

/// Renders the questions of a protocol as CSV in UTF-8, with the names of columns in a language.
///
/// # Errors
/// When the file cannot be written.
pub fn csv(protocol: &Protocol, language: PageLanguage) -> Result<Vec<u8>, RenderError> {
    let is_staff = protocol.scope == ProtocolScope::Staff;
    let mut writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(BYTE_ORDER_MARK.to_vec());
    let staff_columns = STAFF_COLUMNS.iter().filter(|_| is_staff);
    writer.write_record(COLUMNS.iter().chain(staff_columns).map(|key| language.text(key)))?;
    for question in &protocol.questions {
        for cell in cells(question, language) {
            writer.write_field(neutralized(&cell).as_bytes())?;
        }
        for cell in staff_cells(question, language).iter().filter(|_| is_staff) {
            writer.write_field(neutralized(cell).as_bytes())?;
        }
        writer.write_record(None::<&[u8]>)?;
    }
    writer.into_inner().map_err(|_| RenderError::Unfinished)
}

fn cells(question: &ProtocolQuestion, language: PageLanguage) -> [Cow<'_, str>; COLUMNS.len()] {
    let time = |at| announcement::local(at).format("%Y-%m-%d %H:%M:%S").to_string();
    [
        question.receipt.as_str().into(),
        time(question.received_at).into(),
        question.body.as_str().into(),
        question.author.as_str().into(),
        language.platform(question.platform).into(),
        language.state_called(question.state.as_str()).into(),
        question.votes.to_string().into(),
        question.answer.as_deref().unwrap_or_default().into(),
        question.answered_at.map(time).unwrap_or_default().into(),
        question.issue.as_deref().unwrap_or_default().into(),
    ]
}

fn staff_cells(question: &ProtocolQuestion, language: PageLanguage) -> [&str; STAFF_COLUMNS.len()] {
    question.decision.as_ref().map_or([""; STAFF_COLUMNS.len()], |decision| {
        [
            decision.reason.as_deref().unwrap_or_default(),
            decision.body.as_ref().map_or("", |body| language.unit(body)),
            decision.merged_into.as_deref().unwrap_or_default(),
        ]
    })
}

/// Puts an apostrophe before what a spreadsheet would take for a formula, so that it is shown as text.
///
/// Also after separators: with the settings of this country, a spreadsheet splits lines at semicolons, within quotes too.
fn neutralized(cell: &str) -> Cow<'_, str> {
    let mut text = String::new();
    let (mut may_start, mut copied) = (true, 0);
    for (at, c) in cell.char_indices() {
        let starts: &[char] = if at == 0 { &FORMULA_STARTS } else { &FORMULA_SIGNS };
        if may_start && starts.contains(&c) {
            text.push_str(cell.get(copied..at).unwrap_or_default());
            text.push('\'');
            copied = at;
        }
        may_start = SEPARATORS.contains(&c) || (may_start && c == ' ' && at > 0);
    }
    if text.is_empty() {
        return cell.into();
    }
    text.push_str(cell.get(copied..).unwrap_or_default());
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_that_look_like_formulas_become_text() {
        for formula in ["=1+1", "+7 700", "-1", "@SUM(A1)", "\tx", "\rx", "\nx", "＝1"] {
            assert_eq!(neutralized(formula), format!("'{formula}"));
        }
        for (written, shown) in [
            ("a;=1", "a;'=1"),
            ("\n=1", "'\n'=1"),
            ("Су қашан?; =cmd|'/C calc'!A0", "Су қашан?; '=cmd|'/C calc'!A0"),
            ("a\n=1+1", "a\n'=1+1"),
            ("a,@x;-1", "a,'@x;'-1"),
        ] {
            assert_eq!(neutralized(written), shown);
        }
        for text in ["", "Су қашан?", "a=b", "'=1", "Q-0001", "бір\n\nекі; үш, төрт"] {
            assert_eq!(neutralized(text), text);
        }
    }
}
