//! The inputs of agencies and categories.

use async_graphql::InputObject;

use crate::{
    domain::{agencies::AgencyDraft, issue_categories::IssueCategoryDraft},
    graphql::{
        enums::AgencyKind,
        localized::LocalizedTextInput,
        scalars::{Date, KatoCode},
    },
};

/// An agency to add or to change.
#[derive(InputObject)]
pub struct SaveAgencyInput {
    /// Code: 2 to 60 small Latin letters, digits and hyphens. It must not be given to another body later. Codes that begin with
    /// `akimat-` belong to the akimats of units.
    pub code: String,
    /// The kind of body; that of an akimat is LOCAL_EXECUTIVE.
    pub kind: AgencyKind,
    /// Names, at most 200 Unicode code points per language.
    pub names: LocalizedTextInput,
    /// The unit that the body is responsible for; none for the whole country. That of an akimat cannot be changed.
    pub region: Option<KatoCode>,
    /// First day; none if it is older than the records.
    pub valid_from: Option<Date>,
    /// First day on which the body is no more; none if no end is known.
    pub valid_to: Option<Date>,
}

impl From<SaveAgencyInput> for AgencyDraft {
    fn from(input: SaveAgencyInput) -> Self {
        Self {
            code: input.code,
            kind: input.kind.into(),
            names: input.names.into(),
            region: input.region.map(|code| code.0),
            valid_from: input.valid_from.map(|date| date.0),
            valid_to: input.valid_to.map(|date| date.0),
            doubt: None,
        }
    }
}

/// A category of issues to add or to change.
#[derive(InputObject)]
pub struct SaveIssueCategoryInput {
    /// Code: 2 to 60 small Latin letters, digits and hyphens. It must not get another meaning later.
    pub code: String,
    /// Names, at most 200 Unicode code points per language.
    pub names: LocalizedTextInput,
}

impl From<SaveIssueCategoryInput> for IssueCategoryDraft {
    fn from(input: SaveIssueCategoryInput) -> Self {
        Self { code: input.code, names: input.names.into(), ordinal: None }
    }
}
