//! Letters of tickets that are used at a place on a day.

use sea_orm::entity::prelude::*;

/// A row of `reception_letters`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "reception_letters")]
pub struct Model {
    /// Code of the unit.
    #[sea_orm(primary_key, auto_increment = false)]
    pub region_code: String,
    /// The local day.
    #[sea_orm(primary_key, auto_increment = false)]
    pub day: Date,
    /// Number of letters in use.
    pub used: i32,
}

/// No relations. The store joins rows explicitly.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
