//! Regions: the units of the classifier.

mod entity;
mod object;

pub use entity::Region;
pub use object::{RegionConnection, dedup_kinds, list_regions};
