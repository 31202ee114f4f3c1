//! Reads the text and numbers of a workbook's first sheet (ECMA-376).
//!
//! The sizes that a file declares are ignored: memory grows with the actual content, up to fixed limits.

use quick_xml::{escape::resolve_xml_entity, events::Event};

use crate::app::regions::{
    package::Package,
    workbook_xml::{BadWorkbook, attribute, each_element, reader},
};

/// A row's number in the file and its cells.
pub(in crate::app::regions) type Cells = (usize, Vec<String>);

/// Unpacked bytes and text bytes that are read. The official sheet has seven million.
pub(in crate::app::regions) const MAX_BYTES: usize = 32 << 20;
/// Rows that are read. The official file has 15,595.
const MAX_ROWS: usize = 100_000;
/// Columns that are read. The official file has nine; cells further to the right count as one more column.
const MAX_COLUMNS: usize = 32;

/// Reads the rows with their numbers. Rows without cells are left out.
pub(in crate::app::regions) fn cells(bytes: &[u8]) -> Result<Vec<Cells>, BadWorkbook> {
    let mut package = Package::open(bytes, MAX_BYTES)?;
    let workbook = package.target("", |relation| relation.is("officeDocument"))?;
    let workbook = workbook.ok_or(BadWorkbook::Missing("workbook"))?;
    let texts = match package.target(&workbook, |relation| relation.is("sharedStrings"))? {
        Some(path) => shared_strings(&package.part(&path)?.ok_or(BadWorkbook::Missing("list of texts"))?)?,
        None => Vec::new(),
    };
    let book = package.part(&workbook)?.ok_or(BadWorkbook::Missing("workbook"))?;
    let mut sheet = None;
    for id in each_element(&book, "sheet", |sheet| attribute(sheet, "id"))? {
        // The first sheet may be a chart.
        sheet = package.target(&workbook, |relation| relation.id == id && relation.is("worksheet"))?;
        if sheet.is_some() {
            break;
        }
    }
    let sheet = sheet.ok_or(BadWorkbook::Missing("sheet"))?;
    let sheet = package.part(&sheet)?.ok_or(BadWorkbook::Missing("sheet"))?;
    Sheet { texts: &texts, left: MAX_BYTES, rows: Vec::new() }.read(&sheet)
}

/// Collects the text of `t` and `v` elements, without phonetic text.
#[derive(Default)]
struct TextCollector {
    so_far: String,
    /// Raw text of the open element.
    piece: String,
    open: bool,
    pronounced: bool,
}

impl TextCollector {
    fn feed(&mut self, event: &Event<'_>) -> Result<(), BadWorkbook> {
        match event {
            Event::Start(start) => self.enter(start.local_name().as_ref(), true),
            Event::End(end) => self.enter(end.local_name().as_ref(), false),
            _ if !self.open || self.pronounced => {}
            Event::Text(text) => self.piece += &text.decode().map_err(quick_xml::Error::from)?,
            Event::CData(text) => self.piece += &text.decode().map_err(quick_xml::Error::from)?,
            Event::GeneralRef(reference) => match reference.resolve_char_ref()? {
                Some(c) => self.piece.push(c),
                None => {
                    let name = reference.decode().map_err(quick_xml::Error::from)?;
                    self.piece += resolve_xml_entity(&name).unwrap_or_default();
                }
            },
            _ => {}
        }
        Ok(())
    }

    fn enter(&mut self, name: &[u8], inside: bool) {
        match name {
            b"t" | b"v" => {
                self.open = inside;
                self.so_far += &unescaped(&std::mem::take(&mut self.piece));
            }
            b"rPh" => self.pronounced = inside,
            _ => {}
        }
    }
}

/// Decodes `_xHHHH_` escapes as UTF-16 (ECMA-376, ST_Xstring). Invalid escapes stay.
fn unescaped(text: &str) -> String {
    let (mut whole, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, after)) = rest.split_once("_x") {
        whole.push_str(before);
        let one = unit(after);
        let two = one.and_then(|(high, rest)| Some((high, unit(rest.strip_prefix("_x")?)?)));
        let decoded = match (one, two) {
            (Some((one, rest)), _) if char::from_u32(one.into()).is_some() => {
                char::from_u32(one.into()).zip(Some(rest))
            }
            (_, Some((high, (low, rest)))) => {
                char::decode_utf16([high, low]).next().and_then(Result::ok).zip(Some(rest))
            }
            _ => None,
        };
        let (c, after) = decoded.unwrap_or(('_', rest.get(before.len() + 1..).unwrap_or_default()));
        whole.push(c);
        rest = after;
    }
    whole + rest
}

