//! Updates many comments with few statements.

use std::collections::HashMap;

use entities::{
    comment::{self, Column},
    ids::CommentId,
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    sea_query::{Expr, Query},
};

use crate::{
    domain::{comment::MERGED_STATE, policy::author_of},
    store::{
        StoreError, Tx,
        batching::{batches, padded},
    },
};

/// A comment as read under the lock and as it will be saved.
#[derive(Clone, Debug)]
pub struct CommentChange {
    /// The comment as read.
    pub before: comment::Model,
    /// The comment to save.
    pub after: comment::Model,
}

impl From<comment::Model> for CommentChange {
    fn from(row: comment::Model) -> Self {
        Self { before: row.clone(), after: row }
    }
}

impl Tx {
    /// Updates the changed columns of a comment.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn change_comment(&self, before: &comment::Model, after: &comment::Model) -> Result<(), StoreError> {
        self.change_comments(&[CommentChange { before: before.clone(), after: after.clone() }]).await
    }

    /// Updates the changed columns of comments. Comments with the same changed columns share statements.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn change_comments(&self, changes: &[CommentChange]) -> Result<(), StoreError> {
        let rows = changes.iter().filter(|change| change.before != change.after).map(|change| {
            let CommentChange { before, after } = change.clone();
            (before.into_active_model(), after.into_active_model())
        });
        self.update_rows(Column::Id, rows).await
    }

    /// Recounts the people who voted for comments or for comments merged into them, and returns the counts.
    ///
    /// An author's own vote for a merged comment does not count.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn recount_votes(&self, ids: &[CommentId]) -> Result<HashMap<CommentId, i32>, StoreError> {
        let mut counts = HashMap::new();
        for batch in batches(ids) {
            let mut update = Query::update();
            update.table(comment::Entity).value(Column::Votes, Expr::cust(merged_vote_count()));
            update.and_where(Column::Id.is_in(batch.iter().copied()));
            update.returning(Query::returning().columns([Column::Id, Column::Votes]));
            for row in self.inner().query_all(&update).await? {
                counts.insert(row.try_get("", "id")?, row.try_get("", "votes")?);
            }
        }
        Ok(counts)
    }

    /// Returns the comments merged into any of these comments, without withdrawn ones, in order of posting.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn merged_comments(&self, into: &[CommentId]) -> Result<Vec<comment::Model>, StoreError> {
        if into.is_empty() {
            return Ok(Vec::new());
        }
        Ok(comment::Entity::find()
            .filter(Column::MergedInto.is_in(padded(into.iter().copied())))
            .filter(Column::State.eq(MERGED_STATE))
            .order_by_asc(Column::PostedSeq)
            .all(self.inner())
            .await?)
    }

    /// Changes the merge target of all comments that were merged into any of these comments.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn repoint_merged(&self, from: &[CommentId], into: CommentId) -> Result<(), StoreError> {
        comment::Entity::update_many()
            .col_expr(Column::MergedInto, Expr::value(into.0))
            .filter(Column::MergedInto.is_in(padded(from.iter().copied())))
            .exec(self.inner())
            .await?;
        Ok(())
    }
}

/// Returns the SQL expression that counts the voters of a row of `comments`.
fn merged_vote_count() -> String {
    format!(
        "(SELECT COUNT(DISTINCT v.subject) FROM comment_votes v WHERE v.comment_id IN (SELECT j.id FROM comments j \
         WHERE j.id = comments.id OR (j.merged_into = comments.id AND j.state = '{}')) \
         AND '{}' || v.subject <> COALESCE(comments.author_key, ''))",
        MERGED_STATE.as_str(),
        author_of("")
    )
}
