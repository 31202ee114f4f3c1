//! Runs expensive queries outside the pool of async workers, a few at a time, in threads of low priority.
//!
//! A query of 25 ms holds a processor for several time slices. At equal priority, each step of a post would wait for
//! them.

use std::{future::Future, panic::resume_unwind, sync::Arc, thread, time::Duration};

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

/// How much lower the priority of their threads is: nine tenths of a contended processor go to the others.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;
/// Name of their threads.
const THREAD_NAME: &str = "expensive-query";

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
        let processors = thread::available_parallelism().map_or(1, usize::from);
        Self(Arc::new(Semaphore::new(processors.div_ceil(CPUS_PER_PERMIT))))
    }
}

impl ExpensiveQueryLimiter {
    /// Runs an expensive query after acquiring a permit. A cancelled one stays pending until its caller drops
    /// it.
    ///
    /// # Errors
    /// `RATE_LIMITED` if no permit is free in time.
    pub async fn run<T: Send>(&self, deadline: &Deadline, query: impl Future<Output = T> + Send) -> ApiResult<T> {
        let _permit = self.acquire().await?;
        let runtime = Handle::current();
        if runtime.runtime_flavor() == RuntimeFlavor::CurrentThread {
            return Ok(query.await);
        }
        let query = async {
            tokio::select! {
                ended = timeout(deadline.timeout, query) => ended.ok(),
                () = deadline.cancelled.cancelled() => None,
            }
        };
        let span = tracing::Span::current();
        let work = || {
            lower_priority();
            span.in_scope(|| runtime.block_on(query))
        };
        let ended = tokio::task::block_in_place(|| {
            thread::scope(|scope| {
                let thread = thread::Builder::new().name(THREAD_NAME.to_owned()).spawn_scoped(scope, work);
                thread.map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)))
            })
        });
        match ended {
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => std::future::pending().await,
            // The system is out of threads.
            Err(_) => Err(ApiError::overloaded()),
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

/// Lowers the priority of the current thread, for good: only a privileged process may raise it again.
fn lower_priority() {
    // Elsewhere the whole process would be slowed.
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(NICENESS) {
        tracing::debug!(%error, "an expensive query runs at normal priority");
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

    #[cfg(target_os = "linux")]
    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn lowers_the_priority_of_the_query_alone() {
        let priority = || rustix::process::getpriority_process(None).unwrap();
        let before = priority();
        let during = ExpensiveQueryLimiter::default().run(&deadline(), async { priority() }).await;
        assert_eq!(during.ok(), Some(Ord::min(before + NICENESS, 19)));
        assert_eq!(priority(), before);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    #[should_panic(expected = "within the query")]
    async fn passes_a_panic_of_the_query_on() {
        let panics = async { panic!("within the query") };
        let _: ApiResult<()> = ExpensiveQueryLimiter::default().run(&deadline(), panics).await;
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
