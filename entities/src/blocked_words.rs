//! Blocked words of meetings.

use sea_orm::entity::prelude::*;

use crate::ids::MeetingId;

/// A row of `blocked_words`, maintained by triggers on `meetings.blocked_words`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "blocked_words")]
pub struct Model {
    /// The meeting.
    #[sea_orm(primary_key, auto_increment = false)]
    pub meeting_id: MeetingId,
    /// The words as a JSON array.
    pub words: String,
}

/// No relations. The store joins rows explicitly.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
