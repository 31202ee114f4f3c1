//! Agencies, to which issues are assigned, and the categories of issues.

mod category;
mod entity;
mod input;
mod mutation;
mod object;

pub use category::{IssueCategory, issue_categories};
pub use entity::Agency;
pub use mutation::AgencyMutation;
pub use object::{agencies_cost, list_agencies};
