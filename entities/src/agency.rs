//! Bodies to which issues are assigned, as far as an operator changed or added them.

use sea_orm::entity::prelude::*;

use crate::enums::AgencyKind;

/// A row of `agencies`. It takes the place of the built-in body with the same code.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "agencies")]
pub struct Model {
    /// The code, which never changes its meaning.
    #[sea_orm(primary_key, auto_increment = false)]
    pub code: String,
    /// The kind.
    pub kind: AgencyKind,
    /// Name in Kazakh.
    pub name_kk: String,
    /// Name in Russian.
    pub name_ru: Option<String>,
    /// Name in English.
    pub name_en: Option<String>,
    /// Classifier code of the unit that the body is responsible for.
    pub region_code: Option<String>,
    /// First day, or null if it is older than the decree.
    pub valid_from: Option<Date>,
    /// First day on which the body is no more.
    pub valid_to: Option<Date>,
    /// What is uncertain about the row.
    pub doubt: Option<String>,
    /// When it was last changed.
    pub changed_at: DateTimeUtc,
    /// Raised by every change. The sum over all rows changes with each, whatever the order of commits.
    pub revision: i64,
}

/// No relations. The store joins rows explicitly.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
