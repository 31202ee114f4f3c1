//! Marks chosen author names, and stores the names of the staff of hosts.
//!
//! Names of earlier comments and of older replicas count as not chosen.

use sea_orm_migration::{
    prelude::{ConnectionTrait, DbErr, DeriveMigrationName, Index, MigrationTrait, SchemaManager, Table, async_trait},
    schema::{string, text, timestamp_with_time_zone},
};

/// Chosen names and reserved names.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.get_connection()
            .execute_unprepared("ALTER TABLE comments ADD COLUMN author_name_chosen boolean NOT NULL DEFAULT FALSE")
            .await?;
        m.create_table(
            Table::create()
                .table("host_staff_names")
                .col(string("host_code"))
                .col(text("name_key"))
                .col(timestamp_with_time_zone("first_seen_at"))
                .primary_key(Index::create().name("host_staff_names_pkey").col("host_code").col("name_key"))
                .to_owned(),
        )
        .await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.drop_table(Table::drop().table("host_staff_names").to_owned()).await?;
        m.alter_table(Table::alter().table("comments").drop_column("author_name_chosen").to_owned()).await
    }
}
