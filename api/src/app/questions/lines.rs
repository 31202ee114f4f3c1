//! Group commit: while one transaction of a meeting is under way, the posts that arrive wait together and go in the next.
//!
//! A meeting has at most one posting transaction on this replica, and a batch has a limit, so the meetings take turns at the
//! database whatever one of them receives.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
};

use entities::{comment, ids::MeetingId};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::{
    app::{App, CommandError, questions::post::Draft},
    store::StoreError,
};

/// How many posts go in one transaction at most.
const MAX_BATCH: usize = 128;

type Outcome = Result<comment::Model, CommandError>;

struct Waiting {
    draft: Draft,
    outcome: oneshot::Sender<Outcome>,
}

/// The posts that wait, a line a meeting. A meeting without a line has no transaction under way.
#[derive(Default)]
pub(in crate::app) struct Lines(Mutex<HashMap<MeetingId, VecDeque<Waiting>>>);

impl Lines {
    /// Joins the line of a meeting and waits for the outcome.
    pub(in crate::app) async fn post(&self, app: &Arc<App>, meeting: MeetingId, draft: Draft) -> Outcome {
        let (outcome, told) = oneshot::channel();
        let leads = {
            let mut lines = self.0.lock();
            let leads = !lines.contains_key(&meeting);
            lines.entry(meeting).or_default().push_back(Waiting { draft, outcome });
            leads
        };
        if leads {
            // In a task of its own: whoever leads may hang up, and the others still wait.
            tokio::spawn(serve(Arc::clone(app), meeting));
        }
        told.await.unwrap_or(Err(CommandError::Store(StoreError::Corrupt("line of posts"))))
    }

    /// The next batch of a meeting; none when nobody waits, and the line is gone. Of two with the same key the second
    /// goes in a later batch, where it finds what the first has made.
    fn next(&self, meeting: MeetingId) -> Option<Vec<Waiting>> {
        let mut lines = self.0.lock();
        let line = lines.get_mut(&meeting)?;
        let (mut batch, mut later, mut keys) = (Vec::new(), VecDeque::new(), HashSet::new());
        while let Some(waiting) = line.pop_front() {
            let key = &waiting.draft.idempotency_key;
            if batch.len() == MAX_BATCH {
                later.push_back(waiting);
                break;
            }
            if key.as_ref().is_none_or(|key| keys.insert((key.subject.clone(), key.key.clone()))) {
                batch.push(waiting);
            } else {
                later.push_back(waiting);
            }
        }
        later.append(line);
        *line = later;
        if batch.is_empty() {
            lines.remove(&meeting);
            return None;
        }
        Some(batch)
    }
}

/// Ends a line whose task has died, so that nobody waits for it.
struct Closing {
    app: Arc<App>,
    meeting: MeetingId,
}

impl Drop for Closing {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.app.lines.0.lock().remove(&self.meeting);
        }
    }
}

async fn serve(app: Arc<App>, meeting: MeetingId) {
    let closing = Closing { app, meeting };
    let app = &closing.app;
    while let Some(batch) = app.lines.next(meeting) {
        let (drafts, tellers): (Vec<_>, Vec<_>) =
            batch.into_iter().map(|waiting| (waiting.draft, waiting.outcome)).unzip();
        metrics::histogram!("kezdesu_posts_per_commit").record(f64::from(u32::try_from(drafts.len()).unwrap_or(0)));
        let mut posted = app.post_together(meeting, &drafts).await;
        if posted.as_ref().is_err_and(StoreError::is_conflict) {
            posted = app.post_together(meeting, &drafts).await;
        }
        let outcomes = match posted {
            // Nothing was written, and only one of them may be to blame.
            Err(error) if drafts.len() > 1 && error.is_of_data() => each_alone(app, meeting, &drafts).await,
            Err(error) => failed(error, drafts.len()),
            Ok(outcomes) => outcomes,
        };
        for (teller, outcome) in tellers.into_iter().zip(outcomes) {
            // Whoever hung up is told by the key when they ask again.
            let _ = teller.send(outcome);
        }
    }
}

async fn each_alone(app: &App, meeting: MeetingId, drafts: &[Draft]) -> Vec<Outcome> {
    let mut outcomes = Vec::with_capacity(drafts.len());
    for draft in drafts {
        let alone = app.post_together(meeting, std::slice::from_ref(draft)).await;
        outcomes.extend(alone.unwrap_or_else(|error| failed(error, 1)));
    }
    outcomes
}

/// What so many are told whom one failure has stopped.
fn failed(error: StoreError, count: usize) -> Vec<Outcome> {
    let error = Arc::new(error);
    std::iter::repeat_with(|| Err(CommandError::Store(StoreError::Shared(Arc::clone(&error))))).take(count).collect()
}
