//! Mutes of authors at meetings.

use sea_orm::entity::prelude::*;

use crate::ids::MeetingId;

/// A row of `muted_authors`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "muted_authors")]
pub struct Model {
    /// The meeting.
    #[sea_orm(primary_key, auto_increment = false)]
    pub meeting_id: MeetingId,
    /// Author key, as in `comments`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub author_key: String,
    /// End of the mute.
    pub until: DateTimeUtc,
}

/// No relations. The store joins rows explicitly.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
