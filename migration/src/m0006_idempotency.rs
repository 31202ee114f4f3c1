//! Idempotency keys of creating mutations.

use sea_orm_migration::{
    prelude::{DbErr, DeriveMigrationName, Index, MigrationTrait, SchemaManager, Table, async_trait},
    schema::{string, timestamp_with_time_zone, uuid},
};

/// Idempotency keys of creating mutations.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(
            Table::create()
                .table("idempotency_keys")
                .col(string("subject"))
                .col(string("operation"))
                .col(string("key"))
                .col(string("input_digest"))
                .col(uuid("result"))
                .col(timestamp_with_time_zone("created_at"))
                .primary_key(Index::create().name("idempotency_keys_pkey").col("subject").col("operation").col("key"))
                .to_owned(),
        )
        .await?;
        m.create_index(
            Index::create().name("idempotency_keys_age_idx").table("idempotency_keys").col("created_at").to_owned(),
        )
        .await?;
        Ok(())
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.drop_table(Table::drop().table("idempotency_keys").to_owned()).await?;
        Ok(())
    }
}
