//! Authors who may not write at a meeting for a while.

use sea_orm::entity::prelude::*;

use crate::ids::MeetingId;

/// One row of `muted_authors`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "muted_authors")]
pub struct Model {
    /// The meeting.
    #[sea_orm(primary_key, auto_increment = false)]
    pub meeting_id: MeetingId,
    /// The author, as in `comments`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub author_key: String,
    /// When they may write again.
    pub until: DateTimeUtc,
}

/// Rows are joined by hand, in the store.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
