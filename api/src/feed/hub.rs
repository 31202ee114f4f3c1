//! One tail a feed and replica, as long as somebody follows it.

use std::{
    collections::HashMap,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use chrono::TimeDelta;
use parking_lot::Mutex;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    clock::{Clock, sleep},
    domain::{feed::FeedName, policy::Denied, viewer::Viewer},
    feed::{
        bus::{Bus, BusMessage},
        follower::{Follower, Start},
        single_flight::SingleFlight,
        tail::{Range, Tail, TailOf, read},
        topic::{EntryVisibility, Topic, Topics, by_entry, feed_name},
    },
    store::{Store, StoreError, feeds::Extent},
};

/// How long a lost poke may go unnoticed.
const POLL_PERIOD: TimeDelta = TimeDelta::seconds(1);
/// How many events before the head a new tail holds at once.
const BACKFILL: i64 = 512;

/// Why a feed cannot be followed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FollowError {
    /// There is no such feed.
    #[error("there is no such feed")]
    Unknown,
    /// The viewer may not follow it so.
    #[error("the viewer may not follow the feed")]
    Denied(Denied),
    /// The database failed.
    #[error("the feed cannot be read")]
    Store(#[source] Arc<StoreError>),
}

impl From<StoreError> for FollowError {
    fn from(error: StoreError) -> Self {
        Self::Store(Arc::new(error))
    }
}

/// From where a stream goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resume {
    /// After this position.
    pub after: i64,
    /// Of this generation of the feed; none: of whichever there is.
    pub epoch: Option<String>,
}

impl From<i64> for Resume {
    fn from(after: i64) -> Self {
        Self { after, epoch: None }
    }
}

/// The tails of this replica.
pub struct Hub {
    topics: Topics,
    store: Store,
    clock: Arc<dyn Clock>,
    tails: Mutex<HashMap<FeedName, Weak<TailHandle>>>,
    /// Tails that are being begun.
    begun: SingleFlight<FeedName, Result<Arc<TailHandle>, FollowError>>,
    /// Counts the tails.
    numbers: AtomicU64,
}

/// A tail that is kept for its followers. With the last of them its pump stops.
pub(in crate::feed) struct TailHandle {
    pub(in crate::feed) tail: Arc<Tail>,
    _pump: DropGuard,
}

impl Hub {
    /// A hub over the given database.
    #[must_use]
    pub fn new(topics: Topics, store: Store, clock: Arc<dyn Clock>) -> Arc<Self> {
        let tails = Mutex::new(HashMap::new());
        Arc::new(Self { topics, store, clock, tails, begun: SingleFlight::default(), numbers: AtomicU64::new(0) })
    }

    /// How many feeds are followed on this replica.
    #[must_use]
    pub fn followed(&self) -> usize {
        self.tails.lock().values().filter(|tail| tail.strong_count() > 0).count()
    }

    /// Follows a feed of a topic: from its newest event, or on from a position where that is of this generation and still kept. Costs
    /// no query where the tail is already kept and holds what is asked for.
    ///
    /// # Errors
    /// When there is no such feed, the viewer may not follow it so, or the database fails.
    pub async fn follow<T: Topic>(
        self: &Arc<Self>,
        viewer: &Viewer,
        scope: &T::Scope,
        filter: T::Filter,
        resume: Option<Resume>,
    ) -> Result<Follower, FollowError> {
        let feed = feed_name::<T>(scope);
        let topic = self.topics.of(&feed).and_then(|topic| topic.into_any().downcast::<T>().ok());
        let topic = topic.ok_or(FollowError::Unknown)?;
        let tail = self.tail(feed).await?;
        let parent = Arc::clone(&tail.tail.parent).downcast::<T::Parent>().map_err(|_| FollowError::Unknown)?;
        let visibility = topic.visibility(viewer, parent, filter).map_err(FollowError::Denied)?;
        self.follow_tail(tail, by_entry::<T>(visibility), resume).await
    }

    async fn follow_tail(
        &self,
        kept: Arc<TailHandle>,
        visibility: EntryVisibility,
        resume: Option<Resume>,
    ) -> Result<Follower, FollowError> {
        // The head is read after the beginning, which only ever rises with it.
        let (begins_after, head) = (kept.tail.begins_after(), kept.tail.position());
        let is_other = |epoch: &String| **epoch != *kept.tail.epoch;
        let (from, recovered) = match resume {
            None => (head, None),
            // What was seen there says nothing of what is here.
            Some(Resume { epoch, .. }) if epoch.as_ref().is_some_and(is_other) => (head, Some(false)),
            Some(Resume { after, .. }) if (begins_after..=head).contains(&after) => (after, Some(true)),
            Some(Resume { after, .. }) => {
                let extent = self.extent(&kept, after).await?;
                let whole = (extent.kept_after..=extent.head).contains(&after);
                (if whole { after } else { extent.head }, Some(whole))
            }
        };
        Ok(Follower::new(kept, self.store.clone(), Arc::clone(&self.clock), Start { from, recovered, visibility }))
    }

    /// How far a feed reaches, for a position that the ring does not know.
    async fn extent(&self, kept: &TailHandle, after: i64) -> Result<Extent, FollowError> {
        let feed = &kept.tail.feed;
        let read = async || self.store.feed_extent(feed).await.map_err(Arc::new);
        let shared = kept.tail.extents.join((), read).await.map_err(FollowError::Store)?;
        let extent = shared.unwrap_or_default();
        if after <= extent.head {
            return Ok(extent);
        }
        // That read may have begun before the event was committed which this client has seen elsewhere.
        Ok(self.store.feed_extent(feed).await?.unwrap_or_default())
    }

