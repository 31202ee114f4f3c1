//! Digests of canonical JSON inputs, beside the digests of older replicas.

use sea_orm_migration::{
    prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, Table, async_trait},
    schema::string_null,
};

/// Digests of canonical JSON inputs.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        let column = Table::alter().table("idempotency_keys").add_column(string_null("canonical_digest")).to_owned();
        m.alter_table(column).await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.alter_table(Table::alter().table("idempotency_keys").drop_column("canonical_digest").to_owned()).await
    }
}
