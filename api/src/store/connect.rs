//! Opens the databases' connections: those that write, those that commands and feeds read with, and those of queries.

use std::{
    fs::{OpenOptions, Permissions},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
    str::FromStr as _,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use sea_orm::{ConnectOptions, Database, DatabaseConnection, SqlxSqliteConnector};
use sqlx::{
    Connection as _, Executor as _,
    sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::store::{Engine, Store, StoreError, statements::Statements};

/// How long a caller waits for a connection before it is told that the database is not there.
pub(in crate::store) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a caller waits for the only connection that writes.
const ACQUIRE_WRITER_TIMEOUT: Duration = Duration::from_secs(12);

/// Whether the embedded database's writing connection may have come into a state that nobody knows.
///
/// SQLite rolls a transaction back by itself when a write fails, and the library goes on counting it: what it then calls a
/// commit commits nothing. So a connection is used again only if nothing on it has failed.
#[derive(Clone, Debug, Default)]
pub(in crate::store) struct ConnectionTaint(Arc<Raised>);

#[derive(Debug, Default)]
struct Raised {
    last: AtomicU64,
    /// The taint that stands; 0: none.
    current: AtomicU64,
}

impl ConnectionTaint {
    /// Lets the connection be closed once it is given back, unless the taint is cleared before.
    pub(in crate::store) fn mark(&self) -> u64 {
        let number = self.0.last.fetch_add(1, Ordering::AcqRel) + 1;
        self.0.current.store(number, Ordering::Release);
        number
    }

    /// Takes back a taint that was not confirmed. One that was set since then stands.
    pub(in crate::store) fn clear(&self, number: u64) {
        // An error means that another stands, or that the connection has been closed for this one.
        let _ = self.0.current.compare_exchange(number, 0, Ordering::AcqRel, Ordering::Acquire);
    }

    fn take(&self) -> bool {
        self.0.current.swap(0, Ordering::AcqRel) != 0
    }
}

/// Opens the embedded database, which has one writer, and makes its file private to this user.
pub(in crate::store) async fn sqlite(url: &str, connections: u32) -> Result<Store, StoreError> {
    let options = SqliteConnectOptions::from_str(url)
        .map_err(StoreError::Address)?
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        // As PostgreSQL has it.
        .pragma("case_sensitive_like", "ON")
        .busy_timeout(Duration::from_secs(5));
    make_private(options.get_filename()).map_err(|error| StoreError::Address(sqlx::Error::Io(error)))?;
    let taint = ConnectionTaint::default();
    let watched = taint.clone();
    let writer = SqlitePoolOptions::new().max_connections(1).acquire_timeout(ACQUIRE_WRITER_TIMEOUT);
    let writer = writer.after_release(move |connection, _| Box::pin(is_clean(connection, watched.clone())));
    let write = writer.connect_with(options.clone()).await.map_err(StoreError::Address)?;
    let readers = |most: u32| {
        let pool = SqlitePoolOptions::new().max_connections(most.max(1)).acquire_timeout(ACQUIRE_TIMEOUT);
        pool.connect_with(options.clone())
    };
    let queries = readers(connections).await.map_err(StoreError::Address)?;
    let reserved = readers(connections.div_ceil(2)).await.map_err(StoreError::Address)?;

    let statements = Arc::default();
    let connection = |pool| SqlxSqliteConnector::from_sqlx_sqlite_pool(pool);
    let read = counted(connection(reserved), &statements, None);
    Ok(Store {
        engine: Engine::Sqlite,
        write: counted(connection(write), &statements, Some(&taint)),
        queries: counted(connection(queries), &statements, None),
        watch: read.clone(),
        read,
        statements,
        taint,
    })
}

/// Opens PostgreSQL. Half of the connections are kept for commands, feeds and jobs, so that queries cannot take them.
pub(in crate::store) async fn postgres(url: &str, connections: u32) -> Result<Store, StoreError> {
    let mut options = ConnectOptions::new(url);
    options.acquire_timeout(ACQUIRE_TIMEOUT).connect_timeout(ACQUIRE_TIMEOUT).sqlx_logging(false);
    options.map_sqlx_postgres_opts(|options| {
        options.options([
            ("statement_timeout", "10000"),
            ("lock_timeout", "5000"),
            ("idle_in_transaction_session_timeout", "15000"),
        ])
    });
    let pool = |most: u32| Database::connect(options.clone().max_connections(most.max(1)).to_owned());
    let statements = Arc::default();
    let watch = pool(1).await?;
    let write = counted(pool(connections.div_ceil(2)).await?, &statements, None);
    let queries = counted(pool(connections / 2).await?, &statements, None);
    let taint = ConnectionTaint::default();
    Ok(Store { engine: Engine::Postgres, read: write.clone(), write, queries, watch, statements, taint })
}

/// Whether a connection that is given back is in no transaction, and nothing on it has failed.
async fn is_clean(connection: &mut SqliteConnection, taint: ConnectionTaint) -> Result<bool, sqlx::Error> {
    // Behind the rollback of a dropped transaction, which waits in the connection's queue. A transaction does not begin within
    // another, so this also tells that none is open, whatever the library has counted.
    let is_idle = connection.execute(sqlx::raw_sql("BEGIN; ROLLBACK")).await.is_ok();
    let is_suspect = taint.take();
    Ok(is_idle && !connection.is_in_transaction() && !is_suspect)
}

/// Creates the database's file if it is missing, readable by this user only. Its log and index get the same mode from SQLite.
fn make_private(file: &Path) -> std::io::Result<()> {
    // A database in memory has no file, and its name is made up.
    if file.as_os_str().is_empty()
        || file.to_string_lossy().contains(":memory:")
        || file.starts_with("file:sqlx-in-memory")
    {
        return Ok(());
    }
    let opened = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(file);
    match opened {
        Ok(_) => {
            for ending in ["", "-wal", "-shm"] {
                let mut name = file.as_os_str().to_owned();
                name.push(ending);
                // What is not there gets the mode of the database, and what belongs to somebody else is left as it is.
                let _ = std::fs::set_permissions(name, Permissions::from_mode(0o600));
            }
            Ok(())
        }
        // SQLite says what is wrong with it.
        Err(_) if file.exists() => Ok(()),
        Err(error) => Err(error),
    }
}

/// Counts the statements of a connection as they end, and marks the connection where one fails.
fn counted(
    mut connection: DatabaseConnection,
    statements: &Arc<Statements>,
    taint: Option<&ConnectionTaint>,
) -> DatabaseConnection {
    let (statements, taint) = (Arc::clone(statements), taint.cloned());
    connection.set_metric_callback(move |statement| {
        statements.ended(statement.failed);
        if let Some(taint) = taint.as_ref().filter(|_| statement.failed) {
            // Never cleared: the statement has failed.
            let _ = taint.mark();
        }
    });
    connection
}
