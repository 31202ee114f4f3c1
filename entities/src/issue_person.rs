//! People from whose words an issue was raised, and people who follow it.

use sea_orm::entity::prelude::*;

use crate::ids::IssueId;

/// A row of `issue_people`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "issue_people")]
pub struct Model {
    /// The issue.
    #[sea_orm(primary_key, auto_increment = false)]
    pub issue_id: IssueId,
    /// Pseudonym of the person.
    #[sea_orm(primary_key, auto_increment = false)]
    pub person: String,
    /// Whether it was raised from their words.
    pub raised: bool,
    /// Whether they are notified.
    pub follows: bool,
    /// Whether they are satisfied with the outcome.
    pub satisfied: Option<bool>,
    /// Why not.
    pub comment: Option<String>,
    /// Since when.
    pub since: DateTimeUtc,
}

/// No relations. The store joins rows explicitly.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
