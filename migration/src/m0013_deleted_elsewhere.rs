//! Deletions that arrived from a platform before their message.

use sea_orm_migration::{
    prelude::{
        DbErr, DeriveMigrationName, ForeignKey, ForeignKeyAction, Index, MigrationTrait, SchemaManager, Table,
        async_trait,
    },
    schema::{string, timestamp_with_time_zone, uuid},
};

/// Deletions that arrived from a platform before their message.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(
            Table::create()
                .table("deleted_messages")
                .col(uuid("broadcast_id"))
                .col(string("external_id"))
                .col(timestamp_with_time_zone("deleted_at"))
                .primary_key(Index::create().name("deleted_messages_pkey").col("broadcast_id").col("external_id"))
                .foreign_key(
                    ForeignKey::create()
                        .name("deleted_messages_broadcast_id_fkey")
                        .from("deleted_messages", "broadcast_id")
                        .to("broadcasts", "id")
                        .on_delete(ForeignKeyAction::Cascade),
                )
                .to_owned(),
        )
        .await?;
        m.create_index(
            Index::create().name("deleted_messages_age_idx").table("deleted_messages").col("deleted_at").to_owned(),
        )
        .await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.drop_table(Table::drop().table("deleted_messages").to_owned()).await
    }
}
