//! Imports editions of the classifier.

#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod import;
mod import_warnings;
mod kinds;
mod names;
mod package;
mod report;
mod rows;
#[cfg(test)]
mod tests;
mod workbook;
#[cfg(test)]
mod workbook_tests;
mod workbook_xml;

pub use import::{ImportError, ImportOptions, edition, read_edition};
pub use import_warnings::{ImportWarning, WarningKind};
pub use report::ImportReport;
pub use rows::{BadFile, Row};
pub use workbook_xml::BadWorkbook;
