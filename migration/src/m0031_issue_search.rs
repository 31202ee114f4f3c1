//! Indexes for searching issues: the texts for everybody, and those for staff.

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, async_trait};

use crate::text_index::TextIndex;

/// The searched columns.
const INDEXES: [TextIndex; 2] =
    [TextIndex { table: "issues", column: "search" }, TextIndex { table: "issues", column: "staff_search" }];

/// Creates the indexes.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        for index in INDEXES {
            index.create(m).await?;
        }
        Ok(())
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        for index in INDEXES {
            index.drop(m).await?;
        }
        Ok(())
    }
}
