//! Importing editions of the classifier.

mod doubts;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod import;
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

pub use doubts::{Doubt, Doubtful};
pub use import::{ImportError, ImportOptions, edition, read_edition};
pub use report::ImportReport;
pub use rows::{BadFile, Row};
pub use workbook::BadWorkbook;
