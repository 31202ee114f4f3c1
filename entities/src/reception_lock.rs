//! Names that are locked while it is checked whether a host sits elsewhere, or a person is registered elsewhere.

use sea_orm::entity::prelude::*;

/// A row of `reception_locks`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "reception_locks")]
pub struct Model {
    /// What the name is unique in.
    #[sea_orm(primary_key, auto_increment = false)]
    pub scope: String,
    /// The normalised name of a host, or the pseudonym of a person.
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    /// How often it was locked.
    pub locks: i32,
}

/// No relations. The store joins rows explicitly.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
