//! Editions of the classifier that were imported.

use sea_orm::entity::prelude::*;

/// One row of `region_editions`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "region_editions")]
pub struct Model {
    /// Counts the editions, from 1.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i32,
    /// The date from which the edition holds.
    pub dated: Date,
    /// Name of the imported file.
    pub source: String,
    /// SHA-256 of the units it holds, in hex.
    pub digest: String,
    /// How many units it holds.
    pub units: i32,
    /// When it was imported.
    pub imported_at: DateTimeUtc,
}

/// Rows are joined by hand, in the store.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
