//! The audit log: a chain of hashes for each host, and the newest entry of each chain.

use sea_orm_migration::{
    prelude::{ConnectionTrait, DbErr, DeriveMigrationName, Index, MigrationTrait, SchemaManager, Table, async_trait},
    schema::{big_integer, string, text, text_null, timestamp_with_time_zone, uuid},
};

/// Indexes for reading the newest entries: all, those of a host, and those about an object.
const INDEXES: &str = "CREATE UNIQUE INDEX audit_log_id_key ON audit_log (id);
     CREATE INDEX audit_log_at_idx ON audit_log (at, id);
     CREATE INDEX audit_log_shard_idx ON audit_log (shard, at, id);
     CREATE INDEX audit_log_subject_idx ON audit_log (subject, at, id)";

/// Creates `audit_log` and `audit_heads`.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(
            Table::create()
                .table("audit_log")
                .col(string("shard"))
                .col(big_integer("seq"))
                .col(uuid("id"))
                .col(timestamp_with_time_zone("at"))
                .col(text("actor"))
                .col(text("action"))
                .col(text("subject"))
                .col(text_null("detail"))
                .col(text("previous_hash"))
                .col(text("hash"))
                .primary_key(Index::create().name("audit_log_pkey").col("shard").col("seq"))
                .to_owned(),
        )
        .await?;
        m.create_table(
            Table::create()
                .table("audit_heads")
                .col(string("shard").primary_key())
                .col(big_integer("seq"))
                .col(text("hash"))
                .to_owned(),
        )
        .await?;
        m.get_connection().execute_unprepared(INDEXES).await.map(drop)
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.drop_table(Table::drop().table("audit_heads").to_owned()).await?;
        m.drop_table(Table::drop().table("audit_log").to_owned()).await
    }
}
