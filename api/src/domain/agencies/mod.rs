//! Bodies to which issues are assigned: the built-in ones, the akimats of units, and what an operator changed or added.

mod agency;
mod akimat_names;
mod akimats;
mod directory;
mod draft;
mod embedded;

pub use agency::{Agency, agency_id};
pub use directory::AgencyDirectory;
pub use draft::{AGENCY_COLUMNS, AGENCY_REGION, AgencyDraft, BadAgency, MAX_AGENCIES};
