//! The version of the normalisation of each row. 0 for earlier rows and those of older replicas.

use sea_orm_migration::{
    prelude::{ConnectionTrait, DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, Table, async_trait},
    schema::integer,
};

/// Contains only outdated rows.
const INDEX: &str = "CREATE INDEX comments_outdated_idx ON comments (id) WHERE normalization_version < 1";

/// Adds the version and a partial index of outdated rows.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        let version = integer("normalization_version").default(0).to_owned();
        m.alter_table(Table::alter().table("comments").add_column(version).to_owned()).await?;
        m.get_connection().execute_unprepared(INDEX).await.map(drop)
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.get_connection().execute_unprepared("DROP INDEX comments_outdated_idx").await?;
        m.alter_table(Table::alter().table("comments").drop_column("normalization_version").to_owned()).await
    }
}
