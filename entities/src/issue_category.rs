//! Categories of issues, as far as an operator changed or added them.

use sea_orm::entity::prelude::*;

/// A row of `issue_categories`. It takes the place of the built-in category with the same code.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "issue_categories")]
pub struct Model {
    /// The code, which never changes its meaning.
    #[sea_orm(primary_key, auto_increment = false)]
    pub code: String,
    /// Name in Kazakh.
    pub name_kk: String,
    /// Name in Russian.
    pub name_ru: Option<String>,
    /// Name in English.
    pub name_en: Option<String>,
    /// Sort key in the list.
    pub ordinal: i32,
    /// When it was last changed.
    pub changed_at: DateTimeUtc,
    /// Raised by every change. The sum over all rows changes with each, whatever the order of commits.
    pub revision: i64,
}

/// No relations. The store joins rows explicitly.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
