//! Reads the official file, as a workbook or as CSV.

use std::{
    collections::{HashMap, HashSet},
    fs::File,
    io::Read,
    path::Path,
};

use entities::kato::KatoCode;
use unicode_normalization::UnicodeNormalization;

use crate::{
    app::regions::{
        workbook::{self, Cells},
        workbook_xml::BadWorkbook,
    },
    domain::{
        characters::{is_direction_control, is_invisible},
        text::is_longer_than,
    },
};

/// The largest file, in bytes. The official one has about one million.
const MAX_FILE_BYTES: usize = 16 << 20;
/// The longest name, in characters. The longest official one has 39.
const MAX_NAME_LENGTH: usize = 200;
const COLUMNS: [&str; 9] = ["te", "ab", "cd", "ef", "hij", "k", "name_kaz", "name_rus", "nn"];

/// A row of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Row number in the file, from 1.
    pub line: usize,
    /// Classifier code.
    pub code: KatoCode,
    /// Published name in Kazakh, cleaned.
    pub kk: String,
    /// Published name in Russian, cleaned.
    pub ru: String,
}

/// Why a file cannot be imported. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum BadFile {
    /// The file cannot be opened.
    #[error("the file cannot be opened")]
    Unreadable(#[from] std::io::Error),
    /// The file is too large.
    #[error("the file is larger than any edition")]
    TooLarge,
    /// The file is not a valid workbook.
    #[error("the file is not a workbook of the official layout")]
    Workbook(#[from] BadWorkbook),
    /// The file is not well-formed CSV.
    #[error("the file is not a well-formed CSV")]
    Csv(#[from] csv::Error),
    /// The file is neither `.xlsx` nor `.csv`.
    #[error("the file is neither .xlsx nor .csv")]
    Format,
    /// A column is missing.
    #[error("row {line}: there is no column \"{name}\"")]
    Column {
        /// Row of the heading.
        line: usize,
        /// Name of the column.
        name: &'static str,
    },
    /// The heading has a duplicate column.
    #[error("row {line}: the heading \"{name}\" stands twice")]
    Heading {
        /// Row of the heading.
        line: usize,
        /// Name of the column.
        name: String,
    },
    /// A row has more or fewer cells than the heading.
    #[error("row {line}: it has {cells} cells where the heading has {heading}: is a comma not quoted?")]
    Width {
        /// The row.
        line: usize,
        /// Number of cells in the row.
        cells: usize,
        /// Number of cells in the heading.
        heading: usize,
    },
    /// The file has no rows.
    #[error("the file holds no units")]
    Empty,
    /// The last row of a CSV is incomplete.
    #[error("row {line}: the file ends in the middle of the row: it was cut off")]
    CutOff {
        /// The row.
        line: usize,
    },
    /// A code is malformed, or does not match its parts.
    #[error("row {line}: \"{code}\" is not a classifier code of nine digits that its parts make up")]
    Code {
        /// The row.
        line: usize,
        /// The cell's text.
        code: String,
    },
    /// A code occurs twice.
    #[error("row {line}: the code {code} is in row {first} already")]
    Doubled {
        /// The row.
        line: usize,
        /// The code.
        code: KatoCode,
        /// Row of the first occurrence.
        first: usize,
    },
    /// The file contains no unit above this one.
    #[error("row {line}: nothing in the file stands above {code}")]
    NoParent {
        /// The row.
        line: usize,
        /// The code.
        code: KatoCode,
    },
    /// A name is missing.
    #[error("row {line}: the unit {code} has no name")]
    NoName {
        /// The row.
        line: usize,
        /// The code.
        code: KatoCode,
    },
    /// A name contains a control or direction character.
    #[error("row {line}: a name of {code} holds the character U+{character:04X}, which cannot be seen")]
    Character {
        /// The row.
        line: usize,
        /// The code.
        code: KatoCode,
        /// The character.
        character: u32,
    },
    /// A name is too long.
    #[error("row {line}: a name of {code} has more than {max} letters")]
    LongName {
        /// The row.
        line: usize,
        /// The code.
        code: KatoCode,
        /// The longest allowed name.
        max: usize,
    },
    /// A unit's kind cannot be derived from its code and name.
    #[error("row {line}: what {code} is cannot be told from \"{name}\"")]
    Kind {
        /// The row.
        line: usize,
        /// The code.
        code: KatoCode,
        /// The published name.
        name: String,
    },
}

/// Reads the rows of a file.
///
/// # Errors
/// When the file is not in the official layout, or a row is malformed.
pub(in crate::app::regions) fn read(file: &Path) -> Result<Vec<Row>, BadFile> {
    let ending = file.extension().map(|ending| ending.to_string_lossy().to_lowercase());
    // Read in each branch, so that an unknown format is reported before a missing file.
    match ending.as_deref() {
        Some("xlsx") => from_workbook(&read_bounded(file)?),
        Some("csv") => from_csv(&read_bounded(file)?),
        _ => Err(BadFile::Format),
    }
}

fn read_bounded(file: &Path) -> Result<Vec<u8>, BadFile> {
    let mut bytes = Vec::new();
    let most = u64::try_from(MAX_FILE_BYTES).unwrap_or(u64::MAX);
    File::open(file)?.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() > MAX_FILE_BYTES { Err(BadFile::TooLarge) } else { Ok(bytes) }
}

/// Reads the rows of a workbook.
pub(in crate::app::regions) fn from_workbook(bytes: &[u8]) -> Result<Vec<Row>, BadFile> {
    let mut cells = workbook::cells(bytes)?;
    // Trailing empty cells are optional.
    for (_, cells) in &mut cells {
        let filled = cells.iter().rposition(|cell| !cell.trim().is_empty()).map_or(0, |last| last + 1);
        cells.truncate(filled);
    }
    let width = cells.first().map_or(0, |(_, heading)| heading.len());
    for (_, cells) in cells.iter_mut().filter(|(_, cells)| cells.len() < width) {
        cells.resize(width, String::new());
    }
    rows(&cells)
}

/// Reads the rows of a CSV.
pub(in crate::app::regions) fn from_csv(bytes: &[u8]) -> Result<Vec<Row>, BadFile> {
    let cells = comma_separated(bytes)?;
    // A truncated workbook is not a valid archive, but a truncated CSV looks like a shorter one.
    let last = cells.iter().rev().find(|(_, cells)| !is_blank(cells));
    match (cells.first(), last) {
        (Some((_, heading)), Some((line, last))) if last.len() < heading.len() => Err(BadFile::CutOff { line: *line }),
        _ => rows(&cells),
    }
}

fn comma_separated(bytes: &[u8]) -> Result<Vec<Cells>, BadFile> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes);
    let mut cells = Vec::new();
    for record in reader.records() {
        let record = record?;
        let line = record.position().map_or(0, |at| line_of(bytes, at));
        cells.push((line, record.iter().map(str::to_owned).collect()));
    }
    Ok(cells)
}

