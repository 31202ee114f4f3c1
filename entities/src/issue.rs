//! Problem issues (p. 3.5, 5).

use sea_orm::entity::prelude::*;

use crate::{
    enums::{FundingDecision, IssueLevel, IssueState, Language},
    ids::{IssueId, MeetingId},
};

/// A row of `issues`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "issues")]
pub struct Model {
    /// Primary key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: IssueId,
    /// The number that people quote, for example `ALM-2026-000123`.
    pub number: String,
    /// The title, which is public.
    pub title: String,
    /// The description for staff.
    pub description: String,
    /// The description for everybody, once it is released.
    pub released_description: Option<String>,
    /// Code of the category.
    pub category: String,
    /// Language of the texts.
    pub language: Language,
    /// The unit that it is about.
    pub region_code: String,
    /// The meeting at which it was raised.
    pub meeting_id: Option<MeetingId>,
    /// Which bodies it needs.
    pub level: IssueLevel,
    /// The state.
    pub state: IssueState,
    /// Code of the responsible body.
    pub responsible: Option<String>,
    /// The day by which it is to be solved.
    pub deadline: Option<Date>,
    /// The deadline while it is open, else the last day of the year 9999. Issues are ordered by it.
    pub urgent_by: Date,
    /// The money that is needed, in tenge.
    pub funding_needed: Option<i64>,
    /// Day of the maslikhat session.
    pub funding_session: Option<Date>,
    /// What the session decided.
    pub funding_decision: Option<FundingDecision>,
    /// Where the money comes from.
    pub funding_source: Option<String>,
    /// What was done about it, or why it was declined.
    pub resolution: Option<String>,
    /// The issue that it was merged into.
    pub merged_into: Option<IssueId>,
    /// How many of those from whose words it was raised are satisfied with the outcome.
    pub satisfied: i32,
    /// How many of them are not.
    pub unsatisfied: i32,
    /// Whether so many are not satisfied that staff has to look again.
    pub is_unsatisfied: bool,
    /// Title, number and released description, normalised for search.
    pub search: String,
    /// The same with the description for staff.
    pub staff_search: String,
    /// Version of the normalisation.
    pub normalization_version: i32,
    /// When it was raised.
    pub created_at: DateTimeUtc,
    /// When it last changed.
    pub updated_at: DateTimeUtc,
    /// Raised by every change.
    pub version: i32,
}

/// No relations. The store joins rows explicitly.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
