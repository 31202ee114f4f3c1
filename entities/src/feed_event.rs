//! The event logs.

use sea_orm::entity::prelude::*;

/// A row of `feed_events`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "feed_events")]
pub struct Model {
    /// Name of the feed.
    #[sea_orm(primary_key, auto_increment = false)]
    pub feed: String,
    /// Position, from 1 without gaps.
    #[sea_orm(primary_key, auto_increment = false)]
    pub seq: i64,
    /// Time of the event.
    pub at: DateTimeUtc,
    /// Id of the changed object.
    pub subject: Uuid,
    /// Kind of the event for staff.
    pub kind: String,
    /// Kind of the event for everyone else, or `None` if it is not for them.
    pub public_kind: Option<String>,
    /// Narrower audience. `None`: everyone as of `public_kind`, and the subject's author.
    pub audience: Option<String>,
    /// Subject of the actor, or `None` for the service.
    pub actor: Option<String>,
    /// Code of the unit that it is about. `None` if its topic has no regions, or an older version recorded it.
    pub region_code: Option<String>,
    /// Id of the agency that was responsible. `None` if none was, or its topic has no agencies.
    pub agency: Option<Uuid>,
}

/// No relations. The store joins rows explicitly.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
