//! The event logs.

use sea_orm::entity::prelude::*;

/// One row of `feed_events`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "feed_events")]
pub struct Model {
    /// Name of the feed.
    #[sea_orm(primary_key, auto_increment = false)]
    pub feed: String,
    /// Position, from 1 without gaps.
    #[sea_orm(primary_key, auto_increment = false)]
    pub seq: i64,
    /// When it happened.
    pub at: DateTimeUtc,
    /// What changed.
    pub subject: Uuid,
    /// How, for those who may see everything.
    pub kind: String,
    /// How, for everyone else; none: not for them.
    pub public_kind: Option<String>,
    /// Whom it is for, beside those who may see everything; none: everyone else as of `public_kind`, and whose subject it is.
    pub audience: Option<String>,
    /// Subject of whoever did it; none: the service.
    pub actor: Option<String>,
}

/// Rows are joined by hand, in the store.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
