//! Indexes for sorting comments by votes, and for the job that checks budgets. The indexes of older replicas stay.

use sea_orm_migration::prelude::{
    ConnectionTrait, DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, async_trait,
};

/// Negated votes ascend like positions, so that a page starts at one place of the index.
const UP: &str = "CREATE INDEX comments_most_voted_idx ON comments (meeting_id, (-votes), posted_seq);
     CREATE INDEX meetings_within_budget_idx ON meetings (id) WHERE phase = 'LIVE' AND exceeded_at IS NULL";
const DOWN: &str = "DROP INDEX comments_most_voted_idx; DROP INDEX meetings_within_budget_idx";

/// Indexes for frequent reads.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.get_connection().execute_unprepared(UP).await.map(drop)
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.get_connection().execute_unprepared(DOWN).await.map(drop)
    }
}
