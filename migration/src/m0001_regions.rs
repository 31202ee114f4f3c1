//! The classifier: editions and versions of units.

use sea_orm_migration::{
    prelude::{
        ConnectionTrait, DbErr, DeriveMigrationName, Expr, ExprTrait, Index, MigrationTrait, SchemaManager, Table,
        async_trait,
    },
    schema::{boolean, date, date_null, integer, string, string_null, timestamp_with_time_zone},
};

/// The classifier: editions and versions of units.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(
            Table::create()
                .table("region_editions")
                .col(integer("id").primary_key())
                .col(date("dated"))
                .col(string("source"))
                .col(string("digest"))
                .col(integer("units"))
                .col(timestamp_with_time_zone("imported_at"))
                .to_owned(),
        )
        .await?;
        m.create_table(
            Table::create()
                .table("region_versions")
                .col(string("code"))
                .col(integer("revision"))
                .col(string_null("parent"))
                .col(string("kind"))
                .col(boolean("has_akim"))
                .col(string_null("locality_kind"))
                .col(string("name_kk"))
                .col(string("name_ru"))
                .col(date_null("valid_from"))
                .col(date_null("valid_to"))
                .primary_key(Index::create().name("region_versions_pkey").col("code").col("revision"))
                .check(("region_versions_period_check", Expr::col("valid_to").gte(Expr::col("valid_from"))))
                .to_owned(),
        )
        .await?;
        // A unit has at most one current version.
        m.get_connection()
            .execute_unprepared(
                "CREATE UNIQUE INDEX region_versions_open_key ON region_versions (code) WHERE valid_to IS NULL",
            )
            .await?;
        Ok(())
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.drop_table(Table::drop().table("region_versions").to_owned()).await?;
        m.drop_table(Table::drop().table("region_editions").to_owned()).await?;
        Ok(())
    }
}