/// Splits off four hexadecimal digits and the underscore after them.
fn unit(text: &str) -> Option<(u16, &str)> {
    let (digits, rest) = text.split_at_checked(4)?;
    let rest = rest.strip_prefix('_')?;
    let hexadecimal = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    hexadecimal.then(|| u16::from_str_radix(digits, 16).ok())?.map(|unit| (unit, rest))
}

/// Reads the shared strings.
fn shared_strings(xml: &[u8]) -> Result<Vec<String>, BadWorkbook> {
    let (mut reader, mut texts, mut text) = (reader(xml), Vec::new(), TextCollector::default());
    loop {
        let event = reader.read_event()?;
        text.feed(&event)?;
        match event {
            Event::End(end) if end.local_name().as_ref() == b"si" => texts.push(std::mem::take(&mut text.so_far)),
            Event::Eof => return Ok(texts),
            _ => {}
        }
    }
}

/// State of reading a sheet.
struct Sheet<'a> {
    texts: &'a [String],
    /// Remaining bytes of text.
    left: usize,
    rows: Vec<Cells>,
}

/// Position and type of the open cell.
#[derive(Default)]
struct CellPosition {
    column: usize,
    kind: Option<String>,
}

impl Sheet<'_> {
    fn read(mut self, xml: &[u8]) -> Result<Vec<Cells>, BadWorkbook> {
        let (mut reader, mut text, mut position) = (reader(xml), TextCollector::default(), CellPosition::default());
        let (mut line, mut next) = (0, 0);
        loop {
            let event = reader.read_event()?;
            text.feed(&event)?;
            match event {
                Event::Start(start) => match start.local_name().as_ref() {
                    b"row" => {
                        let said = attribute(&start, "r")?.map(|number| number.parse());
                        line = said.transpose().map_err(|_| BadWorkbook::Cell(line))?.unwrap_or(line + 1);
                        if line > MAX_ROWS || self.rows.len() >= MAX_ROWS {
                            return Err(BadWorkbook::TooLarge);
                        }
                        self.rows.push((line, Vec::new()));
                        next = 0;
                    }
                    b"c" => {
                        let said = attribute(&start, "r")?.map(|name| column(&name).ok_or(BadWorkbook::Cell(line)));
                        position =
                            CellPosition { column: said.transpose()?.unwrap_or(next), kind: attribute(&start, "t")? };
                        next = position.column + 1;
                        text.so_far.clear();
                    }
                    _ => {}
                },
                Event::End(end) if end.local_name().as_ref() == b"c" => {
                    let value = std::mem::take(&mut text.so_far);
                    let value = self.value(&position, value).ok_or(BadWorkbook::Cell(line))?;
                    self.put(position.column, value)?;
                }
                Event::Eof => break,
                _ => {}
            }
        }
        self.rows.retain(|(_, cells)| !cells.is_empty());
        Ok(self.rows)
    }

    fn value(&self, position: &CellPosition, text: String) -> Option<String> {
        match position.kind.as_deref() {
            // An empty cell may still have a type.
            Some("s") if text.is_empty() => Some(text),
            Some("s") => self.texts.get(text.trim().parse::<usize>().ok()?).cloned(),
            // A spreadsheet may store codes as numbers.
            None | Some("n") => match text.trim().parse::<f64>() {
                Ok(number) if number.is_finite() => Some(format!("{number:.0}")),
                _ => Some(text),
            },
            Some(_) => Some(text),
        }
    }

    fn put(&mut self, column: usize, value: String) -> Result<(), BadWorkbook> {
        let Some((_, cells)) = self.rows.last_mut() else { return Ok(()) };
        if value.is_empty() {
            return Ok(());
        }
        let column = column.min(MAX_COLUMNS);
        self.left = self.left.checked_sub(value.len()).ok_or(BadWorkbook::TooLarge)?;
        if cells.len() <= column {
            cells.resize(column + 1, String::new());
        }
        if let Some(cell) = cells.get_mut(column) {
            *cell = value;
        }
        Ok(())
    }
}

