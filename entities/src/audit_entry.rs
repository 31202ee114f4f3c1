//! The audit log: chains of entries, one for each host.

use sea_orm::entity::prelude::*;

/// A row of `audit_log`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_log")]
pub struct Model {
    /// Code of the host whose chain it is in; empty for the chain that lists the others.
    #[sea_orm(primary_key, auto_increment = false)]
    pub shard: String,
    /// Position in the chain, from 1 without gaps.
    #[sea_orm(primary_key, auto_increment = false)]
    pub seq: i64,
    /// Id of the entry.
    pub id: Uuid,
    /// When it happened.
    pub at: DateTimeUtc,
    /// Who did it, as a role and a pseudonym.
    pub actor: String,
    /// What was done.
    pub action: String,
    /// Global id of the object.
    pub subject: String,
    /// More about it, without personal data.
    pub detail: Option<String>,
    /// Hash of the entry before it; empty for the first.
    pub previous_hash: String,
    /// SHA-256 of all other columns.
    pub hash: String,
}

/// No relations. The store joins rows explicitly.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
