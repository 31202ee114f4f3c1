//! Uninterrupted stretches of one stage (p. 3.3).

use sea_orm::entity::prelude::*;

use crate::{
    enums::Stage,
    ids::{MeetingId, SegmentId},
};

/// One row of `stage_segments`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "stage_segments")]
pub struct Model {
    /// Identity.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SegmentId,
    /// The meeting.
    pub meeting_id: MeetingId,
    /// Order within the meeting, from 1.
    pub ordinal: i32,
    /// What ran.
    pub stage: Stage,
    /// When it began.
    pub started_at: DateTimeUtc,
    /// When it ended; none: it runs.
    pub ended_at: Option<DateTimeUtc>,
    /// Position of the meeting's comment feed when it began: later comments fell into it.
    pub from_seq: i64,
}

/// Rows are joined by hand, in the store.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
