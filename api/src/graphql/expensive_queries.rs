//! Runs expensive queries outside the pool of async workers (`block_in_place`), a few at a time.

use std::{future::Future, sync::Arc, time::Duration};

use tokio::{
    runtime::{Handle, RuntimeFlavor},
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use crate::graphql::error::{ApiError, ApiResult};

/// Minimum cost of an expensive query. Cheaper ones take a millisecond or two.
pub const EXPENSIVE_COST: usize = 1_000;
/// Maximum time that an expensive query waits for a permit.
const MAX_WAIT: Duration = Duration::from_secs(2);
/// Number of processors for each concurrent expensive query. The others stay free for everybody else.
const CPUS_PER_PERMIT: usize = 2;

/// The deadline of a response.
#[derive(Clone, Debug)]
pub struct Deadline {
    /// Cancelled when the client no longer waits.
    pub cancelled: CancellationToken,
    /// Maximum duration of the operation.
    pub timeout: Duration,
}

/// Limits the number of concurrent expensive queries.
#[derive(Clone)]
pub struct ExpensiveQueryLimiter(Arc<Semaphore>);

impl Default for ExpensiveQueryLimiter {
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self(Arc::new(Semaphore::new(processors.div_ceil(CPUS_PER_PERMIT))))
    }
}

impl ExpensiveQueryLimiter {
    /// Runs an expensive query after acquiring a permit. A cancelled one stays pending until its caller drops
    /// it.
    ///
    /// # Errors
    /// `RATE_LIMITED` if no permit is free in time.
    pub async fn run<T>(&self, deadline: &Deadline, query: impl Future<Output = T>) -> ApiResult<T> {
        let _permit = self.acquire().await?;
        if Handle::current().runtime_flavor() == RuntimeFlavor::CurrentThread {
            return Ok(query.await);
        }
        let ended = tokio::task::block_in_place(|| {
            Handle::current().block_on(async {
                tokio::select! {
                    ended = timeout(deadline.timeout, query) => ended.ok(),
                    () = deadline.cancelled.cancelled() => None,
                }
            })
        });
        match ended {
            Some(answer) => Ok(answer),
            None => std::future::pending().await,
        }
    }

    async fn acquire(&self) -> ApiResult<SemaphorePermit<'_>> {
        // Uses real time, because it waits for a processor.
        match timeout(MAX_WAIT, self.0.acquire()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => Err(ApiError::overloaded()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deadline() -> Deadline {
        Deadline { cancelled: CancellationToken::new(), timeout: Duration::from_secs(60) }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn runs_other_tasks_while_an_expensive_query_holds_its_thread() {
        let (limiter, deadline) = (ExpensiveQueryLimiter::default(), deadline());
        let (tell, told) = std::sync::mpsc::channel();
        let query = tokio::spawn(async move {
            // Holds its thread until another task has run, on a runtime with a single worker.
            limiter.run(&deadline, async move { told.recv() }).await.is_ok()
        });
        tokio::spawn(async move { tell.send(()) }).await.unwrap().unwrap();
        assert!(query.await.unwrap());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn releases_the_permit_of_a_cancelled_query() {
        let (limiter, deadline) = (ExpensiveQueryLimiter(Arc::new(Semaphore::new(1))), deadline());
        let first = limiter.clone();
        let cancelled = deadline.cancelled.clone();
        let abandoned = tokio::spawn(async move { first.run(&deadline, std::future::pending::<()>()).await.is_ok() });
        cancelled.cancel();
        assert!(limiter.run(&self::deadline(), async { 1 }).await.is_ok());
        abandoned.abort();
    }
}
