//! The tail: the newest events of one feed, shared by its followers on this replica.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio_util::sync::DropGuard;
use uuid::Uuid;

use crate::{
    domain::feed::{Event, EventFilter, EventKind, FeedName},
    feed::{
        entry::{Entry, Opaque, RenderVersion},
        page::{PAGE_SIZE, Page, PageReader},
        single_flight::SingleFlight,
        topic::AnyTopic,
    },
    store::{Store, StoreError, feeds::Extent},
};

/// Maximum number of events in a tail.
const MAX_RING_EVENTS: usize = 1024;

/// The result of a read that several followers wait for.
type SharedPage = Result<Arc<Page>, Arc<StoreError>>;

/// Keeps a tail alive for its followers. When the last handle is dropped, the tail's task stops.
pub(in crate::feed) struct TailHandle {
    pub(in crate::feed) tail: Arc<Tail>,
    _pump: DropGuard,
}

impl TailHandle {
    /// Creates the handle of a tail whose task stops with the guard.
    pub(in crate::feed) const fn new(tail: Arc<Tail>, pump: DropGuard) -> Self {
        Self { tail, _pump: pump }
    }
}

pub(in crate::feed) struct Tail {
    pub(in crate::feed) feed: FeedName,
    /// The number of this tail on this replica.
    pub(in crate::feed) number: u64,
    /// The epoch of its events.
    pub(in crate::feed) epoch: Arc<str>,
    /// Whether the epoch is over, which ends the followers.
    ended: AtomicBool,
    /// Notified when the database has new events.
    pub(in crate::feed) wake: Notify,
    /// Position of the newest event in the ring.
    pub(in crate::feed) head: watch::Sender<i64>,
    /// The topic of the feed.
    topic: Arc<dyn AnyTopic>,
    /// The owner of the feed, loaded when the tail started.
    pub(in crate::feed) parent: Opaque,
    /// Concurrent reads of pages older than the ring.
    pages: SingleFlight<(Option<EventFilter>, i64), SharedPage>,
    /// Concurrent reads of the extent.
    pub(in crate::feed) extents: SingleFlight<(), Result<Extent, Arc<StoreError>>>,
    ring: Mutex<Ring>,
}

/// The parameters of a tail.
pub(in crate::feed) struct TailParams {
    /// The feed.
    pub(in crate::feed) feed: FeedName,
    /// The topic of the feed.
    pub(in crate::feed) topic: Arc<dyn AnyTopic>,
    /// The owner of the feed.
    pub(in crate::feed) parent: Opaque,
    /// The number of this tail on this replica.
    pub(in crate::feed) number: u64,
    /// The epoch of the feed.
    pub(in crate::feed) epoch: Arc<str>,
}

#[derive(Debug, Default)]
struct Ring {
    events: VecDeque<Arc<Event>>,
    /// The newest state read of each subject, with the position it was read at. Older events of a subject
    /// show this state too.
    subjects: HashMap<Uuid, (i64, Opaque)>,
    /// The ring holds every event after this position.
    starts_after: i64,
    /// Number of removals since the tail started.
    removals: u64,
}

/// The result of a lookup in the ring.
pub(in crate::feed) enum Lookup {
    /// The event after the cursor.
    Event(Entry),
    /// There is no newer event yet.
    Nothing,
    /// The ring starts after the cursor.
    Behind,
}

impl Tail {
    pub(in crate::feed) fn new(params: TailParams, head: i64) -> Self {
        let TailParams { feed, topic, parent, number, epoch } = params;
        let ring = Ring { starts_after: head, ..Ring::default() };
        Self {
            feed,
            number,
            epoch,
            ended: AtomicBool::new(false),
            wake: Notify::new(),
            head: watch::Sender::new(head),
            topic,
            parent,
            pages: SingleFlight::default(),
            extents: SingleFlight::default(),
            ring: Mutex::new(ring),
        }
    }

    /// Returns the position after which the ring is complete.
    pub(in crate::feed) fn starts_after(&self) -> i64 {
        self.ring.lock().starts_after
    }

    pub(in crate::feed) fn removals(&self) -> u64 {
        self.ring.lock().removals
    }

    pub(in crate::feed) fn position(&self) -> i64 {
        *self.head.borrow()
    }

    /// Returns whether the epoch is over.
    pub(in crate::feed) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Ends the tail and wakes its followers.
    pub(in crate::feed) fn end(&self) {
        self.ended.store(true, Ordering::Release);
        self.head.send_modify(|_| {});
    }

