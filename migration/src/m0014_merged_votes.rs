//! Removes the votes of comments that were withdrawn while merged.

use sea_orm_migration::prelude::{
    ConnectionTrait, DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, async_trait,
};

/// Recounts the votes of comments with withdrawn merged comments.
const COUNT: &str = "UPDATE comments SET votes = (
        SELECT COUNT(DISTINCT vote.subject) FROM comment_votes vote JOIN comments cast_for ON cast_for.id = vote.comment_id
        WHERE (cast_for.id = comments.id OR (cast_for.merged_into = comments.id AND cast_for.state = 'MERGED'))
        AND (comments.author_key IS NULL OR comments.author_key <> 'sub:' || vote.subject))
    WHERE id IN (SELECT merged_into FROM comments WHERE merged_into IS NOT NULL AND state = 'WITHDRAWN')";

/// Votes of withdrawn comments.
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
