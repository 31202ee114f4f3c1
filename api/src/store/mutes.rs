//! Mutes of authors at meetings.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use entities::{ids::MeetingId, muted_author};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Set, sea_query::OnConflict};

use crate::store::{Store, StoreError, Tx, batching::padded};

impl Tx {
    /// Returns the end of the mute of each of these authors who was ever muted at a meeting.
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

    /// Mutes an author at a meeting until a time.
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
    /// Returns the end of an author's mute at each of these meetings where they were ever muted.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn muted_at(
        &self,
        meetings: &[MeetingId],
        author_key: &str,
    ) -> Result<Vec<(MeetingId, DateTime<Utc>)>, StoreError> {
        let rows = muted_author::Entity::find()
            .filter(muted_author::Column::MeetingId.is_in(padded(meetings.iter().copied())))
            .filter(muted_author::Column::AuthorKey.eq(author_key))
            .all(self.reader())
            .await?;
        Ok(rows.into_iter().map(|row| (row.meeting_id, row.until)).collect())
    }
}
