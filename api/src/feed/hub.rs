//! Keeps one tail for each feed that is followed on this replica.

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
use tokio_util::sync::CancellationToken;

use crate::{
    clock::{Clock, sleep},
    domain::{feed::FeedName, policy::Denied, viewer::Viewer},
    feed::{
        bus::{Bus, BusMessage},
        follower::{Follower, Start, View},
        page::PageReader,
        single_flight::SingleFlight,
        tail::{Tail, TailHandle, TailParams},
        topic::{Topic, Topics, by_entry, feed_name},
    },
    store::{Store, StoreError, feeds::Extent},
};

/// Interval between polls, and so the longest delay that a lost notification causes.
const POLL_PERIOD: TimeDelta = TimeDelta::seconds(1);
/// Number of events before the head that a new tail loads.
const BACKFILL: i64 = 512;

/// The reason that a feed cannot be followed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FollowError {
    /// The feed does not exist.
    #[error("there is no such feed")]
    Unknown,
    /// The viewer may not follow the feed with this filter.
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

/// The position from which a stream resumes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resume {
    /// The position of the last event that was seen.
    pub after: i64,
    /// The epoch of that position; `None` accepts any.
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
    /// Tails that are being started.
    starting: SingleFlight<FeedName, Result<Arc<TailHandle>, FollowError>>,
    /// The number of the next tail.
    next_number: AtomicU64,
}

impl Hub {
    /// Creates a hub that reads feeds from `store`.
    #[must_use]
    pub fn new(topics: Topics, store: Store, clock: Arc<dyn Clock>) -> Arc<Self> {
        let tails = Mutex::new(HashMap::new());
        Arc::new(Self {
            topics,
            store,
            clock,
            tails,
            starting: SingleFlight::default(),
            next_number: AtomicU64::new(0),
        })
    }

    /// Returns the number of feeds that are followed on this replica.
    #[must_use]
    pub fn followed(&self) -> usize {
        self.tails.lock().values().filter(|tail| tail.strong_count() > 0).count()
    }

