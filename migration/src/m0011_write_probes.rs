//! A row that health checks write to test whether the database accepts writes.

use sea_orm_migration::{
    prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, Table, async_trait},
    schema::{big_integer, integer},
};

/// A row that health checks write to test whether the database accepts writes.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        let probes = Table::create()
            .table("write_probes")
            .col(integer("id").primary_key())
            .col(big_integer("probes"))
            .to_owned();
        m.create_table(probes).await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.drop_table(Table::drop().table("write_probes").to_owned()).await
    }
}
