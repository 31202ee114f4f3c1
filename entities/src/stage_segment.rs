//! Stage segments: uninterrupted periods of one stage (p. 3.3).

use sea_orm::entity::prelude::*;

use crate::{
    enums::Stage,
    ids::{MeetingId, SegmentId},
};

/// A row of `stage_segments`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "stage_segments")]
pub struct Model {
    /// Primary key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SegmentId,
    /// The meeting.
    pub meeting_id: MeetingId,
    /// Order within the meeting, from 1.
    pub ordinal: i32,
    /// The stage.
    pub stage: Stage,
    /// Start of the segment.
    pub started_at: DateTimeUtc,
    /// End of the segment, or `None` while it runs.
    pub ended_at: Option<DateTimeUtc>,
    /// Position of the meeting's comment feed at the start. Later comments belong to this segment.
    pub from_seq: i64,
}

/// No relations. The store joins rows explicitly.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
