//! Opens database connections in three pools: for writes, for reads of commands and feeds, and for queries.

use std::{
    fs::{OpenOptions, Permissions},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
    str::FromStr as _,
    sync::Arc,
    time::Duration,
};

use sea_orm::{ConnectOptions, Database, DatabaseConnection, SqlxSqliteConnector};
use sqlx::{
    Connection as _, Executor as _,
    sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::store::{
    DatabaseEngine, Store, StoreError, connection_taint::ConnectionTaint, statements::StatementCounter,
};

/// Longest wait for a connection before the database counts as unreachable.
pub(in crate::store) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);
/// Longest wait for SQLite's only writer connection.
const ACQUIRE_WRITER_TIMEOUT: Duration = Duration::from_secs(12);

/// Opens SQLite with one writer, and makes its file private to the current user.
pub(in crate::store) async fn sqlite(url: &str, connections: u32) -> Result<Store, StoreError> {
    let options = SqliteConnectOptions::from_str(url)
        .map_err(StoreError::Address)?
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        // As in PostgreSQL.
        .pragma("case_sensitive_like", "ON")
        .busy_timeout(Duration::from_secs(5));
    make_private(options.get_filename()).map_err(|error| StoreError::Address(sqlx::Error::Io(error)))?;
    let taint = ConnectionTaint::default();
    let watched = taint.clone();
    let writer = SqlitePoolOptions::new().max_connections(1).acquire_timeout(ACQUIRE_WRITER_TIMEOUT);
    let opened = taint.clone();
    let writer = writer
        .after_connect(move |connection, _| {
            let taint = opened.clone();
            Box::pin(async move { taint.watch_commits(connection).await })
        })
        .after_release(move |connection, _| Box::pin(is_clean(connection, watched.clone())));
    let write = writer.connect_with(options.clone()).await.map_err(StoreError::Address)?;
    let readers = |max: u32| {
        let pool = SqlitePoolOptions::new().max_connections(max.max(1)).acquire_timeout(ACQUIRE_TIMEOUT);
        pool.connect_with(options.clone())
    };
    let queries = readers(connections).await.map_err(StoreError::Address)?;
    let reserved = readers(connections.div_ceil(2)).await.map_err(StoreError::Address)?;

    let statements = Arc::default();
    let connection = |pool| SqlxSqliteConnector::from_sqlx_sqlite_pool(pool);
    let read = with_counter(connection(reserved), &statements, None);
    Ok(Store {
        engine: DatabaseEngine::Sqlite,
        write: with_counter(connection(write), &statements, Some(&taint)),
        queries: with_counter(connection(queries), &statements, None),
        watch: read.clone(),
        read,
        statements,
        taint,
    })
}

/// Opens PostgreSQL. Queries get half of the connections; commands, feeds and jobs keep the other half.
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
    let pool = |max: u32| Database::connect(options.clone().max_connections(max.max(1)).to_owned());
    let statements = Arc::default();
    let watch = pool(1).await?;
    let write = with_counter(pool(connections.div_ceil(2)).await?, &statements, None);
    let queries = with_counter(pool(connections / 2).await?, &statements, None);
    let taint = ConnectionTaint::default();
    Ok(Store { engine: DatabaseEngine::Postgres, read: write.clone(), write, queries, watch, statements, taint })
}

/// Returns whether a released connection has no open transaction and no mark.
async fn is_clean(connection: &mut SqliteConnection, taint: ConnectionTaint) -> Result<bool, sqlx::Error> {
    // A connection serves one transaction before it is released, so if that was committed, none is open. Otherwise
    // its rollback is queued on the connection; BEGIN runs after it, and fails inside a transaction, whatever the
    // library counts.
    let has_committed = taint.take_committed();
    let is_idle = has_committed || connection.execute(sqlx::raw_sql("BEGIN; ROLLBACK")).await.is_ok();
    let is_suspect = taint.take();
    Ok(is_idle && !connection.is_in_transaction() && !is_suspect)
}

/// Creates the database file with mode 0600. SQLite gives its log and index the same mode.
fn make_private(file: &Path) -> std::io::Result<()> {
    // In-memory databases have no file.
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
                // Missing files get the mode of the database later. Files of other users stay as they are.
                let _ = std::fs::set_permissions(name, Permissions::from_mode(0o600));
            }
            Ok(())
        }
        // SQLite reports the error when it opens the file.
        Err(_) if file.exists() => Ok(()),
        Err(error) => Err(error),
    }
}

/// Counts a connection's statements, and marks the connection when one fails.
fn with_counter(
    mut connection: DatabaseConnection,
    statements: &Arc<StatementCounter>,
    taint: Option<&ConnectionTaint>,
) -> DatabaseConnection {
    let (statements, taint) = (Arc::clone(statements), taint.cloned());
    connection.set_metric_callback(move |statement| {
        statements.record(statement.failed);
        if let Some(taint) = taint.as_ref().filter(|_| statement.failed) {
            // Never cleared, because the statement failed.
            let _ = taint.mark();
        }
    });
    connection
}
