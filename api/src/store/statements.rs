//! Counts statements, and remembers when the database last did what one asked.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

use parking_lot::Mutex;

use crate::store::connect::ACQUIRE_TIMEOUT;

/// The statements of a store.
#[derive(Debug, Default)]
pub(in crate::store) struct Statements {
    count: AtomicU64,
    succeeded: Mutex<Option<Instant>>,
}

impl Statements {
    /// Counts a statement that has ended.
    pub(in crate::store) fn ended(&self, failed: bool) {
        self.count.fetch_add(1, Ordering::Relaxed);
        if !failed {
            // Real time: it is compared with how long others wait for a connection.
            *self.succeeded.lock() = Some(Instant::now());
        }
    }

    /// How many have ended.
    pub(in crate::store) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Whether one succeeded while somebody who gives up now was waiting for a connection.
    pub(in crate::store) fn succeed(&self) -> bool {
        self.succeeded.lock().is_some_and(|at| at.elapsed() < ACQUIRE_TIMEOUT)
    }
}
