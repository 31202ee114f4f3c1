//! Limits how many queries and mutations run at once on this replica.

use std::{
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_graphql::parser::types::OperationType;
use chrono::TimeDelta;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    clock::{Clock, sleep},
    http::gauge_guard::GaugeGuard,
};

/// How long an operation waits for a permit.
const MAX_WAIT: TimeDelta = TimeDelta::seconds(1);
/// Maximum number of operations that wait for each permit.
const MAX_WAITING_PER_PERMIT: usize = 8;

/// Permits for operations. Mutations have a pool of their own, which queries cannot exhaust.
#[derive(Clone)]
pub struct ConcurrencyLimits {
    queries: Option<Arc<OperationPool>>,
    mutations: Option<Arc<OperationPool>>,
}

struct OperationPool {
    permits: Arc<Semaphore>,
    waiting: AtomicUsize,
    max_waiting: usize,
    operation: &'static str,
}

/// No permit was released in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) struct Overloaded;

/// A permit, released when dropped.
pub(in crate::http) struct OperationPermit {
    _inner: Option<(GaugeGuard, OwnedSemaphorePermit)>,
}

impl ConcurrencyLimits {
    /// Creates `max` permits for queries and as many for mutations; `None` means no limit.
    #[must_use]
    pub fn new(max: Option<NonZeroUsize>) -> Self {
        let pool = |operation| {
            max.map(|max| {
                Arc::new(OperationPool {
                    permits: Arc::new(Semaphore::new(max.get().min(Semaphore::MAX_PERMITS))),
                    waiting: AtomicUsize::new(0),
                    max_waiting: max.get().saturating_mul(MAX_WAITING_PER_PERMIT),
                    operation,
                })
            })
        };
        Self { queries: pool("query"), mutations: pool("mutation") }
    }

    /// Acquires a permit, waiting up to [`MAX_WAIT`].
    ///
    /// # Errors
    /// When no permit is released in time, or too many operations wait already.
    pub(in crate::http) async fn acquire(
        &self,
        operation: OperationType,
        clock: &dyn Clock,
    ) -> Result<OperationPermit, Overloaded> {
        let pool = if operation == OperationType::Mutation { &self.mutations } else { &self.queries };
        match pool {
            Some(pool) => pool.acquire(clock).await,
            None => Ok(OperationPermit { _inner: None }),
        }
    }
}

impl OperationPool {
    async fn acquire(&self, clock: &dyn Clock) -> Result<OperationPermit, Overloaded> {
        let permit = match Arc::clone(&self.permits).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => self.wait(clock).await?,
        };
        let running = GaugeGuard::new(metrics::gauge!("kezdesu_operations_running", "operation" => self.operation));
        Ok(OperationPermit { _inner: Some((running, permit)) })
    }

    async fn wait(&self, clock: &dyn Clock) -> Result<OwnedSemaphorePermit, Overloaded> {
        let waiting = WaitingGuard::begin(self)?;
        let permit = tokio::select! {
            biased;
            permit = Arc::clone(&self.permits).acquire_owned() => permit.map_err(|_| Overloaded),
            () = sleep(clock, MAX_WAIT) => Err(Overloaded),
        };
        drop(waiting);
        permit
    }
}

/// Counts an operation that waits for a permit.
struct WaitingGuard<'a> {
    pool: &'a OperationPool,
    _gauge: GaugeGuard,
}

impl<'a> WaitingGuard<'a> {
    fn begin(pool: &'a OperationPool) -> Result<Self, Overloaded> {
        if pool.waiting.fetch_add(1, Ordering::Relaxed) >= pool.max_waiting {
            pool.waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(Overloaded);
        }
        let gauge = metrics::gauge!("kezdesu_operations_waiting", "operation" => pool.operation);
        Ok(Self { pool, _gauge: GaugeGuard::new(gauge) })
    }
}

impl Drop for WaitingGuard<'_> {
    fn drop(&mut self) {
        self.pool.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::clock::ManualClock;

    const QUERY: OperationType = OperationType::Query;

    #[tokio::test]
    async fn waits_for_a_permit_up_to_the_limit() {
        let clock = ManualClock::at("2026-03-02T04:00:00Z".parse().unwrap());
        let limits = ConcurrencyLimits::new(NonZeroUsize::new(1));
        let first = limits.acquire(QUERY, &*clock).await.unwrap();
        let mut second = Box::pin(limits.acquire(QUERY, &*clock));
        assert!(second.as_mut().now_or_never().is_none(), "it waits");
        assert!(
            limits.acquire(OperationType::Mutation, &*clock).now_or_never().unwrap().is_ok(),
            "mutations have theirs"
        );
        drop(first);
        let second = second.now_or_never().unwrap().unwrap();
        let mut third = Box::pin(limits.acquire(QUERY, &*clock));
        assert!(third.as_mut().now_or_never().is_none());
        clock.advance(MAX_WAIT);
        assert_eq!(third.await.err(), Some(Overloaded));
        drop(second);
        assert!(limits.acquire(QUERY, &*clock).now_or_never().unwrap().is_ok());
    }

    #[tokio::test]
    async fn limits_the_number_of_waiting_operations() {
        let clock = ManualClock::at("2026-03-02T04:00:00Z".parse().unwrap());
        let limits = ConcurrencyLimits::new(NonZeroUsize::new(1));
        let _first = limits.acquire(QUERY, &*clock).await.unwrap();
        let mut waiting: Vec<_> =
            (0..MAX_WAITING_PER_PERMIT).map(|_| Box::pin(limits.acquire(QUERY, &*clock))).collect();
        assert!(waiting.iter_mut().all(|waiting| waiting.as_mut().now_or_never().is_none()));
        assert_eq!(limits.acquire(QUERY, &*clock).now_or_never().unwrap().err(), Some(Overloaded));
        waiting.pop();
        assert!(limits.acquire(QUERY, &*clock).now_or_never().is_none(), "a cancelled wait makes room");
    }
}
