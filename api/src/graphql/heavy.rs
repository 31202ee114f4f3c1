//! Runs dear queries on threads of their own, a few at a time, so that none holds a worker that all tasks share.

use std::{future::Future, sync::Arc, time::Duration};

use tokio::{
    runtime::{Handle, RuntimeFlavor},
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use crate::graphql::error::{ApiError, ApiResult};

/// From which cost on a query counts as dear: cheaper ones are done within a millisecond or two.
pub const DEAR: usize = 1_000;
/// How long a dear query waits for its turn.
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// How many dear queries run at once for each processor: some of them wait for the database.
const A_PROCESSOR: usize = 2;

/// Says how long whoever asked waits for the answer.
#[derive(Clone, Debug)]
pub struct Patience {
    /// Cancelled when nobody waits any longer.
    pub given_up: CancellationToken,
    /// How long the operation may take.
    pub longest: Duration,
}

/// The threads for dear queries.
#[derive(Clone)]
pub struct HeavyThreads(Arc<Semaphore>);

impl Default for HeavyThreads {
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self(Arc::new(Semaphore::new(processors * A_PROCESSOR)))
    }
}

impl HeavyThreads {
    /// Runs a dear query when its turn comes. One that nobody waits for any longer never ends: its caller drops it.
    ///
    /// # Errors
    /// `RATE_LIMITED` when its turn does not come in time.
    pub async fn run<T>(&self, patience: &Patience, query: impl Future<Output = T>) -> ApiResult<T> {
        let _turn = self.turn().await?;
        if Handle::current().runtime_flavor() == RuntimeFlavor::CurrentThread {
            return Ok(query.await);
        }
        let ended = tokio::task::block_in_place(|| {
            Handle::current().block_on(async {
                tokio::select! {
                    ended = timeout(patience.longest, query) => ended.ok(),
                    () = patience.given_up.cancelled() => None,
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

    fn patience() -> Patience {
        Patience { given_up: CancellationToken::new(), longest: Duration::from_secs(60) }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn other_tasks_run_while_a_dear_query_holds_its_thread() {
        let (threads, patience) = (HeavyThreads::default(), patience());
        let (tell, told) = std::sync::mpsc::channel();
        let query = tokio::spawn(async move {
            // Holds its thread until another task has run, on a runtime with a single worker.
            threads.run(&patience, async move { told.recv() }).await.is_ok()
        });
        tokio::spawn(async move { tell.send(()) }).await.unwrap().unwrap();
        assert!(query.await.unwrap());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn a_query_that_is_given_up_gives_its_turn_to_the_next() {
        let (threads, patience) = (HeavyThreads(Arc::new(Semaphore::new(1))), patience());
        let first = threads.clone();
        let given_up = patience.given_up.clone();
        let abandoned = tokio::spawn(async move { first.run(&patience, std::future::pending::<()>()).await.is_ok() });
        given_up.cancel();
        assert!(threads.run(&self::patience(), async { 1 }).await.is_ok());
        abandoned.abort();
    }
}
