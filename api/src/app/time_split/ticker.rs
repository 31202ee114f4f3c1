//! The running time splits: one ticker a meeting and replica serves all its followers.

use std::{
    collections::HashMap,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use chrono::TimeDelta;
use entities::{ids::MeetingId, meeting, stage_segment};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    app::meetings::MeetingTopic,
    clock::{Clock, sleep},
    domain::viewer::Viewer,
    feed::{FollowError, Follower, Hub, single_flight::SingleFlight},
    store::{Store, StoreError},
};

/// What a time split is computed from, and how often it has changed and ticked.
#[derive(Clone, Debug)]
pub struct SplitState {
    /// The meeting.
    pub meeting: Arc<meeting::Model>,
    /// Its stretches, in order.
    pub segments: Arc<Vec<stage_segment::Model>>,
    /// Counts the changes.
    pub change: u64,
    /// Counts the seconds while a stage runs.
    pub tick: u64,
}

/// The splits that are followed on this replica.
pub struct TimeSplitTickers {
    hub: Arc<Hub>,
    store: Store,
    clock: Arc<dyn Clock>,
    running: Mutex<HashMap<MeetingId, Weak<Ticker>>>,
    begun: SingleFlight<MeetingId, Result<Arc<Ticker>, FollowError>>,
    /// Counts the tickers, so that no two count their changes alike.
    tickers: AtomicU64,
}

/// Keeps a split running for as long as somebody holds it.
pub struct Ticker {
    state: watch::Sender<SplitState>,
    _stop: DropGuard,
}

/// Follows one split.
pub struct SplitFollower {
    _ticker: Arc<Ticker>,
    state: watch::Receiver<SplitState>,
}

impl SplitFollower {
    /// The split as it stands.
    #[must_use]
    pub fn now(&mut self) -> SplitState {
        self.state.borrow_and_update().clone()
    }

    /// The split at its next change or tick; none once the service stops.
    pub async fn next(&mut self) -> Option<SplitState> {
        self.state.changed().await.ok()?;
        Some(self.now())
    }
}

impl TimeSplitTickers {
    /// A board over the feeds of this replica.
    #[must_use]
    pub fn new(hub: Arc<Hub>, store: Store, clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self {
            hub,
            store,
            clock,
            running: Mutex::new(HashMap::new()),
            begun: SingleFlight::default(),
            tickers: AtomicU64::new(0),
        })
    }

    /// Follows the split of a meeting.
    ///
    /// # Errors
    /// When there is no such meeting or the database fails.
    pub async fn follow(self: &Arc<Self>, meeting: MeetingId) -> Result<SplitFollower, FollowError> {
        if let Some(ticker) = self.running.lock().get(&meeting).and_then(Weak::upgrade) {
            return Ok(join(ticker));
        }
        Ok(join(self.begun.join(meeting, || self.begin(meeting)).await?))
    }

    async fn begin(self: &Arc<Self>, meeting: MeetingId) -> Result<Arc<Ticker>, FollowError> {
        if let Some(ticker) = self.running.lock().get(&meeting).and_then(Weak::upgrade) {
            return Ok(ticker);
        }
        // Followed before it is read, so that no change falls between the two.
        let follower = self.hub.follow::<MeetingTopic>(&Viewer::Anonymous, &(), None, None).await?;
        let first = load(&self.store, meeting).await?.ok_or(FollowError::Unknown)?;
        let change = self.tickers.fetch_add(1, Ordering::Relaxed) << 32;
        let (state, _) = watch::channel(SplitState { change, ..first });
        let stop = CancellationToken::new();
        let ticker = Arc::new(Ticker { state, _stop: stop.clone().drop_guard() });
        let run = Arc::clone(self).run(Arc::downgrade(&ticker), follower);
        tokio::spawn(async move { stop.run_until_cancelled(run).await });
        let mut running = self.running.lock();
        running.retain(|_, ticker| ticker.strong_count() > 0);
        running.insert(meeting, Arc::downgrade(&ticker));
        Ok(ticker)
    }
}

fn join(ticker: Arc<Ticker>) -> SplitFollower {
    let state = ticker.state.subscribe();
    SplitFollower { _ticker: ticker, state }
}

async fn load(store: &Store, id: MeetingId) -> Result<Option<SplitState>, StoreError> {
    let Some(meeting) = store.meetings_by_id(&[id]).await?.pop() else { return Ok(None) };
    let segments = Arc::new(store.segments_of(&[id]).await?);
    Ok(Some(SplitState { meeting: Arc::new(meeting), segments, change: 0, tick: 0 }))
}

impl TimeSplitTickers {
    async fn run(self: Arc<Self>, ticker: Weak<Ticker>, mut follower: Follower) {
        let Self { hub, store, clock, .. } = self.as_ref();
        let mut second = sleep(clock.as_ref(), TimeDelta::seconds(1));
        let mut stale = false;
        loop {
            let id = {
                let Some(ticker) = ticker.upgrade() else { return };
                ticker.state.borrow().meeting.id
            };
            tokio::select! {
                entry = follower.next() => match entry {
                    Some(entry) => {
                        stale |= entry.event.subject == id.0;
                        while let Some(entry) = follower.next_buffered() {
                            stale |= entry.event.subject == id.0;
                        }
                    }
                    None => {
                        stale = true;
                        follower = loop {
                            match hub.follow::<MeetingTopic>(&Viewer::Anonymous, &(), None, None).await {
                                Ok(fresh) => break fresh,
                                Err(_) => sleep(clock.as_ref(), TimeDelta::seconds(1)).await,
                            }
                        };
                    }
                },
                () = &mut second => {
                    second = sleep(clock.as_ref(), TimeDelta::seconds(1));
                    let Some(ticker) = ticker.upgrade() else { return };
                    ticker.state.send_if_modified(|state| {
                        let runs = state.segments.last().is_some_and(|segment| segment.ended_at.is_none());
                        state.tick += u64::from(runs);
                        runs
                    });
                }
            }
            if stale {
                match load(store, id).await {
                    Ok(Some(fresh)) => {
                        stale = false;
                        let Some(ticker) = ticker.upgrade() else { return };
                        ticker.state.send_modify(|state| {
                            state.meeting = fresh.meeting;
                            state.segments = fresh.segments;
                            state.change += 1;
                        });
                    }
                    Ok(None) => return,
                    // Tried again at the next second.
                    Err(error) => tracing::warn!(error = error.chain(), "a time split cannot be read"),
                }
            }
        }
    }
}
