//! Bodies to which issues are assigned, and categories of issues: what an operator changed or added to the built-in ones.

use sea_orm_migration::{
    prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, Table, async_trait},
    schema::{big_integer, date_null, integer, string, string_null, text, text_null, timestamp_with_time_zone},
};

/// Creates `agencies` and `issue_categories`.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(
            Table::create()
                .table("agencies")
                .col(string("code").primary_key())
                .col(string("kind"))
                .col(text("name_kk"))
                .col(text_null("name_ru"))
                .col(text_null("name_en"))
                .col(string_null("region_code"))
                .col(date_null("valid_from"))
                .col(date_null("valid_to"))
                .col(text_null("doubt"))
                .col(timestamp_with_time_zone("changed_at"))
                .col(big_integer("revision"))
                .to_owned(),
        )
        .await?;
        m.create_table(
            Table::create()
                .table("issue_categories")
                .col(string("code").primary_key())
                .col(text("name_kk"))
                .col(text_null("name_ru"))
                .col(text_null("name_en"))
                .col(integer("ordinal"))
                .col(timestamp_with_time_zone("changed_at"))
                .col(big_integer("revision"))
                .to_owned(),
        )
        .await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.drop_table(Table::drop().table("issue_categories").to_owned()).await?;
        m.drop_table(Table::drop().table("agencies").to_owned()).await
    }
}
