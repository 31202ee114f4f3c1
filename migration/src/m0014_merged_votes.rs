//! What was withdrawn while it was merged no longer counts, also where that was before.

use sea_orm_migration::prelude::{
    ConnectionTrait, DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, async_trait,
};

/// Counts the votes anew of every comment that something was merged into and then withdrawn.
const COUNT: &str = "UPDATE comments SET votes = (
        SELECT COUNT(DISTINCT vote.subject) FROM comment_votes vote JOIN comments cast_for ON cast_for.id = vote.comment_id
        WHERE (cast_for.id = comments.id OR (cast_for.merged_into = comments.id AND cast_for.state = 'MERGED'))
        AND (comments.author_key IS NULL OR comments.author_key <> 'sub:' || vote.subject))
    WHERE id IN (SELECT merged_into FROM comments WHERE merged_into IS NOT NULL AND state = 'WITHDRAWN')";

/// Votes of what was withdrawn.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.get_connection().execute_unprepared(COUNT).await.map(drop)
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Ok(())
    }
}
