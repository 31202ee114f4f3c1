//! Caps how many queries, and how many mutations, run at once at one replica.

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

use crate::clock::{Clock, sleep};

/// How long an operation waits for a place.
const LONGEST_WAIT: TimeDelta = TimeDelta::seconds(1);
/// How many operations wait for each place at most.
const WAITING_PER_PERMIT: usize = 8;

/// The places of operations. Mutations have their own, which queries cannot take.
#[derive(Clone)]
pub struct ConcurrencyLimits {
    queries: Option<Arc<Pool>>,
    mutations: Option<Arc<Pool>>,
}

struct Pool {
    free: Arc<Semaphore>,
    waiting: AtomicUsize,
    most_waiting: usize,
    operation: &'static str,
}

/// No place came free in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) struct Overloaded;

/// A place, taken until it is dropped.
pub(in crate::http) struct Permit {
    taken: Option<(OwnedSemaphorePermit, &'static str)>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some((_, operation)) = &self.taken {
            metrics::gauge!("kezdesu_operations_running", "operation" => *operation).decrement(1.0);
        }
    }
}

impl ConcurrencyLimits {
    /// So many places for queries, and as many for mutations; none: any number.
    #[must_use]
    pub fn new(most: Option<NonZeroUsize>) -> Self {
        let pool = |operation| {
            most.map(|most| {
                Arc::new(Pool {
                    free: Arc::new(Semaphore::new(most.get().min(Semaphore::MAX_PERMITS))),
                    waiting: AtomicUsize::new(0),
                    most_waiting: most.get().saturating_mul(WAITING_PER_PERMIT),
                    operation,
                })
            })
        };
        Self { queries: pool("query"), mutations: pool("mutation") }
    }

    /// Takes a place, at once or once one comes free.
    ///
    /// # Errors
    /// When none comes free in time, or too many wait already.
    pub(in crate::http) async fn take(
        &self,
        operation: OperationType,
        clock: &dyn Clock,
    ) -> Result<Permit, Overloaded> {
        let pool = if operation == OperationType::Mutation { &self.mutations } else { &self.queries };
        match pool {
            Some(pool) => pool.take(clock).await,
            None => Ok(Permit { taken: None }),
        }
    }
}

impl Pool {
    async fn take(&self, clock: &dyn Clock) -> Result<Permit, Overloaded> {
        let permit = match Arc::clone(&self.free).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => self.wait(clock).await?,
        };
        metrics::gauge!("kezdesu_operations_running", "operation" => self.operation).increment(1.0);
        Ok(Permit { taken: Some((permit, self.operation)) })
    }

    async fn wait(&self, clock: &dyn Clock) -> Result<OwnedSemaphorePermit, Overloaded> {
        let waiting = Waiting::begin(self)?;
        let permit = tokio::select! {
            biased;
            permit = Arc::clone(&self.free).acquire_owned() => permit.map_err(|_| Overloaded),
            () = sleep(clock, LONGEST_WAIT) => Err(Overloaded),
        };
        drop(waiting);
        permit
    }
}

/// One of those who wait.
struct Waiting<'a>(&'a Pool);

impl<'a> Waiting<'a> {
    fn begin(pool: &'a Pool) -> Result<Self, Overloaded> {
        if pool.waiting.fetch_add(1, Ordering::Relaxed) >= pool.most_waiting {
            pool.waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(Overloaded);
        }
        metrics::gauge!("kezdesu_operations_waiting", "operation" => pool.operation).increment(1.0);
        Ok(Self(pool))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
        metrics::gauge!("kezdesu_operations_waiting", "operation" => self.0.operation).decrement(1.0);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::clock::ManualClock;

    const QUERY: OperationType = OperationType::Query;

    #[tokio::test]
    async fn an_operation_waits_for_a_place_and_not_for_long() {
        let clock = ManualClock::at("2026-03-02T04:00:00Z".parse().unwrap());
        let limits = ConcurrencyLimits::new(NonZeroUsize::new(1));
        let first = limits.take(QUERY, &*clock).await.unwrap();
        let mut second = Box::pin(limits.take(QUERY, &*clock));
        assert!(second.as_mut().now_or_never().is_none(), "it waits");
        assert!(limits.take(OperationType::Mutation, &*clock).now_or_never().unwrap().is_ok(), "mutations have theirs");
        drop(first);
        let second = second.now_or_never().unwrap().unwrap();
        let mut third = Box::pin(limits.take(QUERY, &*clock));
        assert!(third.as_mut().now_or_never().is_none());
        clock.advance(LONGEST_WAIT);
        assert_eq!(third.await.err(), Some(Overloaded));
        drop(second);
        assert!(limits.take(QUERY, &*clock).now_or_never().unwrap().is_ok());
    }

    #[tokio::test]
    async fn only_so_many_wait() {
        let clock = ManualClock::at("2026-03-02T04:00:00Z".parse().unwrap());
        let limits = ConcurrencyLimits::new(NonZeroUsize::new(1));
        let _first = limits.take(QUERY, &*clock).await.unwrap();
        let mut waiting: Vec<_> = (0..WAITING_PER_PERMIT).map(|_| Box::pin(limits.take(QUERY, &*clock))).collect();
        assert!(waiting.iter_mut().all(|waiting| waiting.as_mut().now_or_never().is_none()));
        assert_eq!(limits.take(QUERY, &*clock).now_or_never().unwrap().err(), Some(Overloaded));
        waiting.pop();
        assert!(limits.take(QUERY, &*clock).now_or_never().is_none(), "whoever has gone makes room");
    }
}
