//! Names of the staff of hosts, which authors cannot choose.

use sea_orm::entity::prelude::*;

/// A row of `host_staff_names`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "host_staff_names")]
pub struct Model {
    /// Code of the host.
    #[sea_orm(primary_key, auto_increment = false)]
    pub host_code: String,
    /// Key of the name, for comparison.
    #[sea_orm(primary_key, auto_increment = false)]
    pub name_key: String,
    /// When the person first acted on a meeting of the host.
    pub first_seen_at: DateTimeUtc,
}

/// No relations. The store joins rows explicitly.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
