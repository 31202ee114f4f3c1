//! Steps of the plans of issues.

use sea_orm::entity::prelude::*;

use crate::ids::{IssueId, PlanStepId};

/// A row of `issue_steps`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "issue_steps")]
pub struct Model {
    /// Primary key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: PlanStepId,
    /// The issue.
    pub issue_id: IssueId,
    /// Order in the plan.
    pub ordinal: i32,
    /// What is to be done.
    pub action: String,
    /// Code of the body that does it.
    pub executor: String,
    /// The day by which it is due.
    pub due: Date,
    /// When it was done.
    pub done_at: Option<DateTimeUtc>,
    /// When it was struck from the plan.
    pub struck_at: Option<DateTimeUtc>,
}

/// No relations. The store joins rows explicitly.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
