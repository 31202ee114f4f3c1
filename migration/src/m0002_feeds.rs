//! Feeds: ordered event logs whose head is raised in the transaction of the change.

use sea_orm_migration::{
    prelude::{
        ConnectionTrait, DbErr, DeriveMigrationName, Expr, ExprTrait, Index, MigrationTrait, SchemaManager, Table,
        async_trait,
    },
    schema::{big_integer, string, string_null, timestamp_with_time_zone, uuid},
};

/// Feeds: ordered event logs whose head is raised in the transaction of the change.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(
            Table::create()
                .table("feeds")
                .col(string("name").primary_key())
                .col(big_integer("head"))
                .col(big_integer("kept_after"))
                .check(("feeds_kept_check", Expr::col("kept_after").lte(Expr::col("head"))))
                .to_owned(),
        )
        .await?;
        m.create_table(
            Table::create()
                .table("feed_events")
                .col(string("feed"))
                .col(big_integer("seq"))
                .col(timestamp_with_time_zone("at"))
                .col(uuid("subject"))
                .col(string("kind"))
                .col(string_null("public_kind"))
                .col(string_null("actor"))
                .primary_key(Index::create().name("feed_events_pkey").col("feed").col("seq"))
                .to_owned(),
        )
        .await?;
        // The feed of all meetings always exists; those of single meetings are created with them.
        m.get_connection()
            .execute_unprepared("INSERT INTO feeds (name, head, kept_after) VALUES ('meetings', 0, 0)")
            .await?;
        Ok(())
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.drop_table(Table::drop().table("feed_events").to_owned()).await?;
        m.drop_table(Table::drop().table("feeds").to_owned()).await?;
        Ok(())
    }
}
