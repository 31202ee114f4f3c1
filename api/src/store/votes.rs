//! Votes and mutes.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use entities::{
    comment, comment_vote,
    ids::{CommentId, MeetingId},
    muted_author,
};
use sea_orm::{
    ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Set, sea_query::OnConflict,
};

use crate::store::{Store, StoreError, Tx, shapes::padded};

impl Tx {
    /// Casts a vote; whether it is a new one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn cast_vote(&self, comment: CommentId, subject: &str, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let row = comment_vote::ActiveModel {
            comment_id: Set(comment),
            subject: Set(subject.to_owned()),
            voted_at: Set(now),
        };
        let written =
            comment_vote::Entity::insert(row).on_conflict(keep_first()).exec_without_returning(self.inner()).await?;
        Ok(written > 0)
    }

    /// Takes a vote back; whether there was one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn retract_vote(&self, comment: CommentId, subject: &str) -> Result<bool, StoreError> {
        let gone = comment_vote::Entity::delete_by_id((comment, subject.to_owned())).exec(self.inner()).await?;
        Ok(gone.rows_affected > 0)
    }

    /// Adds the voters of one comment to those of another, each person once, and gives the new count.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn join_votes(&self, from: CommentId, into: CommentId) -> Result<i32, StoreError> {
        let voters =
            comment_vote::Entity::find().filter(comment_vote::Column::CommentId.eq(from)).all(self.inner()).await?;
        for chunk in voters.chunks(300) {
            let rows = chunk.iter().map(|vote| comment_vote::ActiveModel {
                comment_id: Set(into),
                subject: Set(vote.subject.clone()),
                voted_at: Set(vote.voted_at),
            });
            comment_vote::Entity::insert_many(rows)
                .on_conflict(keep_first())
                .exec_without_returning(self.inner())
                .await?;
        }
        let count =
            comment_vote::Entity::find().filter(comment_vote::Column::CommentId.eq(into)).count(self.inner()).await?;
        i32::try_from(count).map_err(|_| StoreError::Corrupt("count of votes"))
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
    /// Which of these comments a person has voted for.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn voted(&self, comments: &[CommentId], subject: &str) -> Result<Vec<CommentId>, StoreError> {
        let rows = comment_vote::Entity::find()
            .filter(comment_vote::Column::CommentId.is_in(comments.iter().copied()))
            .filter(comment_vote::Column::Subject.eq(subject))
            .all(self.reader())
            .await?;
        Ok(rows.into_iter().map(|row| row.comment_id).collect())
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

fn keep_first() -> OnConflict {
    OnConflict::columns([comment_vote::Column::CommentId, comment_vote::Column::Subject]).do_nothing().to_owned()
}
