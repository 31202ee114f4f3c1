//! Counters of the numbers that people quote.

use sea_orm::entity::prelude::*;

/// A row of `issue_numbers`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "issue_numbers")]
pub struct Model {
    /// Letters of the oblast, with a prefix for requests.
    #[sea_orm(primary_key, auto_increment = false)]
    pub series: String,
    /// The year.
    #[sea_orm(primary_key, auto_increment = false)]
    pub year: i32,
    /// The last number that was given.
    pub last: i32,
}

/// No relations. The store joins rows explicitly.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
