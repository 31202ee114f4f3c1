//! The only room that knows the database. One file an aggregate; reads of protected rows take the viewer's scope.
//!
//! Both engines run the same statements. SQLite has one writer connection whose transactions begin IMMEDIATE, so that no
//! transaction has to be upgraded; PostgreSQL takes row locks. What a caller may expect is a value; [`StoreError`]
//! is only for what went wrong underneath.

pub mod comments;
mod deletions;
mod epoch;
mod error;
pub mod feeds;
pub mod idempotency;
pub mod meetings;
pub mod page;
pub mod regions;
mod shapes;
pub mod stages;
mod tx;
pub mod votes;
pub mod withdrawals;

use std::{
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, Utc};
use migration::Migrator;
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, SqlxSqliteConnector, Statement,
};
use sea_orm_migration::MigratorTrait;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

pub use error::StoreError;
pub use tx::{Poke, Tx};

/// How long a caller waits for a connection before it is told that the database is not there.
const ACQUIRE: Duration = Duration::from_secs(3);

/// A step may take longer than a request, and so may the wait for another replica's; the lock ends with the transaction.
const MIGRATING: &str =
    "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0; SELECT pg_advisory_xact_lock(826)";

/// Which database engine serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// The embedded default.
    Sqlite,
    /// Production.
    Postgres,
}

/// The database: one door for reads, one for writes.
#[derive(Clone, Debug)]
pub struct Store {
    engine: Engine,
    read: DatabaseConnection,
    write: DatabaseConnection,
    /// For questions about the database itself, which are not to wait behind what everybody asks of it.
    watch: DatabaseConnection,
    statements: Arc<AtomicU64>,
}

impl Store {
    /// Opens the database at `url` (`sqlite:…` or `postgres://…`) with at most `connections` connections.
    ///
    /// # Errors
    /// When the address is not understood or the database does not answer.
    pub async fn connect(url: &str, connections: u32) -> Result<Self, StoreError> {
        if url.starts_with("sqlite:") {
            Self::sqlite(url, connections).await
        } else {
            Self::postgres(url, connections).await
        }
    }

    async fn sqlite(url: &str, connections: u32) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::from_str(url)
            .map_err(StoreError::Address)?
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            // As PostgreSQL has it.
            .pragma("case_sensitive_like", "ON")
            .busy_timeout(Duration::from_secs(5));
        let pool = |most: u32| SqlitePoolOptions::new().max_connections(most).acquire_timeout(ACQUIRE * 4);
        let write = pool(1).connect_with(options.clone()).await.map_err(StoreError::Address)?;
        let read = pool(connections.max(1)).connect_with(options).await.map_err(StoreError::Address)?;
        let statements = Arc::default();
        let counted = |pool| counted(SqlxSqliteConnector::from_sqlx_sqlite_pool(pool), &statements);
        let (read, write) = (counted(read), counted(write));
        Ok(Self { engine: Engine::Sqlite, watch: read.clone(), read, write, statements })
    }

    async fn postgres(url: &str, connections: u32) -> Result<Self, StoreError> {
        let mut options = ConnectOptions::new(url);
        options
            .max_connections(connections.max(2))
            .acquire_timeout(ACQUIRE)
            .connect_timeout(ACQUIRE)
            .sqlx_logging(false);
        options.map_sqlx_postgres_opts(|options| {
            options.options([
                ("statement_timeout", "10000"),
                ("lock_timeout", "5000"),
                ("idle_in_transaction_session_timeout", "15000"),
            ])
        });
        let statements = Arc::default();
        let watch = Database::connect(options.clone().max_connections(1).to_owned()).await?;
        let connection = counted(Database::connect(options).await?, &statements);
        Ok(Self { engine: Engine::Postgres, read: connection.clone(), write: connection, watch, statements })
    }

    /// How many statements were run.
    #[must_use]
    pub fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
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
        Tx::begin(self.engine, &self.write).await
    }

    pub(in crate::store) const fn reader(&self) -> &DatabaseConnection {
        &self.read
    }

    /// Closes the connections.
    pub async fn close(&self) {
        // A failure to say good-bye changes nothing for anyone.
        let _ = self.write.clone().close().await;
        let _ = self.read.clone().close().await;
        let _ = self.watch.clone().close().await;
    }
}

/// A connection whose statements are counted.
fn counted(mut connection: DatabaseConnection, statements: &Arc<AtomicU64>) -> DatabaseConnection {
    let statements = Arc::clone(statements);
    connection.set_metric_callback(move |_| {
        statements.fetch_add(1, Ordering::Relaxed);
    });
    connection
}
