//! The database layer, the only module that uses sea-orm. One file for each aggregate; protected rows need a scope.
//!
//! Both engines run the same statements. SQLite has one writer connection whose transactions begin IMMEDIATE, so that
//! no transaction needs an upgrade; PostgreSQL takes row locks. Expected outcomes are return values; [`StoreError`]
//! is only for infrastructure failures.

pub mod agencies;
pub mod applicants;
pub mod audit_log;
pub mod audit_reads;
mod batching;
mod bulk_insert;
mod bulk_update;
mod changes;
pub mod comment_changes;
pub mod comments;
mod connect;
mod connection_taint;
mod counts;
mod deletions;
mod epoch;
mod error;
pub mod feeds;
pub mod idempotency;
pub mod issue_lists;
pub mod issue_parts;
pub mod issue_search;
pub mod issues;
pub mod job_leases;
pub mod jobs;
pub mod keyset;
pub mod meetings;
pub mod mutes;
mod normalization;
pub mod protocols;
pub mod public_requests;
pub mod publications;
pub mod published_issues;
pub mod receptions;
pub mod regions;
pub mod registrations;
pub mod revocations;
mod search;
mod snapshot;
pub mod staff_names;
pub mod stage_segments;
mod statements;
mod subtree;
#[cfg(test)]
mod tests;
mod tx;
pub mod votes;
pub mod webhook_deliveries;
pub mod webhooks;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use migration::Migrator;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};
use sea_orm_migration::MigratorTrait;

pub use counts::MAX_COUNT;
pub use error::StoreError;
pub use tx::{FeedAdvanced, Tx};

use crate::store::{connection_taint::ConnectionTaint, statements::StatementCounter};

/// Lifts the timeouts for a migration, and locks out other replicas until the transaction ends.
const MIGRATION_SETUP: &str =
    "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0; SELECT pg_advisory_xact_lock(826)";

/// A write without visible effect.
const WRITE_PROBE: &str = "INSERT INTO write_probes (id, probes) VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET probes = write_probes.probes + 1";

/// The database engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatabaseEngine {
    /// SQLite, the embedded default.
    Sqlite,
    /// PostgreSQL, for production.
    Postgres,
}

/// The database, with separate pools for writes, for reads of commands and feeds, and for queries.
#[derive(Clone, Debug)]
pub struct Store {
    engine: DatabaseEngine,
    read: DatabaseConnection,
    write: DatabaseConnection,
    /// For queries, so that they cannot take the connections of commands and feeds.
    queries: DatabaseConnection,
    /// For health checks, so that they do not wait behind other statements.
    watch: DatabaseConnection,
    statements: Arc<StatementCounter>,
    taint: ConnectionTaint,
}

impl Store {
    /// Opens the database at `url` (`sqlite:…` or `postgres://…`) with at most `connections` connections.
    ///
    /// # Errors
    /// When the URL is invalid, or the database is unreachable.
    pub async fn connect(url: &str, connections: u32) -> Result<Self, StoreError> {
        if url.starts_with("sqlite:") {
            connect::sqlite(url, connections).await
        } else {
            connect::postgres(url, connections).await
        }
    }

    /// Returns this store with the read connections of queries.
    #[must_use]
    pub fn for_queries(&self) -> Self {
        Self { read: self.queries.clone(), ..self.clone() }
    }

    /// Returns the number of statements run so far.
    #[must_use]
    pub fn statements(&self) -> u64 {
        self.statements.count()
    }

    /// Returns whether an error is caused by overload rather than by an unreachable database.
    #[must_use]
    pub fn is_overload(&self, error: &StoreError) -> bool {
        // SQLite is always reachable.
        error.is_pool_timeout()
            && (self.engine == DatabaseEngine::Sqlite || self.statements.succeeded_within(connect::ACQUIRE_TIMEOUT))
    }

    /// The engine behind this store.
    #[must_use]
    pub const fn engine(&self) -> DatabaseEngine {
        self.engine
    }

    /// Migrates the schema in one transaction. Waits for other replicas that migrate.
    ///
    /// # Errors
    /// When a step fails. Everything is rolled back.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        let tx = self.begin().await?;
        if self.engine == DatabaseEngine::Postgres {
            tx.inner().execute_unprepared(MIGRATION_SETUP).await?;
        }
        Migrator::up(tx.inner(), None).await?;
        tx.commit().await.map(drop)
    }

    /// Returns whether the schema is up to date.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn is_migrated(&self) -> Result<bool, StoreError> {
        Ok(Migrator::get_pending_migrations(&self.read).await?.is_empty())
    }

    /// Checks that the database answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        Ok(self.watch.execute_unprepared("SELECT 1").await.map(drop)?)
    }

    /// Commits a write to check that the database accepts writes.
    ///
    /// # Errors
    /// When it does not: the disk is full, the database is a standby, or it does not answer.
    pub async fn probe_write(&self) -> Result<(), StoreError> {
        // SQLite has one writer, so that connection is probed.
        let connection = if self.engine == DatabaseEngine::Sqlite { &self.write } else { &self.watch };
        let tx = Tx::begin(self, connection).await?;
        tx.inner().execute_unprepared(WRITE_PROBE).await?;
        tx.commit().await.map(drop)
    }

    /// Copies the running SQLite database to a new file.
    ///
    /// # Errors
    /// When the copy cannot be written.
    pub async fn copy_to(&self, file: &str) -> Result<(), StoreError> {
        let copy = Statement::from_sql_and_values(DbBackend::Sqlite, "VACUUM INTO ?", [file.into()]);
        Ok(self.read.execute_raw(copy).await.map(drop)?)
    }

    /// Returns the database's time, which all replicas share, or `None` for SQLite.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn time(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        if self.engine == DatabaseEngine::Sqlite {
            return Ok(None);
        }
        let ask = Statement::from_string(DbBackend::Postgres, "SELECT clock_timestamp() AS now");
        let row = self.watch.query_one_raw(ask).await?.ok_or(StoreError::Corrupt("time"))?;
        Ok(Some(row.try_get("", "now")?))
    }

    /// Starts a writing transaction.
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
        // Errors on close have no effect.
        let _ = self.write.clone().close().await;
        let _ = self.read.clone().close().await;
        let _ = self.queries.clone().close().await;
        let _ = self.watch.clone().close().await;
    }
}
