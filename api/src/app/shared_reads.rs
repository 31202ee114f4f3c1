//! Shares reads among those who ask for the same while another read runs.
//!
//! Unlike [`crate::feed::single_flight::SingleFlight`], nobody gets the result of a read that began before they asked, so
//! whoever has just written reads what they wrote.

use std::{
    collections::HashMap,
    fmt,
    hash::Hash,
    sync::{Arc, Weak},
};

use parking_lot::Mutex;
use tokio::sync::OnceCell;

use crate::store::StoreError;

/// Reads by key. A key has at most one running read and one that waits for it.
pub(in crate::app) struct SharedReads<K, V>(Mutex<HashMap<K, Weak<Turns<V>>>>);

/// What all who wait for a read get, a failure included, so that they do not try one after the other.
type SharedResult<V> = Result<Arc<V>, Arc<StoreError>>;

struct Turns<V> {
    running: tokio::sync::Mutex<()>,
    /// The read that has not begun.
    next: Mutex<Arc<OnceCell<SharedResult<V>>>>,
}

impl<K, V> Default for SharedReads<K, V> {
    fn default() -> Self {
        Self(Mutex::new(HashMap::new()))
    }
}

impl<K, V> fmt::Debug for SharedReads<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedReads")
    }
}

impl<K: Eq + Hash, V> SharedReads<K, V> {
    /// Reads, or takes the result of a read that another begins after this call. If its reader leaves, another reads.
    ///
    /// # Errors
    /// When the read fails.
    pub(in crate::app) async fn read<F>(&self, key: K, read: impl FnOnce() -> F) -> Result<Arc<V>, StoreError>
    where
        F: Future<Output = Result<V, StoreError>>,
    {
        let turns = self.turns(key);
        let next = Arc::clone(&turns.next.lock());
        let shared = next.get_or_init(async || {
            let _running = turns.running.lock().await;
            // Whoever comes from now on waits for another read.
            *turns.next.lock() = Arc::default();
            read().await.map(Arc::new).map_err(Arc::new)
        });
        shared.await.clone().map_err(StoreError::Shared)
    }

    fn turns(&self, key: K) -> Arc<Turns<V>> {
        let mut all = self.0.lock();
        if let Some(turns) = all.get(&key).and_then(Weak::upgrade) {
            return turns;
        }
        all.retain(|_, turns| turns.strong_count() > 0);
        let turns = Arc::new(Turns { running: tokio::sync::Mutex::default(), next: Mutex::default() });
        all.insert(key, Arc::downgrade(&turns));
        turns
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use futures_util::{FutureExt as _, future::join_all};
    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn those_who_ask_during_a_read_share_the_next_one() {
        let (reads, begun, go) = (SharedReads::<u8, usize>::default(), AtomicUsize::new(0), Notify::new());
        let read = || async {
            let number = begun.fetch_add(1, Relaxed) + 1;
            go.notified().await;
            Ok(number)
        };
        let mut first = Box::pin(reads.read(1, read));
        assert!(first.as_mut().now_or_never().is_none());
        let mut others = Box::pin(join_all((0..50).map(|_| reads.read(1, read))));
        assert!(others.as_mut().now_or_never().is_none());
        assert_eq!(begun.load(Relaxed), 1, "the second waits for the first");
        go.notify_one();
        assert_eq!(*first.await.unwrap(), 1);
        go.notify_one();
        let results: Vec<usize> = others.await.into_iter().map(|result| *result.unwrap()).collect();
        assert_eq!(results, [2; 50], "nobody gets a result from before they asked");
        go.notify_one();
        assert_eq!(*reads.read(1, read).await.unwrap(), 3);
        go.notify_one();
        reads.read(2, read).await.unwrap();
        assert_eq!(reads.0.lock().len(), 1, "what nobody waits for is forgotten");
    }

    #[tokio::test]
    async fn those_who_wait_share_a_failure_and_outlive_a_reader_that_leaves() {
        let (reads, go) = (SharedReads::<u8, usize>::default(), Notify::new());
        let begun = AtomicUsize::new(0);
        let mut first = Box::pin(reads.read(1, async || {
            go.notified().await;
            Ok(1)
        }));
        assert!(first.as_mut().now_or_never().is_none());
        let failing = || async {
            begun.fetch_add(1, Relaxed);
            Err(StoreError::Corrupt("test"))
        };
        let mut leaving = Box::pin(reads.read(1, async || Ok(2)));
        let mut staying = Box::pin(join_all((0..50).map(|_| reads.read(1, failing))));
        assert!(leaving.as_mut().now_or_never().is_none() && staying.as_mut().now_or_never().is_none());
        drop(leaving);
        go.notify_one();
        assert_eq!(*first.await.unwrap(), 1);
        assert!(staying.await.iter().all(Result::is_err));
        assert_eq!(begun.load(Relaxed), 1, "one failure for all who waited");
    }
}
