//! The index for searching meetings. Comments are searched within one meeting, which needs none.

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, async_trait};

use crate::text_index::TextIndex;

const MEETINGS: TextIndex = TextIndex { table: "meetings", column: "search" };

/// The index for searching meetings.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        MEETINGS.create(m).await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        MEETINGS.drop(m).await
    }
}
