//! Coalesces concurrent reads of the same key into one, so that a crowd costs one query.

use std::{
    collections::HashMap,
    fmt,
    hash::Hash,
    sync::{Arc, Weak},
};

use parking_lot::Mutex;
use tokio::sync::OnceCell;

/// Reads in progress by key. Nothing is cached: when a read has ended, the next one reads again.
pub struct SingleFlight<K, V>(Mutex<HashMap<K, Weak<OnceCell<V>>>>);

impl<K, V> Default for SingleFlight<K, V> {
    fn default() -> Self {
        Self(Mutex::new(HashMap::new()))
    }
}

impl<K, V> fmt::Debug for SingleFlight<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SingleFlight")
    }
}

impl<K: Clone + Eq + Hash, V: Clone> SingleFlight<K, V> {
    /// Joins the read of `key` in progress, or starts one. All waiters share its result, including a failure,
    /// so that a crowd does not retry against a failing database. If the reader is cancelled, a waiter reads
    /// instead.
    pub async fn join<F>(&self, key: K, read: impl FnOnce() -> F) -> V
    where
        F: Future<Output = V>,
    {
        // The cell is dropped before its flight, which then sees whether anybody else has it.
        let (_flight, shared) = {
            let mut reads = self.0.lock();
            let shared = reads.get(&key).and_then(Weak::upgrade).unwrap_or_else(|| {
                let shared = Arc::new(OnceCell::new());
                reads.insert(key.clone(), Arc::downgrade(&shared));
                shared
            });
            (Flight { reads: &self.0, key, cell: Arc::downgrade(&shared) }, shared)
        };
        shared.get_or_init(read).await.clone()
    }
}

/// Removes a read on drop if it has ended, or if nobody waits for it any more.
struct Flight<'a, K: Eq + Hash, V> {
    reads: &'a Mutex<HashMap<K, Weak<OnceCell<V>>>>,
    key: K,
    cell: Weak<OnceCell<V>>,
}

impl<K: Eq + Hash, V> Drop for Flight<'_, K, V> {
    fn drop(&mut self) {
        let mut reads = self.reads.lock();
        let is_over = |known: &Weak<OnceCell<V>>| {
            known.ptr_eq(&self.cell) && known.upgrade().is_none_or(|cell| cell.initialized())
        };
        if reads.get(&self.key).is_some_and(is_over) {
            reads.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    async fn read(reads: &AtomicUsize) -> Result<usize, usize> {
        tokio::task::yield_now().await;
        let read = reads.fetch_add(1, Ordering::Relaxed);
        if read == 0 { Err(read) } else { Ok(read) }
    }

    #[tokio::test]
    async fn a_crowd_costs_one_read_and_shares_its_failure() {
        let (flight, reads) = (SingleFlight::<u8, Result<usize, usize>>::default(), AtomicUsize::new(0));
        let crowd = || futures_util::future::join_all((0..100).map(|_| flight.join(7, || read(&reads))));
        assert!(crowd().await.into_iter().all(|seen| seen == Err(0)), "a failure is shared");
        assert!(crowd().await.into_iter().all(|seen| seen == Ok(1)), "and not kept");
        assert!(crowd().await.into_iter().all(|seen| seen == Ok(2)));
    }

    #[tokio::test]
    async fn a_waiter_takes_over_a_cancelled_read() {
        let (flight, reads) = (SingleFlight::<u8, Result<usize, usize>>::default(), AtomicUsize::new(1));
        let mut first = Box::pin(flight.join(1, std::future::pending));
        assert!(futures_util::poll!(&mut first).is_pending());
        let second = flight.join(1, || read(&reads));
        drop(first);
        assert_eq!(second.await, Ok(1));
        assert!(flight.0.lock().is_empty());
    }

    #[tokio::test]
    async fn a_cancelled_read_leaves_nothing_behind() {
        let flight = SingleFlight::<u8, Result<usize, usize>>::default();
        let (mut first, mut second) =
            (Box::pin(flight.join(1, std::future::pending)), Box::pin(flight.join(1, std::future::pending)));
        assert!(futures_util::poll!(&mut first).is_pending() && futures_util::poll!(&mut second).is_pending());
        drop(first);
        assert_eq!(flight.0.lock().len(), 1, "another waits");
        drop(second);
        assert!(flight.0.lock().is_empty());
    }
}
