//! Votes and mutes. A vote stays with the comment it was cast for. One for a comment that was joined to another counts for that
//! one too, each person's once, for as long as they are joined and the comment is not taken back.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use entities::{
    comment, comment_vote,
    enums::CommentState,
    ids::{CommentId, MeetingId},
    muted_author,
};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, JoinType, QueryFilter, QueryOrder, QuerySelect, Set,
    sea_query::{Expr, ExprTrait, OnConflict, Query, SelectStatement},
};

use crate::{
    domain::{comment::MERGED_STATE, policy::author_of},
    store::{Store, StoreError, Tx, batching::padded},
};

impl Tx {
    /// Casts a vote; whether it is a new one, also among those for what was joined to the comment.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn cast_vote(&self, comment: CommentId, subject: &str, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let earlier = comment_vote::Entity::find()
            .filter(comment_vote::Column::CommentId.in_subquery(joint(comment)))
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
            comment_vote::Entity::insert(row).on_conflict(keep_first()).exec_without_returning(self.inner()).await?;
        Ok(written > 0)
    }

    /// Takes a vote back, also from what was joined to the comment; whether there was one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn retract_vote(&self, comment: CommentId, subject: &str) -> Result<bool, StoreError> {
        let gone = comment_vote::Entity::delete_many()
            .filter(comment_vote::Column::CommentId.in_subquery(joint(comment)))
            .filter(comment_vote::Column::Subject.eq(subject))
            .exec(self.inner())
            .await?;
        Ok(gone.rows_affected > 0)
    }

    /// Until when an author may not write at a meeting, if a mute was ever set.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn muted_until(
        &self,
        meeting: MeetingId,
        authors: &[String],
    ) -> Result<HashMap<String, DateTime<Utc>>, StoreError> {
        let rows = muted_author::Entity::find()
            .filter(muted_author::Column::MeetingId.eq(meeting))
            .filter(muted_author::Column::AuthorKey.is_in(padded(authors)))
            .all(self.inner())
            .await?;
        Ok(rows.into_iter().map(|row| (row.author_key, row.until)).collect())
    }

    /// Mutes an author at a meeting until a moment.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mute(&self, meeting: MeetingId, author_key: &str, until: DateTime<Utc>) -> Result<(), StoreError> {
        let row = muted_author::ActiveModel {
            meeting_id: Set(meeting),
            author_key: Set(author_key.to_owned()),
            until: Set(until),
        };
        let again = OnConflict::columns([muted_author::Column::MeetingId, muted_author::Column::AuthorKey])
            .update_column(muted_author::Column::Until)
            .to_owned();
        muted_author::Entity::insert(row).on_conflict(again).exec_without_returning(self.inner()).await?;
        Ok(())
    }
}

impl Store {
    /// Which of these comments a person has voted for, or for something that is joined to them and is not theirs.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn voted(&self, comments: &[CommentId], subject: &str) -> Result<Vec<CommentId>, StoreError> {
        let vote = comment::Entity::belongs_to(comment_vote::Entity)
            .from(comment::Column::Id)
            .to(comment_vote::Column::CommentId);
        let into =
            comment::Entity::belongs_to(comment::Entity).from(comment::Column::MergedInto).to(comment::Column::Id);
        let asked = |column: comment::Column| column.is_in(comments.iter().copied());
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

    /// At which of these meetings an author may not write, and until when.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn muted_at(
        &self,
        meetings: &[MeetingId],
        author_key: &str,
    ) -> Result<Vec<(MeetingId, DateTime<Utc>)>, StoreError> {
        let rows = muted_author::Entity::find()
            .filter(muted_author::Column::MeetingId.is_in(meetings.iter().copied()))
            .filter(muted_author::Column::AuthorKey.eq(author_key))
            .all(self.reader())
            .await?;
        Ok(rows.into_iter().map(|row| (row.meeting_id, row.until)).collect())
    }

    /// Comments whose count of votes changed, and was last an event at `moment` or before.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unshown_votes(&self, moment: DateTime<Utc>, limit: u64) -> Result<Vec<comment::Model>, StoreError> {
        Ok(comment::Entity::find()
            .filter(comment::Column::VotesUnshown.eq(true))
            .filter(comment::Column::VotesShownAt.lte(moment))
            .order_by_asc(comment::Column::VotesShownAt)
            .limit(limit)
            .all(self.reader())
            .await?)
    }
}

/// A comment and what is joined to it.
fn joint(comment: CommentId) -> SelectStatement {
    let joined = comment::Column::MergedInto.eq(comment).and(comment::Column::State.eq(MERGED_STATE));
    Query::select()
        .column(comment::Column::Id)
        .from(comment::Entity)
        .cond_where(Condition::any().add(comment::Column::Id.eq(comment)).add(joined))
        .to_owned()
}

fn keep_first() -> OnConflict {
    OnConflict::columns([comment_vote::Column::CommentId, comment_vote::Column::Subject]).do_nothing().to_owned()
}
