//! Which generation of the feeds this is. There is one row.

use sea_orm::entity::prelude::*;

/// One row of `feed_epoch`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "feed_epoch")]
pub struct Model {
    /// Always 1.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i16,
    /// The generation: random, and another after a restore.
    pub epoch: String,
    /// When it began.
    pub begun_at: DateTimeUtc,
}

/// Rows are joined by hand, in the store.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
