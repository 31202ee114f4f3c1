//! Messages that their platform deleted before they were imported.

use sea_orm::entity::prelude::*;

use crate::ids::BroadcastId;

/// A row of `deleted_messages`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "deleted_messages")]
pub struct Model {
    /// The broadcast.
    #[sea_orm(primary_key, auto_increment = false)]
    pub broadcast_id: BroadcastId,
    /// Id on the platform.
    #[sea_orm(primary_key, auto_increment = false)]
    pub external_id: String,
    /// When the deletion was imported.
    pub deleted_at: DateTimeUtc,
}

/// No relations. The store joins rows explicitly.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
