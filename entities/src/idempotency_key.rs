//! First results of creating mutations, so that a repeat gives them again.

use sea_orm::entity::prelude::*;

/// One row of `idempotency_keys`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "idempotency_keys")]
pub struct Model {
    /// The caller.
    #[sea_orm(primary_key, auto_increment = false)]
    pub subject: String,
    /// Name of the mutation.
    #[sea_orm(primary_key, auto_increment = false)]
    pub operation: String,
    /// The caller's key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub key: String,
    /// SHA-256 of the input as replicas before `canonical_digest` wrote and compare it.
    pub input_digest: String,
    /// SHA-256 of the input's canonical JSON, after its version; none: written before there was one.
    pub canonical_digest: Option<String>,
    /// What the first call made.
    pub result: Uuid,
    /// When.
    pub created_at: DateTimeUtc,
}

/// Rows are joined by hand, in the store.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
