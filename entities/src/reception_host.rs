//! Hosts of personal receptions: persons, or roles that are still to be filled.

use sea_orm::entity::prelude::*;

use crate::{enums::ReceptionHostRole, ids::ReceptionId};

/// A row of `reception_hosts`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "reception_hosts")]
pub struct Model {
    /// The reception.
    #[sea_orm(primary_key, auto_increment = false)]
    pub reception_id: ReceptionId,
    /// Position in the list, from 0.
    #[sea_orm(primary_key, auto_increment = false)]
    pub ordinal: i32,
    /// The role.
    pub role: ReceptionHostRole,
    /// The name; empty while the role is to be filled.
    pub name: String,
    /// The name, normalised for comparison; empty with it.
    pub name_key: String,
    /// Position of the person in Kazakh.
    pub position_kk: Option<String>,
    /// Position of the person in Russian.
    pub position_ru: Option<String>,
    /// Position of the person in English.
    pub position_en: Option<String>,
}

/// No relations. The store joins rows explicitly.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
