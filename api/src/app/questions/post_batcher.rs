//! Batches the posts of each meeting: posts that arrive during a transaction share the next one.
//!
//! A replica runs at most one posting transaction for each meeting, and batches are bounded, so that a busy meeting
//! cannot starve the others.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
};

use entities::{comment, ids::MeetingId};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::{
    app::{
        App, CommandError,
        questions::pending_post::{EarlyCheck, PendingPost},
    },
    store::StoreError,
};

/// Posts in one transaction.
const MAX_BATCH: usize = 128;

type PostOutcome = Result<comment::Model, CommandError>;

struct QueuedPost {
    post: PendingPost,
    outcome: oneshot::Sender<PostOutcome>,
}

/// Queues of posts, one for each meeting. A meeting without a queue has no running transaction.
#[derive(Default)]
pub(in crate::app) struct PostBatcher(Mutex<HashMap<MeetingId, VecDeque<QueuedPost>>>);

impl PostBatcher {
    /// Queues a post and waits for its outcome.
    pub(in crate::app) async fn post(&self, app: &Arc<App>, meeting: MeetingId, post: PendingPost) -> PostOutcome {
        let (outcome, reply) = oneshot::channel();
        let is_first = {
            let mut queues = self.0.lock();
            let is_first = !queues.contains_key(&meeting);
            queues.entry(meeting).or_default().push_back(QueuedPost { post, outcome });
            is_first
        };
        if is_first {
            // Runs in a task of its own, because the first caller may disconnect while others wait.
            tokio::spawn(run_batches(Arc::clone(app), meeting));
        }
        reply.await.unwrap_or(Err(CommandError::Store(StoreError::Corrupt("queue of posts"))))
    }

    /// Takes the next batch of a meeting. Removes the queue and returns `None` if it is empty.
    ///
    /// Posts with the same idempotency key go in different batches, so that the second finds the result of the first.
    fn next_batch(&self, meeting: MeetingId) -> Option<Vec<QueuedPost>> {
        let mut queues = self.0.lock();
        let queue = queues.get_mut(&meeting)?;
        let (mut batch, mut later, mut keys) = (Vec::new(), VecDeque::new(), HashSet::new());
        while let Some(queued) = queue.pop_front() {
            let key = &queued.post.idempotency_key;
            if batch.len() == MAX_BATCH {
                later.push_back(queued);
                break;
            }
            if key.as_ref().is_none_or(|key| keys.insert((key.subject.clone(), key.key.clone()))) {
                batch.push(queued);
            } else {
                later.push_back(queued);
            }
        }
        later.append(queue);
        *queue = later;
        if batch.is_empty() {
            queues.remove(&meeting);
            return None;
        }
        Some(batch)
    }
}

/// Removes a meeting's queue if its task panics, so that waiting callers get an error.
struct QueueGuard {
    app: Arc<App>,
    meeting: MeetingId,
}

impl Drop for QueueGuard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.app.post_batcher.0.lock().remove(&self.meeting);
        }
    }
}

async fn run_batches(app: Arc<App>, meeting: MeetingId) {
    let guard = QueueGuard { app, meeting };
    let app = &guard.app;
    let mut early_check = EarlyCheck::Run;
    while let Some(batch) = app.post_batcher.next_batch(meeting) {
        let (posts, senders): (Vec<_>, Vec<_>) = batch.into_iter().map(|queued| (queued.post, queued.outcome)).unzip();
        metrics::histogram!("kezdesu_posts_per_commit").record(f64::from(u32::try_from(posts.len()).unwrap_or(0)));
        let mut posted = app.post_batch(meeting, &posts, early_check).await;
        if let Err(error) = &posted
            && error.is_conflict()
        {
            tracing::warn!(error = error.chain(), "a command lost a race for a lock and is retried");
            posted = app.post_batch(meeting, &posts, EarlyCheck::Run).await;
        }
        let outcomes = match posted {
            // Nothing was written, and a single post may have caused the failure.
            Err(error) if posts.len() > 1 && error.is_data_error() => post_individually(app, meeting, &posts).await,
            Err(error) => shared_failure(error, posts.len()),
            Ok(outcomes) => outcomes,
        };
        let has_accepted = outcomes.iter().any(Result::is_ok);
        early_check = if has_accepted { EarlyCheck::Skip } else { EarlyCheck::Run };
        for (sender, outcome) in senders.into_iter().zip(outcomes) {
            // A disconnected caller can repeat the post with its idempotency key.
            let _ = sender.send(outcome);
        }
    }
}

async fn post_individually(app: &App, meeting: MeetingId, posts: &[PendingPost]) -> Vec<PostOutcome> {
    let mut outcomes = Vec::with_capacity(posts.len());
    for post in posts {
        let alone = app.post_batch(meeting, std::slice::from_ref(post), EarlyCheck::Run).await;
        outcomes.extend(alone.unwrap_or_else(|error| shared_failure(error, 1)));
    }
    outcomes
}

/// Returns the same failure for each post of a batch.
fn shared_failure(error: StoreError, count: usize) -> Vec<PostOutcome> {
    let error = Arc::new(error);
    std::iter::repeat_with(|| Err(CommandError::Store(StoreError::Shared(Arc::clone(&error))))).take(count).collect()
}
