//! The newest entry of each chain of the audit log.

use sea_orm::entity::prelude::*;

/// A row of `audit_heads`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_heads")]
pub struct Model {
    /// Code of the host whose chain it is; empty for the chain that lists the others.
    #[sea_orm(primary_key, auto_increment = false)]
    pub shard: String,
    /// Position of its newest entry.
    pub seq: i64,
    /// Hash of its newest entry; empty if there is none.
    pub hash: String,
}

/// No relations. The store joins rows explicitly.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