/// Returns the column of a cell reference, from 0: `A7`, `XFD12`.
fn column(name: &str) -> Option<usize> {
    let letters = name.trim_end_matches(|c: char| c.is_ascii_digit()).as_bytes();
    if letters.is_empty() || letters.len() > 3 || !letters.iter().all(u8::is_ascii_uppercase) {
        return None;
    }
    letters
        .iter()
        .try_fold(0, |column, letter| Some(column * 26 + usize::from(letter.checked_sub(b'A')?) + 1))?
        .checked_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sheet(rows: &str, texts: &str) -> Result<Vec<Cells>, BadWorkbook> {
        let texts = shared_strings(format!("<sst uniqueCount=\"99999999999999999\">{texts}</sst>").as_bytes())?;
        let xml = format!("<worksheet><dimension ref=\"A1:XFD1048576\"/><sheetData>{rows}</sheetData></worksheet>");
        Sheet { texts: &texts, left: 1000, rows: Vec::new() }.read(xml.as_bytes())
    }

    fn one(cell: &str, texts: &str) -> String {
        let rows = sheet(&format!("<row>{cell}</row>"), texts).unwrap();
        rows.first().map_or_else(String::new, |(_, cells)| cells.join("|"))
    }

    #[test]
    fn reads_every_cell_type() {
        assert_eq!(one("<c><v>100000000</v></c>", ""), "100000000");
        assert_eq!(one("<c t=\"n\"><v>1.00000000E8</v></c>", ""), "100000000");
        assert_eq!(one("<c t=\"str\"><f>1+1</f><v>007</v></c>", ""), "007", "a formula is not its value");
        assert_eq!(one("<c t=\"inlineStr\"><is><t>а &amp; &#x431;&#1074;</t></is></c>", ""), "а & бв");
        assert_eq!(one("<c t=\"inlineStr\"><is><t><![CDATA[<а>]]></t></is></c>", ""), "<а>");
        let rich = "<si><r><t>Аб</t></r><r><rPr/><t>ай</t></r><rPh sb=\"0\"><t>abai</t></rPh></si>";
        assert_eq!(one("<c t=\"s\"><v>1</v></c>", &format!("<si/>{rich}")), "Абай", "without how it is pronounced");
        assert_eq!(one("<x:c r=\"C1\" t=\"s\"><x:v>0</x:v></x:c><c t=\"s\"/>", rich), "||Абай", "with any prefix");
    }

    #[test]
    fn places_rows_and_columns_by_their_references() {
        let rows =
            sheet("<row r=\"3\"><c r=\"B3\"><v>1</v></c><c><v>2</v></c></row><row/><row><c><v>3</v></c></row>", "");
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        assert_eq!(rows.unwrap(), [(3, texts(&["", "1", "2"])), (5, texts(&["3"]))]);
        let names = ["A1", "Z9", "AA1", "XFD1048576", "a1", "1", "", "AAAA1", "Б1"];
        let columns = [Some(0), Some(25), Some(26), Some(16_383), None, None, None, None, None];
        assert_eq!(names.map(column), columns);
    }

    #[test]
    fn bounds_memory_by_content_not_by_declared_size() {
        assert_eq!(one("<c r=\"XFD1\"><v>1</v></c>", ""), format!("{}1", "|".repeat(MAX_COLUMNS)));
        assert!(matches!(sheet("<row r=\"1048576\"/>", ""), Err(BadWorkbook::TooLarge)));
        let long = format!("<si><t>{}</t></si>", "а".repeat(100));
        let many = "<c t=\"s\"><v>0</v></c>".repeat(6);
        assert!(
            matches!(sheet(&format!("<row>{many}</row>"), &long), Err(BadWorkbook::TooLarge)),
            "one text, many times"
        );
        assert!(matches!(sheet("<row><c t=\"s\"><v>7</v></c></row>", ""), Err(BadWorkbook::Cell(1))));
        assert!(matches!(sheet("<row r=\"x\"/>", ""), Err(BadWorkbook::Cell(0))));
    }

    #[test]
    fn decodes_escaped_characters() {
        for (escaped, plain) in [
            ("а_x000D_б", "а\rб"),
            ("_x0041__x0042_", "AB"),
            ("_x005F_x0041_", "_x0041_"),
            ("_xD83D__xDE00_!", "😀!"),
            ("_xD83D_ _xDE00_", "_xD83D_ _xDE00_"),
            ("_x41_ _xGGGG_ _x0041 __x0042_", "_x41_ _xGGGG_ _x0041 _B"),
            ("_xD83D__x0041_", "_xD83D_A"),
            ("a_b_", "a_b_"),
            ("_x+041_", "_x+041_"),
        ] {
            assert_eq!(unescaped(escaped), plain);
            let cell = format!("<c t=\"inlineStr\"><is><t>{escaped}</t></is></c>");
            assert_eq!(one(&cell, ""), plain);
            assert_eq!(one("<c t=\"s\"><v>0</v></c>", &format!("<si><t>{escaped}</t></si>")), plain);
        }
        assert_eq!(
            one("<c t=\"inlineStr\"><is><r><t>_x00</t></r><r><t>41_</t></r></is></c>", ""),
            "_x0041_",
            "each run by itself"
        );
    }
}
