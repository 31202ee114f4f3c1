//! The only room that knows the database. One file an aggregate; reads of protected rows take the viewer's scope.
//!
//! Both engines run the same statements. SQLite has one writer connection whose transactions begin IMMEDIATE, so that no
//! transaction has to be upgraded; PostgreSQL takes row locks. What a caller may expect is a value; [`StoreError`]
//! is only for what went wrong underneath.

mod batching;
mod changes;
pub mod comment_changes;
pub mod comments;
mod connect;
mod deletions;
mod epoch;
mod error;
pub mod feeds;
pub mod idempotency;
pub mod keyset;
pub mod meetings;
mod normalization;
pub mod regions;
pub mod staff_names;
pub mod stages;
mod statements;
#[cfg(test)]
mod tests;
mod tx;
pub mod votes;
pub mod withdrawals;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use migration::Migrator;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};
use sea_orm_migration::MigratorTrait;

pub use error::StoreError;
pub use tx::{Poke, Tx};

use crate::store::{connect::ConnectionTaint, statements::Statements};

/// A step may take longer than a request, and so may the wait for another replica's; the lock ends with the transaction.
const MIGRATING: &str =
    "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0; SELECT pg_advisory_xact_lock(826)";

/// A write that changes nothing that anybody reads.
const PROBE: &str = "INSERT INTO write_probes (id, probes) VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET probes = write_probes.probes + 1";

/// Which database engine serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// The embedded default.
    Sqlite,
    /// Production.
    Postgres,
}

/// The database: connections for writes, for the reads of commands and feeds, and for queries.
#[derive(Clone, Debug)]
pub struct Store {
    engine: Engine,
    read: DatabaseConnection,
    write: DatabaseConnection,
    /// For what strangers read: they cannot take the connections that commands and feeds need.
    queries: DatabaseConnection,
    /// For questions about the database itself, which are not to wait behind what everybody asks of it.
    watch: DatabaseConnection,
    statements: Arc<Statements>,
    taint: ConnectionTaint,
}

impl Store {
    /// Opens the database at `url` (`sqlite:…` or `postgres://…`) with at most `connections` connections.
    ///
    /// # Errors
    /// When the address is not understood or the database does not answer.
    pub async fn connect(url: &str, connections: u32) -> Result<Self, StoreError> {
        if url.starts_with("sqlite:") {
            connect::sqlite(url, connections).await
        } else {
            connect::postgres(url, connections).await
        }
    }

    /// The same database, read with the connections of queries.
    #[must_use]
    pub fn for_queries(&self) -> Self {
        Self { read: self.queries.clone(), ..self.clone() }
    }

    /// How many statements were run.
    #[must_use]
    pub fn statements(&self) -> u64 {
        self.statements.count()
    }

    /// Whether an error only says that too much is asked of a database which is there.
    #[must_use]
    pub fn is_overload(&self, error: &StoreError) -> bool {
        // The embedded one is always there.
        error.is_without_connection() && (self.engine == Engine::Sqlite || self.statements.succeed())
    }

    /// The engine behind this store.
    #[must_use]
    pub const fn engine(&self) -> Engine {
        self.engine
    }

    /// Brings the schema up to date, in one transaction. Where another replica is at it, this one waits.
    ///
    /// # Errors
    /// When a step fails; everything is rolled back.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        let tx = self.begin().await?;
        if self.engine == Engine::Postgres {
            tx.inner().execute_unprepared(MIGRATING).await?;
        }
        Migrator::up(tx.inner(), None).await?;
        tx.commit().await.map(drop)
    }

    /// Whether every step of the schema has been taken.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn is_migrated(&self) -> Result<bool, StoreError> {
        Ok(Migrator::get_pending_migrations(&self.read).await?.is_empty())
    }

    /// Asks the database whether it answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        Ok(self.watch.execute_unprepared("SELECT 1").await.map(drop)?)
    }

    /// Commits a write, to find out whether writes are taken now.
    ///
    /// # Errors
    /// When they are not: the disk is full, the database is a standby, or it does not answer.
    pub async fn probe_write(&self) -> Result<(), StoreError> {
        // The embedded database has one writer, so it is that which is tried.
        let connection = if self.engine == Engine::Sqlite { &self.write } else { &self.watch };
        let tx = Tx::begin(self, connection).await?;
        tx.inner().execute_unprepared(PROBE).await?;
        tx.commit().await.map(drop)
    }

    /// Copies the embedded database as it is now into a new file, while it is used.
    ///
    /// # Errors
    /// When the copy cannot be written.
    pub async fn copy_to(&self, file: &str) -> Result<(), StoreError> {
        let copy = Statement::from_sql_and_values(DbBackend::Sqlite, "VACUUM INTO ?", [file.into()]);
        Ok(self.read.execute_raw(copy).await.map(drop)?)
    }

    /// The time by the database's clock, which all replicas share; none where there is but one process.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn time(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        if self.engine == Engine::Sqlite {
            return Ok(None);
        }
        let ask = Statement::from_string(DbBackend::Postgres, "SELECT clock_timestamp() AS now");
        let row = self.watch.query_one_raw(ask).await?.ok_or(StoreError::Corrupt("time"))?;
        Ok(Some(row.try_get("", "now")?))
    }

    /// Begins a writing transaction.
    ///
    /// # Errors
    /// When no connection is free in time.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        Tx::begin(self, &self.write).await
    }

    pub(in crate::store) const fn reader(&self) -> &DatabaseConnection {
        &self.read
    }

    /// Closes the connections.
    pub async fn close(&self) {
        // A failure to say good-bye changes nothing for anyone.
        let _ = self.write.clone().close().await;
        let _ = self.read.clone().close().await;
        let _ = self.queries.clone().close().await;
        let _ = self.watch.clone().close().await;
    }
}
