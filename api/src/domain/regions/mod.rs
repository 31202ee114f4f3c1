//! The classifier's units: one immutable tree for each period without changes.

mod coverage;
mod diff;
mod embedded;
mod history;
mod search;
mod tree;
mod unit;

pub use coverage::{covered_units, covers_as_host};
pub use diff::{NotNewer, RegionDiff, TooManyEnd, diff};
pub use embedded::embedded;
pub use history::{RegionHistory, UnitVersion};
pub use tree::{Tree, TreeError, UnitFilter, UnitPage, UnitPageRequest};
pub use unit::{Names, Unit, UnitNode};
