//! Released descriptions of issues, each edition for good.

use sea_orm::entity::prelude::*;

use crate::ids::IssueId;

/// A row of `issue_descriptions`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "issue_descriptions")]
pub struct Model {
    /// The issue.
    #[sea_orm(primary_key, auto_increment = false)]
    pub issue_id: IssueId,
    /// Number of the edition, from 1.
    #[sea_orm(primary_key, auto_increment = false)]
    pub edition: i32,
    /// The text.
    pub text: String,
    /// When it was released.
    pub released_at: DateTimeUtc,
}

/// No relations. The store joins rows explicitly.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
