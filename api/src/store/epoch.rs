//! The epoch of the feeds. Positions of one epoch are meaningless in another.
//!
//! The stored part is random, and an operator changes it after a restore from a backup. On PostgreSQL the other part
//! is the server's timeline, which changes by itself after a failover or a point-in-time recovery.

use chrono::{DateTime, Utc};
use entities::feed_epoch::{self, Column, Entity};
use sea_orm::{ConnectionTrait, DbErr, EntityTrait, Set, Statement, sea_query::OnConflict};

use crate::store::{DatabaseEngine, Store, StoreError, Tx};

/// Queries epoch and timeline. The timeline is the first part of a WAL file name; a standby in recovery has none.
const EPOCH_QUERY: &str = "SELECT (SELECT epoch FROM feed_epoch) AS epoch, CASE WHEN pg_is_in_recovery() THEN NULL \
                   ELSE substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) END AS timeline";
/// The epoch before the first start, when there are no events.
const NO_EPOCH: &str = "0";

impl Tx {
    /// Sets the first epoch, unless there is one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn begin_epoch(&self, epoch: String, now: DateTime<Utc>) -> Result<(), StoreError> {
        self.write_epoch(epoch, now, OnConflict::column(Column::Id).do_nothing().to_owned()).await
    }

    /// Replaces the epoch.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn change_epoch(&self, epoch: String, now: DateTime<Utc>) -> Result<(), StoreError> {
        let again = OnConflict::column(Column::Id).update_columns([Column::Epoch, Column::BegunAt]).to_owned();
        self.write_epoch(epoch, now, again).await
    }

    async fn write_epoch(&self, epoch: String, now: DateTime<Utc>, again: OnConflict) -> Result<(), StoreError> {
        let row = feed_epoch::ActiveModel { id: Set(1), epoch: Set(epoch), begun_at: Set(now) };
        Entity::insert(row).on_conflict(again).exec_without_returning(self.inner()).await?;
        Ok(())
    }
}

impl Store {
    /// Returns the current epoch of the feeds.
    ///
    /// # Errors
    /// When the database fails, or is in recovery.
    pub async fn feed_epoch(&self) -> Result<String, StoreError> {
        if self.engine() == DatabaseEngine::Sqlite {
            let row = Entity::find_by_id(1_i16).one(self.reader()).await?;
            return Ok(row.map_or_else(|| NO_EPOCH.to_owned(), |row| row.epoch));
        }
        let ask = Statement::from_string(self.reader().get_database_backend(), EPOCH_QUERY);
        let row = self.reader().query_one_raw(ask).await?.ok_or(StoreError::Corrupt("feed epoch"))?;
        let (epoch, timeline): (Option<String>, Option<String>) =
            (row.try_get("", "epoch")?, row.try_get("", "timeline")?);
        let timeline = timeline.ok_or_else(|| DbErr::Custom("the database recovers".to_owned()))?;
        Ok(format!("{}-{timeline}", epoch.as_deref().unwrap_or(NO_EPOCH)))
    }
}
