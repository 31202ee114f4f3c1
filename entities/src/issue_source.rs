//! What issues were raised from. Each source has one issue.

use sea_orm::entity::prelude::*;

use crate::{enums::IssueSourceKind, ids::IssueId};

/// A row of `issue_sources`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "issue_sources")]
pub struct Model {
    /// Id of the comment, registration or request.
    #[sea_orm(primary_key, auto_increment = false)]
    pub source_id: Uuid,
    /// Which of them it is.
    pub kind: IssueSourceKind,
    /// The issue.
    pub issue_id: IssueId,
    /// Order within the issue.
    pub ordinal: i32,
}

/// No relations. The store joins rows explicitly.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