    /// Follows a feed from its newest event, or from a position that has the current epoch and is still
    /// stored. Makes no query if the tail exists and holds the position.
    ///
    /// # Errors
    /// If the feed does not exist, the viewer may not follow it with this filter, or the database fails.
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
        let event_filter = T::event_filter(&filter);
        let visibility = topic.visibility(viewer, parent, filter).map_err(FollowError::Denied)?;
        let view = View { filter: event_filter, visibility: by_entry::<T>(visibility, event_filter) };
        self.follow_tail(tail, view, resume).await
    }

    async fn follow_tail(
        &self,
        handle: Arc<TailHandle>,
        view: View,
        resume: Option<Resume>,
    ) -> Result<Follower, FollowError> {
        // Read the start before the head: it only rises with the head.
        let (starts_after, head) = (handle.tail.starts_after(), handle.tail.position());
        let is_other_epoch = |epoch: &String| **epoch != *handle.tail.epoch;
        let (from, recovered) = match resume {
            None => (head, None),
            // Positions of another epoch mean nothing here.
            Some(Resume { epoch, .. }) if epoch.as_ref().is_some_and(is_other_epoch) => (head, Some(false)),
            Some(Resume { after, .. }) if (starts_after..=head).contains(&after) => (after, Some(true)),
            Some(Resume { after, .. }) => {
                let extent = self.extent(&handle, after).await?;
                let is_complete = (extent.kept_after..=extent.head).contains(&after);
                (if is_complete { after } else { extent.head }, Some(is_complete))
            }
        };
        Ok(Follower::new(handle, self.store.clone(), Arc::clone(&self.clock), Start { from, recovered, view }))
    }

    /// Reads the range of stored events, for a position that is not in the ring.
    async fn extent(&self, handle: &TailHandle, after: i64) -> Result<Extent, FollowError> {
        let feed = &handle.tail.feed;
        let read = async || self.store.feed_extent(feed).await.map_err(Arc::new);
        let shared = handle.tail.extents.join((), read).await.map_err(FollowError::Store)?;
        if after <= shared.head {
            return Ok(shared);
        }
        // The shared read may have started before the client's last event was committed.
        Ok(self.store.feed_extent(feed).await?)
    }

    async fn tail(self: &Arc<Self>, feed: FeedName) -> Result<Arc<TailHandle>, FollowError> {
        if let Some(handle) = self.tails.lock().get(&feed).and_then(Weak::upgrade) {
            return Ok(handle);
        }
        self.starting.join(feed.clone(), || self.start_tail(feed)).await
    }

    async fn start_tail(&self, feed: FeedName) -> Result<Arc<TailHandle>, FollowError> {
        if let Some(handle) = self.tails.lock().get(&feed).and_then(Weak::upgrade) {
            return Ok(handle);
        }
        // Read the epoch first: if it changes afterwards, the next poll ends the tail.
        let epoch: Arc<str> = self.store.feed_epoch().await?.into();
        let topic = self.topics.of(&feed).ok_or(FollowError::Unknown)?;
        let parent = topic.parent(&feed).await?.ok_or(FollowError::Unknown)?;
        let extent = self.store.feed_extent(&feed).await?;
        let starts_after = Ord::max(extent.head - BACKFILL, extent.kept_after);
        let limit = usize::try_from(extent.head - starts_after).unwrap_or_default();
        let reader = PageReader { store: &self.store, topic: topic.as_ref(), feed: &feed };
        let entries = if limit == 0 { Vec::new() } else { reader.entries(starts_after, limit).await? };
        let number = self.next_number.fetch_add(1, Ordering::Relaxed);
        let params = TailParams { feed: feed.clone(), topic, parent, number, epoch };
        let tail = Arc::new(Tail::new(params, extent.head));
        // Retention may have deleted older events since the extent was read.
        let starts_after = entries.first().map_or(extent.head, |entry| entry.event.seq - 1);
        tail.prepend(entries, starts_after);

        let stop = CancellationToken::new();
        tokio::spawn(pump(Arc::clone(&tail), self.store.clone(), stop.clone()));
        // Events committed since the extent was read may have been announced before the task started.
        tail.wake.notify_one();
        let handle = Arc::new(TailHandle::new(tail, stop.drop_guard()));
        let mut tails = self.tails.lock();
        tails.retain(|_, tail| tail.strong_count() > 0);
        tails.insert(feed, Arc::downgrade(&handle));
        Ok(handle)
    }

    /// Wakes tails on bus messages, and polls the database every second for missed ones.
    pub async fn run(self: Arc<Self>, bus: Arc<dyn Bus>) {
        let mut messages = bus.listen();
        let mut next_poll = sleep(self.clock.as_ref(), POLL_PERIOD);
        loop {
            tokio::select! {
                message = messages.recv() => match message {
                    Ok(BusMessage::Advanced(advanced)) => self.wake(&advanced.feed, advanced.seq),
                    Ok(BusMessage::ReferenceData) => {}
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
        let handle = self.tails.lock().get(feed).and_then(Weak::upgrade);
        if let Some(handle) = handle.filter(|handle| handle.tail.position() < seq) {
            handle.tail.wake.notify_one();
        }
    }

    /// Ends the tails of other epochs, which ends the streams of their followers.
    fn end_all_but(&self, epoch: &str) {
        self.tails.lock().retain(|feed, tail| {
            let Some(handle) = tail.upgrade() else { return false };
            let is_current = *handle.tail.epoch == *epoch;
            if !is_current {
                tracing::warn!(feed = feed.as_str(), "a feed has a new epoch: its followers start again");
                handle.tail.end();
            }
            is_current
        });
    }

    fn wake_all(&self) {
        let handles: Vec<_> = self.tails.lock().values().filter_map(Weak::upgrade).collect();
        for handle in handles {
            handle.tail.wake.notify_one();
        }
    }

    /// Polls the epoch and the heads of all tails: two queries, whatever their number. The epoch changes when
    /// the database is restored or a standby takes over.
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
            Err(error) => tracing::warn!(error = error.chain(), "the feeds' epoch cannot be read"),
        }
        match self.store.feed_heads(&names).await {
            Ok(heads) => heads.iter().for_each(|(feed, head)| self.wake(feed, *head)),
            Err(error) => tracing::warn!(error = error.chain(), "the feeds' heads cannot be read"),
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
                // The next poll retries it.
                tracing::warn!(error = error.chain(), "a feed cannot be read");
            }
        }
    }
}