/// Returns the line of a record. The reader reports the first of the blank lines before it.
fn line_of(bytes: &[u8], at: &csv::Position) -> usize {
    let from = usize::try_from(at.byte()).ok().and_then(|byte| bytes.get(byte..)).unwrap_or_default();
    let blank = from.iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).filter(|byte| **byte == b'\n').count();
    usize::try_from(at.line()).unwrap_or_default() + blank
}

fn rows(cells: &[Cells]) -> Result<Vec<Row>, BadFile> {
    let Some(((line, heading), body)) = cells.split_first() else { return Err(BadFile::Empty) };
    let place = columns(*line, heading)?;
    let mut seen = HashMap::new();
    let mut rows = Vec::with_capacity(body.len());
    for (line, cells) in body {
        let line = *line;
        if is_blank(cells) {
            continue;
        }
        if cells.len() != heading.len() {
            return Err(BadFile::Width { line, cells: cells.len(), heading: heading.len() });
        }
        let cell = |name| place.get(name).and_then(|at| cells.get(*at)).map_or("", |cell| cell.trim());
        let wide = |name, width: usize| format!("{:0>width$}", cell(name));
        let made_up = format!("{}{}{}{}", wide("ab", 2), wide("cd", 2), wide("ef", 2), wide("hij", 3));
        let bad = || BadFile::Code { line, code: cell("te").to_owned() };
        let code: KatoCode = cell("te").parse().map_err(|_| bad())?;
        if made_up != code.as_str() {
            return Err(bad());
        }
        if let Some(first) = seen.insert(code, line) {
            return Err(BadFile::Doubled { line, code, first });
        }
        let name = |column| name(cell(column), line, code);
        rows.push(Row { line, code, kk: name("name_kaz")?, ru: name("name_rus")? });
    }
    if rows.is_empty() { Err(BadFile::Empty) } else { Ok(rows) }
}

/// Returns the index of each official column.
fn columns(line: usize, heading: &[String]) -> Result<HashMap<&'static str, usize>, BadFile> {
    let title = |cell: &String| cell.trim_start_matches('\u{feff}').trim().to_lowercase();
    let titles: Vec<String> = heading.iter().map(title).collect();
    let mut seen = HashSet::new();
    if let Some(twice) = titles.iter().find(|title| !title.is_empty() && !seen.insert(title.as_str())) {
        return Err(BadFile::Heading { line, name: twice.clone() });
    }
    let place = |name| {
        let at = titles.iter().position(|title| title == name).ok_or(BadFile::Column { line, name })?;
        Ok((name, at))
    };
    COLUMNS.into_iter().map(place).collect()
}

/// Cleans and validates a name.
fn name(published: &str, line: usize, code: KatoCode) -> Result<String, BadFile> {
    if let Some(character) = published.chars().find(|c| is_suspicious(*c)) {
        return Err(BadFile::Character { line, code, character: character.into() });
    }
    let name = clean_name(published);
    if name.is_empty() {
        return Err(BadFile::NoName { line, code });
    }
    if is_longer_than(&name, MAX_NAME_LENGTH) {
        return Err(BadFile::LongName { line, code, max: MAX_NAME_LENGTH });
    }
    Ok(name)
}

/// Returns whether a character is suspicious. Spreadsheets use line breaks and tabs as spaces.
fn is_suspicious(c: char) -> bool {
    is_direction_control(c) || (c.is_control() && !c.is_whitespace())
}

fn is_blank(cells: &[String]) -> bool {
    cells.iter().all(|cell| cell.trim().is_empty())
}

/// Cleans a name: NFC, single spaces, no invisible characters, old 8-bit letters replaced, no quotes around the start.
fn clean_name(name: &str) -> String {
    let seen = |c: &char| c.is_whitespace() || !is_invisible(*c);
    let composed: String = name.nfc().filter(seen).nfc().collect();
    let joined = composed.split_whitespace().collect::<Vec<_>>().join(" ");
    let letters: String = joined.chars().map(replace_legacy_letter).collect();
    match letters.strip_prefix('"') {
        Some(rest) => rest.replacen('"', "", 1),
        None => letters,
    }
}

const fn replace_legacy_letter(c: char) -> char {
    match c {
        'Ќ' => 'Қ',
        'ќ' => 'қ',
        'ў' => 'ұ',
        'ї' => 'і',
        'ј' => 'ө',
        other => other,
    }
}
