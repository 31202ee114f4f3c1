//! Heads of the event logs. Locking the row makes positions follow commit order.

use sea_orm::entity::prelude::*;

/// A row of `feeds`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "feeds")]
pub struct Model {
    /// Name of the feed.
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    /// Position of the newest event, or 0 if there is none.
    pub head: i64,
    /// Position of the newest deleted event.
    pub kept_after: i64,
}

/// No relations. The store joins rows explicitly.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
