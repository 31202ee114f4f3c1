//! Reads that are under way: whoever wants the same joins, so that a crowd costs one query.

use std::{
    collections::HashMap,
    fmt,
    hash::Hash,
    sync::{Arc, Weak},
};

use parking_lot::Mutex;
use tokio::sync::OnceCell;

/// Reads that are under way, by what they read. Nothing is kept: once a read has ended, well or not, the next one begins anew.
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
    /// Joins the read of `key` that is under way, or begins one. All who wait share its outcome, be it a failure: a database that is
    /// away is not asked again by each of a crowd. Where whoever reads gives up, one of those who wait reads instead.
    pub(in crate::feed) async fn join<F>(&self, key: K, read: impl FnOnce() -> F) -> V
    where
        F: Future<Output = V>,
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
        let value = flight.get_or_init(read).await.clone();
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

    async fn read(reads: &AtomicUsize) -> Result<usize, usize> {
        tokio::task::yield_now().await;
        let read = reads.fetch_add(1, Ordering::Relaxed);
        if read == 0 { Err(read) } else { Ok(read) }
    }

    #[tokio::test]
    async fn a_crowd_costs_one_read_whether_it_fails_or_not_and_the_next_crowd_another() {
        let (flights, reads) = (Flights::<u8, Result<usize, usize>>::default(), AtomicUsize::new(0));
        let crowd = || futures_util::future::join_all((0..100).map(|_| flights.join(7, || read(&reads))));
        assert!(crowd().await.into_iter().all(|seen| seen == Err(0)), "a failure is shared");
        assert!(crowd().await.into_iter().all(|seen| seen == Ok(1)), "and not kept");
        assert!(crowd().await.into_iter().all(|seen| seen == Ok(2)));
    }

    #[tokio::test]
    async fn a_read_that_is_given_up_is_taken_over() {
        let (flights, reads) = (Flights::<u8, Result<usize, usize>>::default(), AtomicUsize::new(1));
        let mut first = Box::pin(flights.join(1, std::future::pending));
        assert!(futures_util::poll!(&mut first).is_pending());
        let second = flights.join(1, || read(&reads));
        drop(first);
        assert_eq!(second.await, Ok(1));
    }
}
