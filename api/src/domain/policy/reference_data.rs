//! Actions on the reference data of the whole country: agencies and categories of issues.

use super::actions;
use crate::domain::viewer::{Role, Viewer};

/// The whole country, which no region of a role narrows.
#[derive(Clone, Copy, Debug)]
pub struct Country;

actions! {
    ROWS on<'a> Country:
    /// Changes agencies and categories of issues.
    EditReferenceData = "reference.edit": |viewer, _country| viewer.has_role(Role::Admin);
    /// Sees what is uncertain about an agency.
    SeeDoubts = "reference.see_doubts": |viewer, _country| viewer.has_role(Role::Admin);
}
