//! Finds the parts of a workbook's archive by their relationships (Open Packaging Conventions, ECMA-376 part 2).

use std::{
    collections::HashMap,
    io::{Cursor, Read},
};

use zip::ZipArchive;

use crate::app::regions::workbook_xml::{BadWorkbook, attribute, each_element};

/// An archive with a limit on unpacked bytes.
pub(in crate::app::regions) struct Package<'a> {
    archive: ZipArchive<Cursor<&'a [u8]>>,
    /// Indexes by part name. Part names are case-insensitive.
    places: HashMap<String, usize>,
    /// Relationships of parts, loaded on first use.
    relations: HashMap<String, Vec<Relationship>>,
    left: usize,
}

/// A relationship of one part to another.
#[derive(Clone, Debug)]
pub(in crate::app::regions) struct Relationship {
    pub(in crate::app::regions) id: String,
    kind: String,
    /// Path of the target part from the root.
    target: String,
}

impl Relationship {
    /// Returns whether it has this type, in the transitional or the strict namespace.
    pub(in crate::app::regions) fn is(&self, kind: &str) -> bool {
        self.kind.rsplit_once('/').is_some_and(|(_, last)| last == kind)
    }
}

impl<'a> Package<'a> {
    /// Opens an archive of which at max `max` bytes may be unpacked.
    pub(in crate::app::regions) fn open(bytes: &'a [u8], max: usize) -> Result<Self, BadWorkbook> {
        let archive = ZipArchive::new(Cursor::new(bytes))?;
        let places = archive
            .file_names()
            .filter_map(|name| Some((normalized_name(name), archive.index_for_name(name)?)))
            .collect();
        Ok(Self { archive, places, relations: HashMap::new(), left: max })
    }

    /// Unpacks a part.
    pub(in crate::app::regions) fn part(&mut self, path: &str) -> Result<Option<Vec<u8>>, BadWorkbook> {
        let Some(place) = self.places.get(&normalized_name(path)) else { return Ok(None) };
        let part = self.archive.by_index(*place)?;
        let mut unpacked = Vec::new();
        let max = u64::try_from(self.left).unwrap_or(u64::MAX);
        part.take(max.saturating_add(1)).read_to_end(&mut unpacked)?;
        self.left = self.left.checked_sub(unpacked.len()).ok_or(BadWorkbook::TooLarge)?;
        Ok(Some(unpacked))
    }

    /// Returns the target of a part's first matching relationship. The empty path is the root.
    pub(in crate::app::regions) fn target(
        &mut self,
        part: &str,
        fits: impl Fn(&Relationship) -> bool,
    ) -> Result<Option<String>, BadWorkbook> {
        if !self.relations.contains_key(part) {
            let (folder, name) = part.rsplit_once('/').unwrap_or(("", part));
            let list = self.part(&format!("{folder}/_rels/{name}.rels"))?.unwrap_or_default();
            let relations = each_element(&list, "Relationship", |relation| {
                let external = attribute(relation, "TargetMode")?.is_some_and(|mode| mode == "External");
                let id = attribute(relation, "Id")?.unwrap_or_default();
                let (kind, target) = (attribute(relation, "Type")?, attribute(relation, "Target")?);
                let found = kind.zip(target).filter(|_| !external);
                Ok(found.map(|(kind, target)| Relationship { id, kind, target: resolve(folder, &target) }))
            })?;
            self.relations.insert(part.to_owned(), relations);
        }
        let relations = self.relations.get(part).map(Vec::as_slice).unwrap_or_default();
        Ok(relations.iter().find(|relation| fits(relation)).map(|relation| relation.target.clone()))
    }
}

/// Normalises a part name: lower case, `/` separators, from the root, percent-decoded.
fn normalized_name(path: &str) -> String {
    let bytes = path.as_bytes();
    let mut written = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let digits = path.get(at + 1..at + 3).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        match digits.filter(|_| *byte == b'%').and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(escaped) => {
                written.push(escaped);
                at += 3;
            }
            None => {
                written.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&written).replace('\\', "/").trim_start_matches('/').to_ascii_lowercase()
}

/// Resolves a target relative to a folder into a path from the root.
fn resolve(folder: &str, target: &str) -> String {
    let target = target.replace('\\', "/");
    let from = if target.starts_with('/') { "" } else { folder };
    let mut steps: Vec<&str> = Vec::new();
    for step in from.split('/').chain(target.split('/')) {
        match step {
            "" | "." => {}
            ".." => {
                steps.pop();
            }
            step => steps.push(step),
        }
    }
    steps.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_relative_or_absolute() {
        for (folder, target, path) in [
            ("xl", "worksheets/sheet1.xml", "xl/worksheets/sheet1.xml"),
            ("xl", "/xl/worksheets/sheet1.xml", "xl/worksheets/sheet1.xml"),
            ("a/b", "../c/./d.xml", "a/c/d.xml"),
            ("", "../../d.xml", "d.xml"),
            ("xl", "worksheets\\sheet1.xml", "xl/worksheets/sheet1.xml"),
        ] {
            assert_eq!(resolve(folder, target), path);
        }
        assert_eq!(normalized_name("/XL/Sheet%201.xml"), "xl/sheet 1.xml");
        assert_eq!(normalized_name("%D0%9b%zz%"), "\u{41b}%zz%");
    }
}