    /// Adds events before the head, so that clients that reconnect soon need no query.
    pub(in crate::feed) fn prepend(&self, entries: Vec<Entry>, starts_after: i64) {
        let mut ring = self.ring.lock();
        ring.starts_after = starts_after;
        for entry in entries {
            ring.push(entry, self.topic.removals());
        }
    }

    /// Reads new events from the database and notifies the followers.
    pub(in crate::feed) async fn pull(&self, store: &Store) -> Result<(), StoreError> {
        loop {
            let entries = self.reader(store).entries(self.position(), PAGE_SIZE).await?;
            let is_full_page = entries.len() == PAGE_SIZE;
            let Some(newest) = entries.last().map(|entry| entry.event.seq) else { return Ok(()) };
            {
                let mut ring = self.ring.lock();
                for entry in entries {
                    ring.push(entry, self.topic.removals());
                }
            }
            self.head.send_replace(newest);
            if !is_full_page {
                return Ok(());
            }
        }
    }

    pub(in crate::feed) fn after(&self, cursor: i64) -> Lookup {
        let ring = self.ring.lock();
        if cursor < ring.starts_after {
            return Lookup::Behind;
        }
        let index = usize::try_from(cursor - ring.starts_after).unwrap_or(usize::MAX);
        let Some(event) = ring.events.get(index) else { return Lookup::Nothing };
        let subject = ring.subjects.get(&event.subject);
        let version = RenderVersion {
            tail: self.number,
            read_at: subject.map_or(event.seq, |(seq, _)| *seq),
            removals: ring.removals,
        };
        Lookup::Event(Entry { event: Arc::clone(event), subject: subject.map(|(_, subject)| subject.clone()), version })
    }

    /// Reads the page of older events after `cursor`, or of those that a filter may select. Followers with the
    /// same filter at the same page share one read.
    pub(in crate::feed) async fn page(
        &self,
        store: &Store,
        filter: Option<EventFilter>,
        cursor: i64,
    ) -> Result<Arc<Page>, StoreError> {
        let size = i64::try_from(PAGE_SIZE).unwrap_or(i64::MAX);
        // At most a page before the cursor, so that a full page reaches beyond it.
        let after = cursor - cursor.rem_euclid(size);
        let read = || async {
            // The ring takes over from here.
            let (removals, committed) = (self.removals(), self.starts_after());
            let reader = self.reader(store);
            let page = match filter {
                None => reader.page(after, committed).await,
                Some(filter) => reader.filtered_page(filter, after, committed).await,
            };
            let mut page = page.map_err(Arc::new)?;
            page.removals = removals;
            for entry in &mut page.entries {
                entry.version.tail = self.number;
            }
            Ok(Arc::new(page))
        };
        self.pages.join((filter, after), read).await.map_err(StoreError::Shared)
    }

    fn reader<'a>(&'a self, store: &'a Store) -> PageReader<'a> {
        PageReader { store, topic: self.topic.as_ref(), feed: &self.feed }
    }
}

impl Ring {
    /// Adds the next event, and ignores one that it already holds. After a gap, which retention causes, the
    /// ring starts again.
    fn push(&mut self, entry: Entry, removals: &[EventKind]) {
        let Entry { event, subject, .. } = entry;
        let next = self.starts_after + i64::try_from(self.events.len()).unwrap_or(i64::MAX) + 1;
        if event.seq < next {
            return;
        }
        if event.seq > next {
            self.events.clear();
            self.subjects.clear();
            self.starts_after = event.seq - 1;
        }
        match subject {
            Some(subject) => {
                self.subjects.insert(event.subject, (event.seq, subject));
            }
            // It no longer exists, or its state is unknown to this version: drop the old state.
            None => {
                self.subjects.remove(&event.subject);
            }
        }
        // An unknown kind may be a removal too.
        let removes = |kind| kind == EventKind::UNKNOWN || removals.contains(&kind);
        self.removals += u64::from(event.public_kind.is_some_and(removes));
        self.events.push_back(event);
        while self.events.len() > MAX_RING_EVENTS {
            let Some(oldest) = self.events.pop_front() else { break };
            self.starts_after = oldest.seq;
            if self.subjects.get(&oldest.subject).is_some_and(|(seq, _)| *seq == oldest.seq) {
                self.subjects.remove(&oldest.subject);
            }
        }
    }
}
