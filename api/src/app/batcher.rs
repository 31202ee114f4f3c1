//! Batches commands on the same object: those that arrive during a transaction share the next one.
//!
//! A replica runs at most one such transaction for each object, and batches are bounded, so that a busy object cannot
//! starve the others.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    hash::Hash,
    sync::Arc,
};

use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::{
    app::{App, CommandError},
    store::{StoreError, idempotency::IdempotencyKey},
};

/// Commands in one transaction.
const MAX_BATCH: usize = 128;

/// The outcome of a command.
pub(in crate::app) type Outcome<T> = Result<T, CommandError>;

/// Whether commands are checked before the object is locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::app) enum EarlyCheck {
    /// They are, so that commands which must be rejected lock nothing.
    Run,
    /// They are not, because the object has just accepted others.
    Skip,
}

/// A command that can share a transaction with others on the same object.
pub(in crate::app) trait Batched: Sized + Send + Sync + 'static {
    /// Id of the object.
    type Target: Copy + Eq + Hash + Send + Sync + 'static;
    /// What an accepted command returns.
    type Output: Send + 'static;
    /// The histogram of the sizes of batches.
    const SIZES: &'static str;

    /// Returns the queues of these commands.
    fn batcher(app: &App) -> &Batcher<Self>;

    /// Returns the idempotency key.
    fn idempotency_key(&self) -> Option<&IdempotencyKey>;

    /// Commits commands on an object in one transaction, and returns the outcome of each. Rejected ones write nothing.
    ///
    /// # Errors
    /// When the database fails, which fails the whole batch.
    fn commit(
        app: &App,
        target: Self::Target,
        commands: &[Self],
        early_check: EarlyCheck,
    ) -> impl Future<Output = Result<Vec<Outcome<Self::Output>>, StoreError>> + Send;
}

struct Queued<C: Batched> {
    command: C,
    outcome: oneshot::Sender<Outcome<C::Output>>,
}

/// Queues of commands, one for each object. An object without a queue has no running transaction.
pub(in crate::app) struct Batcher<C: Batched>(Mutex<HashMap<C::Target, VecDeque<Queued<C>>>>);

impl<C: Batched> Default for Batcher<C> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<C: Batched> Batcher<C> {
    /// Takes the next batch for an object. Removes the queue and returns `None` if it is empty.
    ///
    /// Commands with the same idempotency key go in different batches, so that the second finds the result of the first.
    fn next_batch(&self, target: C::Target) -> Option<Vec<Queued<C>>> {
        let mut queues = self.0.lock();
        let queue = queues.get_mut(&target)?;
        let (mut batch, mut later, mut keys) = (Vec::new(), VecDeque::new(), HashSet::new());
        while let Some(queued) = queue.pop_front() {
            if batch.len() == MAX_BATCH {
                later.push_back(queued);
                break;
            }
            // Nobody waits for it any more, so it must not be done long after its caller was told otherwise.
            if queued.outcome.is_closed() {
                continue;
            }
            let key = queued.command.idempotency_key();
            if key.is_none_or(|key| keys.insert((key.subject.clone(), key.key.clone()))) {
                batch.push(queued);
            } else {
                later.push_back(queued);
            }
        }
        later.append(queue);
        *queue = later;
        if batch.is_empty() {
            queues.remove(&target);
            return None;
        }
        Some(batch)
    }
}

/// Removes an object's queue if its task panics, so that waiting callers get an error.
struct QueueGuard<C: Batched> {
    app: Arc<App>,
    target: C::Target,
}

impl<C: Batched> Drop for QueueGuard<C> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            C::batcher(&self.app).0.lock().remove(&self.target);
        }
    }
}

impl App {
    /// Queues a command on an object and waits for its outcome.
    pub(in crate::app) async fn run_batched<C: Batched>(
        self: &Arc<Self>,
        target: C::Target,
        command: C,
    ) -> Outcome<C::Output> {
        let (outcome, reply) = oneshot::channel();
        let is_first = {
            let mut queues = C::batcher(self).0.lock();
            let is_first = !queues.contains_key(&target);
            queues.entry(target).or_default().push_back(Queued { command, outcome });
            is_first
        };
        if is_first {
            // Runs in a task of its own, because the first caller may disconnect while others wait.
            tokio::spawn(run_batches::<C>(Arc::clone(self), target));
        }
        reply.await.unwrap_or(Err(CommandError::Store(StoreError::Corrupt("queue of commands"))))
    }
}

async fn run_batches<C: Batched>(app: Arc<App>, target: C::Target) {
    let guard = QueueGuard::<C> { app, target };
    let app = &*guard.app;
    let mut early_check = EarlyCheck::Run;
    while let Some(batch) = C::batcher(app).next_batch(target) {
        let (commands, senders): (Vec<_>, Vec<_>) =
            batch.into_iter().map(|queued| (queued.command, queued.outcome)).unzip();
        metrics::histogram!(C::SIZES).record(f64::from(u32::try_from(commands.len()).unwrap_or(0)));
        let mut done = C::commit(app, target, &commands, early_check).await;
        if let Err(error) = &done
            && error.is_conflict()
        {
            tracing::warn!(error = error.chain(), "a command lost a race for a lock and is retried");
            done = C::commit(app, target, &commands, EarlyCheck::Run).await;
        }
        let outcomes = match done {
            // Nothing was written, and a single command may have caused the failure.
            Err(error) if commands.len() > 1 && error.is_data_error() => {
                commit_individually(app, target, &commands).await
            }
            Err(error) => shared_failure(error, commands.len()),
            Ok(outcomes) => outcomes,
        };
        let has_accepted = outcomes.iter().any(Result::is_ok);
        early_check = if has_accepted { EarlyCheck::Skip } else { EarlyCheck::Run };
        for (sender, outcome) in senders.into_iter().zip(outcomes) {
            // A disconnected caller can repeat the command with its idempotency key.
            let _ = sender.send(outcome);
        }
    }
}

async fn commit_individually<C: Batched>(app: &App, target: C::Target, commands: &[C]) -> Vec<Outcome<C::Output>> {
    let mut outcomes = Vec::with_capacity(commands.len());
    for command in commands {
        let alone = C::commit(app, target, std::slice::from_ref(command), EarlyCheck::Run).await;
        outcomes.extend(alone.unwrap_or_else(|error| shared_failure(error, 1)));
    }
    outcomes
}

/// Returns the same failure for each command of a batch.
fn shared_failure<T>(error: StoreError, count: usize) -> Vec<Outcome<T>> {
    let error = Arc::new(error);
    std::iter::repeat_with(|| Err(CommandError::Store(StoreError::Shared(Arc::clone(&error))))).take(count).collect()
}
