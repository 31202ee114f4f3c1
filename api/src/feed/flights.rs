//! Reads that are under way: whoever wants the same joins, so that a crowd costs one query.

use std::{
    collections::HashMap,
    fmt,
    hash::Hash,
    sync::{Arc, Weak},
};

use parking_lot::Mutex;
use tokio::sync::OnceCell;

/// Reads that are under way, by what they read. Nothing is kept: once a read has ended, the next one begins anew.
pub(in crate::feed) struct Flights<K, V>(Mutex<HashMap<K, Weak<OnceCell<V>>>>);

impl<K, V> Default for Flights<K, V> {
    fn default() -> Self {
        Self(Mutex::new(HashMap::new()))
    }
}

impl<K, V> fmt::Debug for Flights<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Flights")
    }
}

impl<K: Copy + Eq + Hash, V: Clone> Flights<K, V> {
    /// Joins the read of `key` that is under way, or begins one. Where it fails, one of those who wait tries again.
    pub(in crate::feed) async fn join<E, F>(&self, key: K, read: impl FnOnce() -> F) -> Result<V, E>
    where
        F: Future<Output = Result<V, E>>,
    {
        let flight = {
            let mut flights = self.0.lock();
            if let Some(flight) = flights.get(&key).and_then(Weak::upgrade) {
                flight
            } else {
                let flight = Arc::new(OnceCell::new());
                flights.insert(key, Arc::downgrade(&flight));
                flight
            }
        };
        let value = flight.get_or_try_init(read).await.cloned();
        let mut flights = self.0.lock();
        if flights.get(&key).is_some_and(|known| known.as_ptr() == Arc::as_ptr(&flight)) {
            flights.remove(&key);
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_crowd_costs_one_read_and_the_next_crowd_another() {
        let (flights, reads) = (Flights::<u8, usize>::default(), AtomicUsize::new(0));
        let read = || async {
            tokio::task::yield_now().await;
            Ok::<_, ()>(reads.fetch_add(1, Ordering::Relaxed))
        };
        let crowd = || futures_util::future::join_all((0..100).map(|_| flights.join(7, read)));
        assert!(crowd().await.into_iter().all(|seen| seen == Ok(0)));
        assert!(crowd().await.into_iter().all(|seen| seen == Ok(1)));
    }

    #[tokio::test]
    async fn a_failed_read_is_tried_again() {
        let flights = Flights::<u8, u8>::default();
        assert_eq!(flights.join(1, || async { Err("down") }).await, Err("down"));
        assert_eq!(flights.join(1, || async { Ok::<_, &str>(3) }).await, Ok(3));
    }
}
