//! Revocations of tokens.

use sea_orm_migration::{
    prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, Table, async_trait},
    schema::{big_integer, string, timestamp_with_time_zone},
};

/// Revocations of tokens.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(
            Table::create()
                .table("token_withdrawals")
                .col(string("subject").primary_key())
                .col(timestamp_with_time_zone("issued_before"))
                .col(big_integer("revision"))
                .to_owned(),
        )
        .await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.drop_table(Table::drop().table("token_withdrawals").to_owned()).await
    }
}
