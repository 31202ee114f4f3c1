//! The epoch of the feeds, and audiences of events.

use sea_orm_migration::{
    prelude::{DbErr, DeriveMigrationName, Expr, ExprTrait, MigrationTrait, SchemaManager, Table, async_trait},
    schema::{small_integer, string, string_null, timestamp_with_time_zone},
};

/// The epoch of the feeds, and audiences of events.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(
            Table::create()
                .table("feed_epoch")
                .col(small_integer("id").primary_key())
                .col(string("epoch"))
                .col(timestamp_with_time_zone("begun_at"))
                // One row for all feeds.
                .check(("feed_epoch_check", Expr::col("id").eq(1)))
                .to_owned(),
        )
        .await?;
        m.alter_table(Table::alter().table("feed_events").add_column(string_null("audience")).to_owned()).await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.alter_table(Table::alter().table("feed_events").drop_column("audience").to_owned()).await?;
        m.drop_table(Table::drop().table("feed_epoch").to_owned()).await
    }
}
