//! Reads the XML of a workbook's parts.

use quick_xml::{
    Reader,
    events::{BytesStart, Event},
};
use zip::result::ZipError;

/// Why a workbook cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum BadWorkbook {
    /// The file is not an archive.
    #[error("it is not an archive")]
    Archive(#[from] ZipError),
    /// A part cannot be unpacked.
    #[error("a part cannot be unpacked")]
    Unpack(#[from] std::io::Error),
    /// A part is not well-formed XML.
    #[error("a part is not well-formed XML")]
    Xml(#[from] quick_xml::Error),
    /// A part is missing.
    #[error("there is no {0}")]
    Missing(&'static str),
    /// A cell refers to a missing text or an invalid position.
    #[error("a cell of row {0} names what is not there")]
    Cell(usize),
    /// The workbook is too large.
    #[error("it is larger than any edition")]
    TooLarge,
}

/// Returns a reader of XML that reports an empty element as a start and an end.
pub(in crate::app::regions) fn reader(xml: &[u8]) -> Reader<&[u8]> {
    let mut reader = Reader::from_reader(xml);
    reader.config_mut().expand_empty_elements = true;
    reader
}

/// Collects what `find` returns for each element with this name.
pub(in crate::app::regions) fn each_element<T>(
    xml: &[u8],
    name: &str,
    find: impl Fn(&BytesStart<'_>) -> Result<Option<T>, BadWorkbook>,
) -> Result<Vec<T>, BadWorkbook> {
    let (mut reader, mut found) = (reader(xml), Vec::new());
    loop {
        match reader.read_event()? {
            Event::Start(start) if start.local_name().as_ref() == name.as_bytes() => found.extend(find(&start)?),
            Event::Eof => return Ok(found),
            _ => {}
        }
    }
}

/// Returns the value of an attribute.
pub(in crate::app::regions) fn attribute(start: &BytesStart<'_>, name: &str) -> Result<Option<String>, BadWorkbook> {
    // The duplicate check is quadratic.
    for attribute in start.attributes().with_checks(false) {
        let attribute = attribute.map_err(quick_xml::Error::from)?;
        if attribute.key.local_name().as_ref() == name.as_bytes() {
            return Ok(Some(attribute.unescape_value()?.into_owned()));
        }
    }
    Ok(None)
}
