//! The one place where fresh identities come from.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use chrono::{DateTime, Utc};
use uuid::{ContextV7, Timestamp, Uuid};

/// A source of identities that sort by the time they were made.
pub trait IdGen: Send + Sync + 'static {
    /// A fresh identity, made at `now`.
    fn next(&self, now: DateTime<Utc>) -> Uuid;
}

/// Version 7 UUIDs; within one millisecond they still rise.
#[derive(Debug, Default)]
pub struct RandomIds(parking_lot::Mutex<ContextV7>);

impl RandomIds {
    /// A generator for one process.
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

/// 1, 2, 3 … so that tests can name what will be made.
#[derive(Debug, Default)]
pub struct CountingIds(AtomicU64);

impl IdGen for CountingIds {
    fn next(&self, _: DateTime<Utc>) -> Uuid {
        Uuid::from_u128(u128::from(self.0.fetch_add(1, Ordering::Relaxed) + 1))
    }
}
