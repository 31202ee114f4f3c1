//! Limits how many queries and mutations run, and how many subscriptions start, at once on this replica.

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

/// How operations of a type wait for a permit.
#[derive(Clone, Copy)]
struct WaitLimits {
    /// How long an operation waits.
    longest: TimeDelta,
    /// Maximum number of operations that wait for each permit.
    per_permit: usize,
}

/// A query or mutation that waits longer is better repeated.
const REQUEST_WAIT: WaitLimits = WaitLimits { longest: TimeDelta::seconds(1), per_permit: 8 };
/// The followers of a broadcast come together, and each start is short.
const START_WAIT: WaitLimits = WaitLimits { longest: TimeDelta::seconds(5), per_permit: 16 };

/// Permits for operations. Each type has a pool of its own, which the others cannot exhaust.
#[derive(Clone)]
pub struct ConcurrencyLimits {
    queries: Option<Arc<OperationPool>>,
    mutations: Option<Arc<OperationPool>>,
    subscriptions: Option<Arc<OperationPool>>,
}

struct OperationPool {
    permits: Arc<Semaphore>,
    waiting: AtomicUsize,
    max_waiting: usize,
    longest_wait: TimeDelta,
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
    /// Creates `max` permits for each type of operation; `None` means no limit.
    #[must_use]
    pub fn new(max: Option<NonZeroUsize>) -> Self {
        let pool = |operation, wait: WaitLimits| {
            max.map(|max| {
                Arc::new(OperationPool {
                    permits: Arc::new(Semaphore::new(max.get().min(Semaphore::MAX_PERMITS))),
                    waiting: AtomicUsize::new(0),
                    max_waiting: max.get().saturating_mul(wait.per_permit),
                    longest_wait: wait.longest,
                    operation,
                })
            })
        };
        Self {
            queries: pool("query", REQUEST_WAIT),
            mutations: pool("mutation", REQUEST_WAIT),
            subscriptions: pool("subscription", START_WAIT),
        }
    }

    /// Acquires a permit. A query or mutation waits up to a second, and the start of a subscription up to five.
    ///
    /// # Errors
    /// When no permit is released in time, or too many operations wait already.
    pub(in crate::http) async fn acquire(
        &self,
        operation: OperationType,
        clock: &dyn Clock,
    ) -> Result<OperationPermit, Overloaded> {
        let pool = match operation {
            OperationType::Query => &self.queries,
            OperationType::Mutation => &self.mutations,
            OperationType::Subscription => &self.subscriptions,
        };
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
            () = sleep(clock, self.longest_wait) => Err(Overloaded),
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
        for other in [OperationType::Mutation, OperationType::Subscription] {
            assert!(limits.acquire(other, &*clock).now_or_never().unwrap().is_ok(), "{other} has a pool of its own");
        }
        drop(first);
        let second = second.now_or_never().unwrap().unwrap();
        let mut third = Box::pin(limits.acquire(QUERY, &*clock));
        assert!(third.as_mut().now_or_never().is_none());
        clock.advance(REQUEST_WAIT.longest);
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
            (0..REQUEST_WAIT.per_permit).map(|_| Box::pin(limits.acquire(QUERY, &*clock))).collect();
        assert!(waiting.iter_mut().all(|waiting| waiting.as_mut().now_or_never().is_none()));
        assert_eq!(limits.acquire(QUERY, &*clock).now_or_never().unwrap().err(), Some(Overloaded));
        waiting.pop();
        assert!(limits.acquire(QUERY, &*clock).now_or_never().is_none(), "a cancelled wait makes room");
    }
}
