//! Units of the classifier, one row for each version of a unit.

use sea_orm::entity::prelude::*;

use crate::enums::{LocalityKind, RegionKind};

/// A row of `region_versions`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "region_versions")]
pub struct Model {
    /// Classifier code.
    #[sea_orm(primary_key, auto_increment = false)]
    pub code: String,
    /// Number of the version, from 1.
    #[sea_orm(primary_key, auto_increment = false)]
    pub revision: i32,
    /// Code of the parent.
    pub parent: Option<String>,
    /// The kind.
    pub kind: RegionKind,
    /// Whether it has an akim.
    pub has_akim: bool,
    /// Kind of a locality.
    pub locality_kind: Option<LocalityKind>,
    /// Full name in Kazakh.
    pub name_kk: String,
    /// Full name in Russian.
    pub name_ru: String,
    /// First day of this version, or `None` if it is older than the first import.
    pub valid_from: Option<Date>,
    /// First day after this version, or `None` if it is current.
    pub valid_to: Option<Date>,
}

/// No relations. The store joins rows explicitly.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
