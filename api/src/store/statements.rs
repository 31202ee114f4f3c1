//! Counts statements, and remembers when the last one succeeded.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use parking_lot::Mutex;

/// Counter of a store's statements.
#[derive(Debug, Default)]
pub(in crate::store) struct StatementCounter {
    count: AtomicU64,
    succeeded: Mutex<Option<Instant>>,
}

impl StatementCounter {
    /// Records a finished statement.
    pub(in crate::store) fn record(&self, failed: bool) {
        self.count.fetch_add(1, Ordering::Relaxed);
        if !failed {
            // Wall-clock time, because it is compared with the pool's timeout.
            *self.succeeded.lock() = Some(Instant::now());
        }
    }

    /// Returns the number of finished statements.
    pub(in crate::store) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Returns whether a statement succeeded within this time.
    pub(in crate::store) fn succeeded_within(&self, time: Duration) -> bool {
        self.succeeded.lock().is_some_and(|at| at.elapsed() < time)
    }
}
