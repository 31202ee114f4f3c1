//! Names of those who act on a host's meetings, which nobody else may choose to be shown by.

use sea_orm::entity::prelude::*;

/// One row of `host_staff_names`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "host_staff_names")]
pub struct Model {
    /// Code of the unit whose akim holds the meetings.
    #[sea_orm(primary_key, auto_increment = false)]
    pub host_code: String,
    /// The name, as names are compared.
    #[sea_orm(primary_key, auto_increment = false)]
    pub name_key: String,
    /// When its bearer first acted on a meeting of the host.
    pub first_seen_at: DateTimeUtc,
}

/// Rows are joined by hand, in the store.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
