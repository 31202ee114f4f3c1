//! Words that no comment of a meeting may hold.

use sea_orm::entity::prelude::*;

use crate::ids::MeetingId;

/// One row of `blocked_words`. Written by the database when `meetings.blocked_words` is.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "blocked_words")]
pub struct Model {
    /// The meeting.
    #[sea_orm(primary_key, auto_increment = false)]
    pub meeting_id: MeetingId,
    /// The words, as a JSON array.
    pub words: String,
}

/// Rows are joined by hand, in the store.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
