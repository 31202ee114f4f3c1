//! The units of the classifier: one immutable tree for each time at which units changed.

mod atlas;
mod coverage;
mod difference;
mod embedded;
mod search;
mod tree;
mod unit;

pub use atlas::{Atlas, Version};
pub use coverage::{covered_units, covers_as_host};
pub use difference::{Difference, NotNewer, TooManyEnd, difference};
pub use embedded::embedded;
pub use tree::{BadTree, Bounds, Node, Query, Slice, Tree};
pub use unit::{Names, Unit};
