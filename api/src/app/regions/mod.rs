//! Importing editions of the classifier.

mod import;
mod kinds;
mod names;
mod report;
mod rows;
#[cfg(test)]
mod tests;

pub use import::{ImportError, ImportOptions, edition, read_edition};
pub use report::{Doubt, ImportReport};
pub use rows::{BadFile, Row};
