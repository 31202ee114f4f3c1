//! Votes for comments.
//!
//! A vote stays with the comment it was cast for. While that comment is merged into another, the vote also counts for
//! the other one, once for each person.

use chrono::{DateTime, Utc};
use entities::{comment, comment_vote, enums::CommentState, ids::CommentId};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, JoinType, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Set, Statement,
    sea_query::{Expr, ExprTrait, OnConflict, Query, SelectStatement},
};

use crate::{
    domain::{comment::MERGED_STATE, policy::author_of},
    store::{Store, StoreError, Tx, batching::padded},
};

impl Tx {
    /// Casts a vote. Returns whether it is new, also among the votes for comments merged into this one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn cast_vote(&self, comment: CommentId, subject: &str, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let earlier = comment_vote::Entity::find()
            .filter(comment_vote::Column::CommentId.in_subquery(merge_group(comment)))
            .filter(comment_vote::Column::Subject.eq(subject));
        if earlier.one(self.inner()).await?.is_some() {
            return Ok(false);
        }
        let row = comment_vote::ActiveModel {
            comment_id: Set(comment),
            subject: Set(subject.to_owned()),
            voted_at: Set(now),
        };
        let written =
            comment_vote::Entity::insert(row).on_conflict(ignore_repeat()).exec_without_returning(self.inner()).await?;
        Ok(written > 0)
    }

    /// Retracts a vote, also from comments merged into this one. Returns whether there was one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn retract_vote(&self, comment: CommentId, subject: &str) -> Result<bool, StoreError> {
        let gone = comment_vote::Entity::delete_many()
            .filter(comment_vote::Column::CommentId.in_subquery(merge_group(comment)))
            .filter(comment_vote::Column::Subject.eq(subject))
            .exec(self.inner())
            .await?;
        Ok(gone.rows_affected > 0)
    }
}

impl Store {
    /// Returns which of these comments a person has voted for, directly or through a merged comment of somebody else.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn voted(&self, comments: &[CommentId], subject: &str) -> Result<Vec<CommentId>, StoreError> {
        let vote = comment::Entity::belongs_to(comment_vote::Entity)
            .from(comment::Column::Id)
            .to(comment_vote::Column::CommentId);
        let into =
            comment::Entity::belongs_to(comment::Entity).from(comment::Column::MergedInto).to(comment::Column::Id);
        let asked = |column: comment::Column| column.is_in(padded(comments.iter().copied()));
        let rows: Vec<(CommentId, CommentState, Option<CommentId>, Option<String>)> = comment::Entity::find()
            .select_only()
            .columns([comment::Column::Id, comment::Column::State, comment::Column::MergedInto])
            .column_as(Expr::col(("into", comment::Column::AuthorKey)), "into_author")
            .join(JoinType::InnerJoin, vote.into())
            .join_as(JoinType::LeftJoin, into.into(), "into")
            .filter(comment_vote::Column::Subject.eq(subject))
            .filter(Condition::any().add(asked(comment::Column::Id)).add(asked(comment::Column::MergedInto)))
            .into_tuple()
            .all(self.reader())
            .await?;
        let own = author_of(subject);
        let counted = |(id, state, into, author): (_, _, Option<_>, Option<String>)| {
            [Some(id), into.filter(|_| state == MERGED_STATE && author.as_deref() != Some(own.as_str()))]
        };
        Ok(rows.into_iter().flat_map(counted).flatten().collect())
    }

    /// Returns comments with unpublished votes whose last vote event was at `moment` or before.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unpublished_votes(
        &self,
        moment: DateTime<Utc>,
        limit: u64,
    ) -> Result<Vec<comment::Model>, StoreError> {
        Ok(unpublished_query(moment, limit).all(self.reader()).await?)
    }

    /// Returns the statement behind [`Store::unpublished_votes`], to explain its plan.
    #[must_use]
    pub fn unpublished_votes_statement(&self, moment: DateTime<Utc>, limit: u64) -> Statement {
        unpublished_query(moment, limit).build(self.reader().get_database_backend())
    }
}

fn unpublished_query(moment: DateTime<Utc>, limit: u64) -> sea_orm::Select<comment::Entity> {
    comment::Entity::find()
        // Literal SQL, because a bound value would not match the partial index.
        .filter(Expr::cust("votes_unshown"))
        .filter(comment::Column::VotesShownAt.lte(moment))
        .order_by_asc(comment::Column::VotesShownAt)
        .limit(limit)
}

/// Returns the ids of a comment and of the comments merged into it.
fn merge_group(comment: CommentId) -> SelectStatement {
    let merged = comment::Column::MergedInto.eq(comment).and(comment::Column::State.eq(MERGED_STATE));
    Query::select()
        .column(comment::Column::Id)
        .from(comment::Entity)
        .cond_where(Condition::any().add(comment::Column::Id.eq(comment)).add(merged))
        .to_owned()
}

fn ignore_repeat() -> OnConflict {
    OnConflict::columns([comment_vote::Column::CommentId, comment_vote::Column::Subject]).do_nothing().to_owned()
}
