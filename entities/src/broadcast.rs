//! Online broadcasts of meetings (p. 3.2).

use sea_orm::entity::prelude::*;

use crate::{
    enums::Platform,
    ids::{BroadcastId, MeetingId},
};

/// A row of `broadcasts`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "broadcasts")]
pub struct Model {
    /// Primary key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: BroadcastId,
    /// The meeting.
    pub meeting_id: MeetingId,
    /// Order within the meeting.
    pub ordinal: i32,
    /// The platform.
    pub platform: Platform,
    /// URL of the broadcast.
    pub url: String,
    /// Id on the platform.
    pub external_id: Option<String>,
    /// Whether the platform accepts comments.
    pub comments_enabled: bool,
    /// When it started.
    pub started_at: Option<DateTimeUtc>,
    /// When it ended.
    pub ended_at: Option<DateTimeUtc>,
}

/// No relations. The store joins rows explicitly.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
