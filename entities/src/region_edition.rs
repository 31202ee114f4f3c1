//! Imported editions of the classifier.

use sea_orm::entity::prelude::*;

/// A row of `region_editions`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "region_editions")]
pub struct Model {
    /// Number of the edition, from 1.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i32,
    /// First day of the edition.
    pub dated: Date,
    /// Name of the imported file.
    pub source: String,
    /// SHA-256 of its units, in hex.
    pub digest: String,
    /// Number of units.
    pub units: i32,
    /// When it was imported.
    pub imported_at: DateTimeUtc,
}

/// No relations. The store joins rows explicitly.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
