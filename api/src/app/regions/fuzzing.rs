//! Invariants of the import that hold for any file.

use std::{
    io::{Cursor, Write},
    sync::LazyLock,
};

use chrono::NaiveDate;
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use crate::{
    app::regions::{BadFile, ImportReport, Row, edition, rows},
    domain::regions::{Tree, diff, embedded},
};

const WORKBOOK: &str = r#"<workbook><sheets><sheet name="KATO" sheetId="1" r:id="rId1"/></sheets></workbook>"#;
const ROOT: &str =
    r#"<Relationships><Relationship Id="rId1" Type="/officeDocument" Target="xl/workbook.xml"/></Relationships>"#;
const RELATIONS: &str = r#"<Relationships><Relationship Id="rId1" Type="/worksheet" Target="worksheets/sheet1.xml"/>
    <Relationship Id="rId2" Type="/sharedStrings" Target="sharedStrings.xml"/></Relationships>"#;

static CURRENT: LazyLock<Option<Tree>> = LazyLock::new(|| Tree::build(embedded()).ok());

/// Imports a file as far as possible without a database, and returns whether it is valid.
///
/// Archives are read as workbooks, XML as a sheet with its shared strings, anything else as CSV.
pub fn regions(input: &[u8]) -> bool {
    let read = if input.starts_with(b"PK") {
        rows::from_workbook(input)
    } else if input.starts_with(b"<") {
        rows::from_workbook(&packed(input))
    } else {
        rows::from_csv(input)
    };
    read.and_then(|rows| import(&rows)).is_ok()
}

fn import(rows: &[Row]) -> Result<(), BadFile> {
    let (units, warnings) = edition(rows)?;
    assert_eq!(units.len(), rows.len(), "every row becomes a unit");
    assert!(units.iter().all(|unit| !unit.names.kk.is_empty() && !unit.names.ru.is_empty()));
    let tree = Tree::build(units.clone());
    assert!(tree.is_ok(), "an edition is a tree: {:?}", tree.err());
    let day = NaiveDate::default();
    if let Some(current) = &*CURRENT {
        let changes = diff(current, units.clone(), day, None);
        assert!(changes.is_ok(), "an edition can follow the embedded units");
        if let Ok(changes) = changes {
            let stay = current.len() - changes.ended.len();
            assert!(units.len() - changes.added.len() == stay, "every unit stays, comes or ends");
            let report = ImportReport::new(&units, changes, warnings, true).to_string();
            assert!(report.starts_with(&format!("{} units", units.len())));
        }
    }
    let again = tree.ok().and_then(|tree| diff(&tree, units, day, Some(day)).ok());
    assert!(again.is_some_and(|changes| changes.is_empty()), "the same edition again changes nothing");
    Ok(())
}

/// Packs a sheet into a workbook. What starts with `<sst` are the shared strings.
fn packed(xml: &[u8]) -> Vec<u8> {
    let at = xml.windows(4).position(|part| part == b"<sst").unwrap_or(xml.len());
    let (sheet, texts) = xml.split_at(at);
    let texts = if texts.is_empty() { b"<sst/>" } else { texts };
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let parts = [
        ("_rels/.rels", ROOT.as_bytes()),
        ("xl/workbook.xml", WORKBOOK.as_bytes()),
        ("xl/_rels/workbook.xml.rels", RELATIONS.as_bytes()),
        ("xl/worksheets/sheet1.xml", sheet),
        ("xl/sharedStrings.xml", texts),
    ];
    for (path, bytes) in parts.into_iter().filter(|(_, bytes)| !bytes.is_empty()) {
        let written = archive.start_file(path, stored).is_ok() && archive.write_all(bytes).is_ok();
        assert!(written, "{path} cannot be packed");
    }
    archive.finish().map(Cursor::into_inner).unwrap_or_default()
}
