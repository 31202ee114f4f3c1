//! Idempotency keys with the results of the first calls.

use sea_orm::entity::prelude::*;

/// A row of `idempotency_keys`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "idempotency_keys")]
pub struct Model {
    /// Subject of the caller.
    #[sea_orm(primary_key, auto_increment = false)]
    pub subject: String,
    /// Name of the mutation.
    #[sea_orm(primary_key, auto_increment = false)]
    pub operation: String,
    /// The caller's key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub key: String,
    /// SHA-256 of the input as computed by replicas that do not know `canonical_digest`.
    pub input_digest: String,
    /// SHA-256 of the input's canonical JSON with its version, or `None` for older rows.
    pub canonical_digest: Option<String>,
    /// Id of the object that the first call created.
    pub result: Uuid,
    /// When the key was claimed.
    pub created_at: DateTimeUtc,
}

/// No relations. The store joins rows explicitly.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
