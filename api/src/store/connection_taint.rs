//! Keeps SQLite's writer connection from being reused after a failure.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use sqlx::sqlite::SqliteConnection;

/// Marks SQLite's writer connection as suspect after a failure.
///
/// SQLite rolls back a transaction when a write fails, but the library still counts it as open, and its next commit
/// would commit nothing. A suspect connection is closed instead of reused.
#[derive(Clone, Debug, Default)]
pub(in crate::store) struct ConnectionTaint(Arc<TaintState>);

#[derive(Debug, Default)]
struct TaintState {
    last: AtomicU64,
    /// Number of the current mark, or 0 if there is none.
    current: AtomicU64,
    /// Whether SQLite has committed a transaction since the last release.
    has_committed: AtomicBool,
}

impl ConnectionTaint {
    /// Marks the connection to be closed on release, unless the mark is cleared before.
    pub(in crate::store) fn mark(&self) -> u64 {
        let number = self.0.last.fetch_add(1, Ordering::AcqRel) + 1;
        self.0.current.store(number, Ordering::Release);
        number
    }

    /// Clears a mark, unless a newer one was set.
    pub(in crate::store) fn clear(&self, number: u64) {
        // An error means that a newer mark is set, or that the connection is already closed.
        let _ = self.0.current.compare_exchange(number, 0, Ordering::AcqRel, Ordering::Acquire);
    }

    /// Removes the mark, and returns whether there was one.
    pub(in crate::store) fn take(&self) -> bool {
        self.0.current.swap(0, Ordering::AcqRel) != 0
    }

    /// Records each commit of a connection, as SQLite itself reports it.
    pub(in crate::store) async fn watch_commits(&self, connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        // What an earlier connection left does not concern this one.
        let _ = (self.take(), self.take_committed());
        let taint = self.clone();
        connection.lock_handle().await?.set_commit_hook(move || {
            taint.0.has_committed.store(true, Ordering::Release);
            true
        });
        Ok(())
    }

    /// Returns whether SQLite has committed a transaction since the last call.
    pub(in crate::store) fn take_committed(&self) -> bool {
        self.0.has_committed.swap(false, Ordering::AcqRel)
    }
}
