//! Generates ids. No other module creates random UUIDs.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use chrono::{DateTime, Utc};
use uuid::{ContextV7, Timestamp, Uuid};

/// A source of ids that sort by creation time.
pub trait IdGen: Send + Sync + 'static {
    /// Returns a new id, created at `now`.
    fn next(&self, now: DateTime<Utc>) -> Uuid;
}

/// UUIDs of version 7, monotonic within a millisecond.
#[derive(Debug, Default)]
pub struct RandomIds(parking_lot::Mutex<ContextV7>);

impl RandomIds {
    /// Creates the generator of a process.
    #[must_use]
    pub fn start() -> Arc<Self> {
        Arc::new(Self(parking_lot::Mutex::new(ContextV7::new())))
    }
}

impl IdGen for RandomIds {
    fn next(&self, now: DateTime<Utc>) -> Uuid {
        let seconds = u64::try_from(now.timestamp()).unwrap_or_default();
        Uuid::new_v7(Timestamp::from_unix(&*self.0.lock(), seconds, now.timestamp_subsec_nanos()))
    }
}

/// Counts 1, 2, 3 …, so that tests can predict ids.
#[derive(Debug, Default)]
pub struct CountingIds(AtomicU64);

impl IdGen for CountingIds {
    fn next(&self, _: DateTime<Utc>) -> Uuid {
        Uuid::from_u128(u128::from(self.0.fetch_add(1, Ordering::Relaxed) + 1))
    }
}
