//! Units of the classifier, one row for each state a unit was in.

use sea_orm::entity::prelude::*;

use crate::enums::{LocalityKind, RegionKind};

/// One row of `region_versions`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "region_versions")]
pub struct Model {
    /// Classifier code.
    #[sea_orm(primary_key, auto_increment = false)]
    pub code: String,
    /// Counts the states of this unit, from 1.
    #[sea_orm(primary_key, auto_increment = false)]
    pub revision: i32,
    /// Code of the unit above.
    pub parent: Option<String>,
    /// What the unit is.
    pub kind: RegionKind,
    /// Whether it has an akim.
    pub has_akim: bool,
    /// For localities: which sort of place.
    pub locality_kind: Option<LocalityKind>,
    /// Full name in Kazakh.
    pub name_kk: String,
    /// Full name in Russian.
    pub name_ru: String,
    /// First day of this state; none: since before the first import.
    pub valid_from: Option<Date>,
    /// First day on which this state no longer holds; none: it holds.
    pub valid_to: Option<Date>,
}

/// Rows are joined by hand, in the store.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
