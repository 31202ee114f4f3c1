//! Online broadcasts of meetings (p. 3.2).

use sea_orm::entity::prelude::*;

use crate::{
    enums::Platform,
    ids::{BroadcastId, MeetingId},
};

/// One row of `broadcasts`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "broadcasts")]
pub struct Model {
    /// Identity.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: BroadcastId,
    /// The meeting.
    pub meeting_id: MeetingId,
    /// Order in which they were added.
    pub ordinal: i32,
    /// Where.
    pub platform: Platform,
    /// Address to watch.
    pub url: String,
    /// Identity on the platform.
    pub external_id: Option<String>,
    /// Whether the platform takes comments.
    pub comments_enabled: bool,
    /// When it went on air.
    pub started_at: Option<DateTimeUtc>,
    /// When it went off air.
    pub ended_at: Option<DateTimeUtc>,
}

/// Rows are joined by hand, in the store.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
