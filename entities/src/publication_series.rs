//! Locks of publications: one row for all editions about the same.

use sea_orm::entity::prelude::*;

/// A row of `publication_series`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "publication_series")]
pub struct Model {
    /// What the editions have in common.
    #[sea_orm(primary_key, auto_increment = false)]
    pub series: String,
}

/// No relations. The store joins rows explicitly.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
