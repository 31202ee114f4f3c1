//! Counters of the event logs. The row lock is what makes positions follow commit order.

use sea_orm::entity::prelude::*;

/// One row of `feeds`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "feeds")]
pub struct Model {
    /// Name of the feed.
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    /// Position of the newest event; 0: none yet.
    pub head: i64,
    /// Events up to and including this position are no longer kept.
    pub kept_after: i64,
}

/// Rows are joined by hand, in the store.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
