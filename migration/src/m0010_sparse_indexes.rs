//! Partial indexes of imported and merged comments, which cost other posts nothing.

use sea_orm_migration::prelude::{
    ConnectionTrait, DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, async_trait,
};

const DROP: &str = "DROP INDEX comments_external_key; DROP INDEX comments_merged_idx";
const SPARSE: &str =
    "CREATE UNIQUE INDEX comments_external_key ON comments (broadcast_id, external_id) WHERE external_id IS NOT NULL;
     CREATE INDEX comments_merged_idx ON comments (merged_into) WHERE merged_into IS NOT NULL";
const FULL: &str = "CREATE UNIQUE INDEX comments_external_key ON comments (broadcast_id, external_id);
     CREATE INDEX comments_merged_idx ON comments (merged_into)";

/// Partial indexes.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.get_connection().execute_unprepared(DROP).await?;
        m.get_connection().execute_unprepared(SPARSE).await.map(drop)
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.get_connection().execute_unprepared(DROP).await?;
        m.get_connection().execute_unprepared(FULL).await.map(drop)
    }
}
