//! Bodies to which issues are assigned, and categories of issues: reference data that each replica keeps in memory.

mod cache;
mod import;
mod locked;
mod save;

pub use cache::ReferenceData;
pub use import::{ReferenceImportError, ReferenceReport};