    async fn tail(self: &Arc<Self>, feed: FeedName) -> Result<Arc<TailHandle>, FollowError> {
        if let Some(kept) = self.tails.lock().get(&feed).and_then(Weak::upgrade) {
            return Ok(kept);
        }
        self.begun.join(feed.clone(), || self.begin(feed)).await
    }

    async fn begin(&self, feed: FeedName) -> Result<Arc<TailHandle>, FollowError> {
        if let Some(kept) = self.tails.lock().get(&feed).and_then(Weak::upgrade) {
            return Ok(kept);
        }
        // Before anything else of it is read: what is read later may be of another, which the next look finds out.
        let epoch: Arc<str> = self.store.feed_epoch().await?.into();
        let topic = self.topics.of(&feed).ok_or(FollowError::Unknown)?;
        let parent = topic.parent(&feed).await?.ok_or(FollowError::Unknown)?;
        // A feed in which nothing has happened has no row yet.
        let extent = self.store.feed_extent(&feed).await?.unwrap_or_default();
        let begins_after = Ord::max(extent.head - BACKFILL, extent.kept_after);
        let limit = usize::try_from(extent.head - begins_after).unwrap_or_default();
        let range = Range { after: begins_after, limit };
        let entries = if limit == 0 { Vec::new() } else { read(&self.store, topic.as_ref(), &feed, range).await? };
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let of = TailOf { feed: feed.clone(), topic, parent, number, epoch };
        let tail = Arc::new(Tail::new(of, extent.head));
        // Older ones may have been forgotten since the extent was read.
        let begins_after = entries.first().map_or(extent.head, |entry| entry.event.seq - 1);
        tail.prepend(entries, begins_after);

        let stop = CancellationToken::new();
        tokio::spawn(pump(Arc::clone(&tail), self.store.clone(), stop.clone()));
        // What was committed since the extent was read may have been poked before the pump could hear it.
        tail.wake.notify_one();
        let kept = Arc::new(TailHandle { tail, _pump: stop.drop_guard() });
        let mut tails = self.tails.lock();
        tails.retain(|_, tail| tail.strong_count() > 0);
        tails.insert(feed, Arc::downgrade(&kept));
        Ok(kept)
    }

    /// Wakes tails when the bus says so, and looks at the database every second for what it did not say.
    pub async fn run(self: Arc<Self>, bus: Arc<dyn Bus>) {
        let mut heard = bus.listen();
        let mut next_poll = sleep(self.clock.as_ref(), POLL_PERIOD);
        loop {
            tokio::select! {
                word = heard.recv() => match word {
                    Ok(BusMessage::Advanced(advanced)) => self.wake(&advanced.feed, advanced.seq),
                    Ok(BusMessage::Regions) => {}
                    Ok(BusMessage::Missed) | Err(RecvError::Lagged(_)) => self.wake_all(),
                    Err(RecvError::Closed) => return,
                },
                () = &mut next_poll => {
                    self.poll_heads().await;
                    next_poll = sleep(self.clock.as_ref(), POLL_PERIOD);
                }
            }
        }
    }

    fn wake(&self, feed: &FeedName, seq: i64) {
        let kept = self.tails.lock().get(feed).and_then(Weak::upgrade);
        if let Some(kept) = kept.filter(|kept| kept.tail.position() < seq) {
            kept.tail.wake.notify_one();
        }
    }

    /// Ends the tails of other generations, and with them what follows them: who comes back is told.
    fn end_all_but(&self, epoch: &str) {
        self.tails.lock().retain(|feed, tail| {
            let Some(kept) = tail.upgrade() else { return false };
            let stays = *kept.tail.epoch == *epoch;
            if !stays {
                tracing::warn!(feed = feed.as_str(), "a feed is another now: those who follow it begin anew");
                kept.tail.end();
            }
            stays
        });
    }

    fn wake_all(&self) {
        let kept: Vec<_> = self.tails.lock().values().filter_map(Weak::upgrade).collect();
        for kept in kept {
            kept.tail.wake.notify_one();
        }
    }

    /// One query tells for all tails whether there is anything that no poke has told of, and one whether their generation is over: the
    /// database was restored or a standby has taken its place.
    async fn poll_heads(&self) {
        let names: Vec<FeedName> = {
            let mut tails = self.tails.lock();
            tails.retain(|_, tail| tail.strong_count() > 0);
            tails.keys().cloned().collect()
        };
        if names.is_empty() {
            return;
        }
        match self.store.feed_epoch().await {
            Ok(epoch) => self.end_all_but(&epoch),
            Err(error) => tracing::warn!(error = error.chain(), "the feeds' epoch cannot be looked at"),
        }
        match self.store.feed_heads(&names).await {
            Ok(heads) => heads.iter().for_each(|(feed, head)| self.wake(feed, *head)),
            Err(error) => tracing::warn!(error = error.chain(), "feeds cannot be looked at"),
        }
    }
}

async fn pump(tail: Arc<Tail>, store: Store, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tail.wake.notified() => {}
        }
        tokio::select! {
            () = stop.cancelled() => return,
            pulled = tail.pull(&store) => if let Err(error) = pulled {
                // The next look, at most a second away, tries again.
                tracing::warn!(error = error.chain(), "a feed cannot be read");
            }
        }
    }
}
