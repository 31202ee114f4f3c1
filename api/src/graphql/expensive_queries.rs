//! Runs expensive queries outside the pool of async workers (`block_in_place`), a few at a time.

use std::{future::Future, sync::Arc, time::Duration};

use tokio::{
    runtime::{Handle, RuntimeFlavor},
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use crate::graphql::error::{ApiError, ApiResult};

/// From which cost on a query counts as expensive: cheaper ones are done within a millisecond or two.
pub const EXPENSIVE_COST: usize = 1_000;
/// How long an expensive query waits for its turn.
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// How many expensive queries run at once for each processor: some of them wait for the database.
const PERMITS_PER_CPU: usize = 2;

/// Until when an answer is waited for.
#[derive(Clone, Debug)]
pub struct Deadline {
    /// Cancelled when nobody waits any longer.
    pub cancelled: CancellationToken,
    /// How long the operation may take.
    pub timeout: Duration,
}

/// Limits how many expensive queries run at once.
#[derive(Clone)]
pub struct ExpensiveQueryLimiter(Arc<Semaphore>);

impl Default for ExpensiveQueryLimiter {
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self(Arc::new(Semaphore::new(processors * PERMITS_PER_CPU)))
    }
}

impl ExpensiveQueryLimiter {
    /// Runs an expensive query when its turn comes. One that nobody waits for any longer never ends: its caller drops it.
    ///
    /// # Errors
    /// `RATE_LIMITED` when its turn does not come in time.
    pub async fn run<T>(&self, deadline: &Deadline, query: impl Future<Output = T>) -> ApiResult<T> {
        let _turn = self.turn().await?;
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

    async fn turn(&self) -> ApiResult<SemaphorePermit<'_>> {
        // Real time: what is waited for is a processor.
        match timeout(LONGEST_WAIT, self.0.acquire()).await {
            Ok(Ok(turn)) => Ok(turn),
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
    async fn other_tasks_run_while_a_dear_query_holds_its_thread() {
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
    async fn a_query_that_is_given_up_gives_its_turn_to_the_next() {
        let (limiter, deadline) = (ExpensiveQueryLimiter(Arc::new(Semaphore::new(1))), deadline());
        let first = limiter.clone();
        let cancelled = deadline.cancelled.clone();
        let abandoned = tokio::spawn(async move { first.run(&deadline, std::future::pending::<()>()).await.is_ok() });
        cancelled.cancel();
        assert!(limiter.run(&self::deadline(), async { 1 }).await.is_ok());
        abandoned.abort();
    }
}
