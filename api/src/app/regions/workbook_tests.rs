//! Workbooks in the layouts of different programs.

use std::io::{Cursor, Write};

use zip::{ZipWriter, write::SimpleFileOptions};

use super::{BadWorkbook, rows, workbook};

const OFFICE: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
const STRICT: &str = "http://purl.oclc.org/ooxml/officeDocument/relationships";
const HEAD: [&str; 9] = ["te", "ab", "cd", "ef", "hij", "k", "name_kaz", "name_rus", "nn"];
const OBLAST: [&str; 9] = ["100000000", "10", "00", "00", "000", "0", "Абай облысы", "область Абай", "1"];

fn archive(parts: &[(&str, String)]) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (path, text) in parts {
        archive.start_file(*path, SimpleFileOptions::default()).unwrap();
        archive.write_all(text.as_bytes()).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

fn relations(space: &str, list: &[(&str, &str, &str)]) -> String {
    let one = |(id, kind, target): &(&str, &str, &str)| {
        format!("<Relationship Id=\"{id}\" Type=\"{space}/{kind}\" Target=\"{target}\"/>")
    };
    format!("<Relationships>{}</Relationships>", list.iter().map(one).collect::<String>())
}

fn workbook(sheets: &[&str]) -> String {
    let one = |(number, id): (usize, &&str)| format!("<sheet name=\"{number}\" sheetId=\"{number}\" r:id=\"{id}\"/>");
    format!(
        "<workbook xmlns:r=\"r\"><sheets>{}</sheets></workbook>",
        sheets.iter().enumerate().map(one).collect::<String>()
    )
}

/// Returns a sheet with inline strings.
fn inline(table: &[&[&str]]) -> String {
    let cell = |text: &&str| format!("<c t=\"inlineStr\"><is><t>{text}</t></is></c>");
    let row = |cells: &&[&str]| format!("<row>{}</row>", cells.iter().map(cell).collect::<String>());
    format!("<worksheet><sheetData>{}</sheetData></worksheet>", table.iter().map(row).collect::<String>())
}

/// Returns a sheet with shared strings, and the strings.
fn shared(table: &[&[&str]]) -> (String, String) {
    let texts: Vec<&str> = table.iter().flat_map(|row| row.iter().copied()).collect();
    let mut next = 0..texts.len();
    let mut cell = |_: &&str| format!("<c t=\"s\"><v>{}</v></c>", next.next().unwrap());
    let mut sheet = String::new();
    for row in table {
        sheet += &format!("<row>{}</row>", row.iter().map(&mut cell).collect::<String>());
    }
    let list: String = texts.iter().map(|text| format!("<si><t xml:space=\"preserve\">{text}</t></si>")).collect();
    (format!("<worksheet><sheetData>{sheet}</sheetData></worksheet>"), format!("<sst>{list}</sst>"))
}

fn name(parts: &[(&str, String)]) -> Result<String, String> {
    let rows = rows::from_workbook(&archive(parts)).map_err(|error| match std::error::Error::source(&error) {
        Some(source) => source.to_string(),
        None => error.to_string(),
    })?;
    Ok(rows.into_iter().map(|row| row.kk).collect::<Vec<_>>().join("; "))
}

#[test]
fn parts_are_found_by_their_relationships() {
    let table: [&[&str]; 2] = [&HEAD, &OBLAST];
    let (sheet, texts) = shared(&table);
    let themed = [
        ("rId3", "worksheet", "worksheets/sheet1.xml"),
        ("rId2", "theme", "theme/theme1.xml"),
        ("rId1", "sharedStrings", "sharedStrings.xml"),
    ];
    let spreadsheets = vec![
        ("_rels/.rels", relations(OFFICE, &[("rId1", "officeDocument", "xl/workbook.xml")])),
        ("xl/workbook.xml", workbook(&["rId3"])),
        ("xl/_rels/workbook.xml.rels", relations(OFFICE, &themed)),
        ("xl/sharedStrings.xml", texts.clone()),
        ("xl/worksheets/sheet1.xml", sheet.clone()),
    ];
    let absolute = vec![
        ("_rels/.rels", relations(OFFICE, &[("rId1", "officeDocument", "/xl/workbook.xml")])),
        ("xl/workbook.xml", workbook(&["rId1"])),
        ("xl/_rels/workbook.xml.rels", relations(OFFICE, &[("rId1", "worksheet", "/xl/worksheets/sheet1.xml")])),
        ("xl/worksheets/sheet1.xml", inline(&table)),
    ];
    let renamed = vec![
        (
            "_rels/.rels",
            relations(
                STRICT,
                &[("a", "extended-properties", "x.xml"), ("b", "officeDocument", "book/Main%20Book.xml")],
            ),
        ),
        ("book/main book.xml", workbook(&["s"])),
        (
            "book/_rels/Main Book.xml.rels",
            relations(STRICT, &[("s", "worksheet", "../data/./KATO.xml"), ("t", "sharedStrings", "Texts.XML")]),
        ),
        ("Book/texts.xml", texts.clone()),
        ("data/kato.xml", sheet.clone()),
        // Parts under the usual names are ignored without a relationship.
        ("xl/workbook.xml", workbook(&["rId1"])),
        ("xl/sharedStrings.xml", "<sst/>".to_owned()),
    ];
    let prefixed = vec![
        ("_rels/.rels", relations(OFFICE, &[("rId1", "officeDocument", "workbook.xml")])),
        ("workbook.xml", "<x:workbook xmlns:x=\"x\" xmlns:r=\"r\"><x:sheets><x:sheet r:id=\"chart\"/><x:sheet r:id=\"data\"/></x:sheets></x:workbook>".to_owned()),
        ("_rels/workbook.xml.rels", relations(OFFICE, &[("chart", "chartsheet", "chart.xml"), ("data", "worksheet", "data.xml")])),
        ("chart.xml", "<chartsheet/>".to_owned()),
        ("data.xml", inline(&table)),
    ];
    for parts in [spreadsheets, absolute, renamed, prefixed] {
        assert_eq!(name(&parts).as_deref(), Ok("Абай облысы"), "{parts:?}");
    }
}

#[test]
fn a_part_without_a_relationship_is_missing() {
    let root = |target: &str| ("_rels/.rels", relations(OFFICE, &[("rId1", "officeDocument", target)]));
    let book = ("xl/workbook.xml", workbook(&["rId1"]));
    let list = |list: &[(&str, &str, &str)]| ("xl/_rels/workbook.xml.rels", relations(OFFICE, list));
    let external = "<Relationships><Relationship Id=\"rId1\" Type=\"/worksheet\" Target=\"s.xml\" TargetMode=\"External\"/></Relationships>";
    for (parts, missing) in [
        (vec![book.clone()], "workbook"),
        (vec![root("xl/other.xml"), book.clone()], "workbook"),
        (vec![root("xl/workbook.xml"), book.clone()], "sheet"),
        (vec![root("xl/workbook.xml"), book.clone(), list(&[("rId2", "worksheet", "s.xml")])], "sheet"),
        (vec![root("xl/workbook.xml"), book.clone(), list(&[("rId1", "worksheet", "s.xml")])], "sheet"),
        (
            vec![
                root("xl/workbook.xml"),
                book.clone(),
                ("xl/_rels/workbook.xml.rels", external.to_owned()),
                ("xl/s.xml", String::new()),
            ],
            "sheet",
        ),
        (vec![root("xl/workbook.xml"), book.clone(), list(&[("rId1", "sharedStrings", "t.xml")])], "list of texts"),
    ] {
        assert_eq!(name(&parts), Err(format!("there is no {missing}")));
    }
}

/// Reads a workbook of one sheet.
fn of_rows(table: &[&[&str]]) -> Result<String, String> {
    name(&[
        ("_rels/.rels", relations(OFFICE, &[("rId1", "officeDocument", "xl/workbook.xml")])),
        ("xl/workbook.xml", workbook(&["rId1"])),
        ("xl/_rels/workbook.xml.rels", relations(OFFICE, &[("rId1", "worksheet", "sheet.xml")])),
        ("xl/sheet.xml", inline(table)),
    ])
}

#[test]
fn a_row_may_omit_empty_cells_but_not_exceed_the_heading() {
    let row = |cells: usize| -> Vec<&str> { OBLAST.into_iter().chain(["", " ", "x"]).take(cells).collect() };
    for cells in [8, 9, 10, 11] {
        assert_eq!(of_rows(&[&HEAD, &row(cells)]).as_deref(), Ok("Абай облысы"), "{cells} cells");
    }
    let wide = "row 2: it has 12 cells where the heading has 9: is a comma not quoted?";
    assert_eq!(of_rows(&[&HEAD, &row(12)]).unwrap_err(), wide);
    let mut far = vec![""; 200];
    far.splice(..9, OBLAST);
    far[199] = "x";
    assert!(of_rows(&[&HEAD, &far]).unwrap_err().starts_with("row 2: it has 33 cells where the heading has 9"));
}

#[test]
fn unpacking_is_bounded() {
    let parts = [
        ("_rels/.rels", relations(OFFICE, &[("rId1", "officeDocument", "xl/workbook.xml")])),
        ("xl/_rels/workbook.xml.rels", relations(OFFICE, &[("rId1", "sharedStrings", "texts.xml")])),
        ("xl/texts.xml", " ".repeat(workbook::MAX_BYTES + 1)),
    ];
    let packed = archive(&parts);
    assert!(packed.len() < 100_000);
    assert!(matches!(workbook::cells(&packed), Err(BadWorkbook::TooLarge)));
}
