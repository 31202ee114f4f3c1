//! Indexes for lists of the issues in a state or of a level, and for issues that an older version normalised.

use sea_orm_migration::prelude::{
    ConnectionTrait as _, DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, async_trait,
};

const CREATE: &str = "CREATE INDEX issues_state_idx ON issues (state, created_at DESC, id DESC);
     CREATE INDEX issues_state_urgent_idx ON issues (state, urgent_by, id);
     CREATE INDEX issues_level_idx ON issues (level, created_at DESC, id DESC);
     CREATE INDEX issues_outdated_idx ON issues (id) WHERE normalization_version < 1";
const DROP: &str = "DROP INDEX issues_state_idx; DROP INDEX issues_state_urgent_idx; DROP INDEX issues_level_idx;
     DROP INDEX issues_outdated_idx";

/// Creates the indexes.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.get_connection().execute_unprepared(CREATE).await.map(drop)
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.get_connection().execute_unprepared(DROP).await.map(drop)
    }
}
