//! Finds an author's earlier posts without reading all of them.

use sea_orm_migration::{
    prelude::{DbErr, DeriveMigrationName, Index, MigrationTrait, SchemaManager, Table, async_trait},
    schema::big_integer,
};

/// Digest of meeting, author and body.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.alter_table(Table::alter().table("comments").add_column(big_integer("said_digest").default(0)).to_owned())
            .await?;
        m.create_index(Index::create().name("comments_said_idx").table("comments").col("said_digest").to_owned()).await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.drop_index(Index::drop().name("comments_said_idx").table("comments").to_owned()).await?;
        m.alter_table(Table::alter().table("comments").drop_column("said_digest").to_owned()).await
    }
}
