//! Importing editions of the classifier.

mod doubts;
mod import;
mod kinds;
mod names;
mod report;
mod rows;
#[cfg(test)]
mod tests;

pub use doubts::{Doubt, Doubtful};
pub use import::{ImportError, ImportOptions, edition, read_edition};
pub use report::ImportReport;
pub use rows::{BadFile, Row};
