//! The generation of the feeds: what was seen in one means nothing in another.
//!
//! A stored part is random and stays until the operator asks for another, after a restore from a backup. On PostgreSQL the timeline
//! of the server is the other part, which a promoted standby and a recovery to a point in time change by themselves.

use chrono::{DateTime, Utc};
use entities::feed_epoch::{self, Column, Entity};
use sea_orm::{ConnectionTrait, DbErr, EntityTrait, Set, Statement, sea_query::OnConflict};

use crate::store::{Engine, Store, StoreError, Tx};

/// The timeline is the first part of the name of a file of the log. There is none to write to while a standby recovers.
const ASK: &str = "SELECT (SELECT epoch FROM feed_epoch) AS epoch, CASE WHEN pg_is_in_recovery() THEN NULL \
                   ELSE substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) END AS timeline";
/// Before the first start there is no event either.
const NONE: &str = "0";

impl Tx {
    /// Begins the first generation; where there is one it stays.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn begin_epoch(&self, epoch: String, now: DateTime<Utc>) -> Result<(), StoreError> {
        self.write_epoch(epoch, now, OnConflict::column(Column::Id).do_nothing().to_owned()).await
    }

    /// Begins another generation.
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
    /// The present generation of the feeds.
    ///
    /// # Errors
    /// When the database fails, or recovers.
    pub async fn feed_epoch(&self) -> Result<String, StoreError> {
        if self.engine() == Engine::Sqlite {
            let row = Entity::find_by_id(1_i16).one(self.reader()).await?;
            return Ok(row.map_or_else(|| NONE.to_owned(), |row| row.epoch));
        }
        let ask = Statement::from_string(self.reader().get_database_backend(), ASK);
        let row = self.reader().query_one_raw(ask).await?.ok_or(StoreError::Corrupt("feed epoch"))?;
        let (epoch, timeline): (Option<String>, Option<String>) =
            (row.try_get("", "epoch")?, row.try_get("", "timeline")?);
        let timeline = timeline.ok_or_else(|| DbErr::Custom("the database recovers".to_owned()))?;
        Ok(format!("{}-{timeline}", epoch.as_deref().unwrap_or(NONE)))
    }
}
