//! Quarterly reports on issues.

use sea_orm::entity::prelude::*;

use crate::ids::IssueId;

/// A row of `issue_reports`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "issue_reports")]
pub struct Model {
    /// The issue.
    #[sea_orm(primary_key, auto_increment = false)]
    pub issue_id: IssueId,
    /// The quarter, for example `2026-Q4`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub quarter: String,
    /// The report.
    pub text: String,
    /// How much is done.
    pub percent: i32,
    /// When it was reported.
    pub reported_at: DateTimeUtc,
    /// Code of the body that reported; `None` for the akimat of the unit.
    pub reported_by: Option<String>,
}

/// No relations. The store joins rows explicitly.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
