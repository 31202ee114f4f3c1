//! Deletions that arrive from a platform before their message.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use entities::{
    deleted_message::{self, Column},
    ids::BroadcastId,
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect, Set, sea_query::OnConflict};

use crate::store::{StoreError, Tx, batching::padded};

impl Tx {
    /// Returns which of these messages of a broadcast were deleted before their import.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn deleted_messages(
        &self,
        broadcast: BroadcastId,
        external_ids: &[String],
    ) -> Result<HashSet<String>, StoreError> {
        let ids = deleted_message::Entity::find()
            .select_only()
            .column(Column::ExternalId)
            .filter(Column::BroadcastId.eq(broadcast))
            .filter(Column::ExternalId.is_in(padded(external_ids.iter().cloned())));
        let ids: Vec<String> = ids.into_tuple().all(self.inner()).await?;
        Ok(ids.into_iter().collect())
    }

    /// Records deletions of unknown messages of a broadcast.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn record_deletions(
        &self,
        broadcast: BroadcastId,
        external_ids: &[String],
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let rows = external_ids.iter().map(|id| deleted_message::ActiveModel {
            broadcast_id: Set(broadcast),
            external_id: Set(id.clone()),
            deleted_at: Set(now),
        });
        let known = OnConflict::columns([Column::BroadcastId, Column::ExternalId]).do_nothing().to_owned();
        self.insert_rows(rows.collect(), Some(known)).await?;
        Ok(())
    }

    /// Deletes records of deletions that were imported before `moment`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_old_deletions(&self, moment: DateTime<Utc>) -> Result<(), StoreError> {
        deleted_message::Entity::delete_many().filter(Column::DeletedAt.lt(moment)).exec(self.inner()).await?;
        Ok(())
    }
}
