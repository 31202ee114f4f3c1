//! The newest events of one feed, shared by all its followers on this replica.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use uuid::Uuid;

use crate::{
    domain::feed::{Event, EventKind, FeedName},
    feed::{
        single_flight::SingleFlight,
        topic::{AnyTopic, Opaque},
    },
    store::{
        Store, StoreError,
        feeds::{Extent, StoredEvent},
    },
};

/// How many events a tail holds.
const RING: usize = 1024;
/// How many events are read at a time.
pub(in crate::feed) const PAGE: usize = 256;

/// An event with its subject.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What happened.
    pub event: Arc<Event>,
    /// What it happened to, as it stood when it was last read; `None` when that is gone.
    pub(in crate::feed) subject: Option<Opaque>,
    /// What else must be the same for two followers to be shown the same.
    pub version: RenderVersion,
}

impl Entry {
    /// Returns when the event happened.
    #[must_use]
    pub fn at(&self) -> DateTime<Utc> {
        self.event.at
    }

    /// Returns what it happened to, as the topic has loaded it; `None` when that is gone.
    #[must_use]
    pub fn subject<S: Send + Sync + 'static>(&self) -> Option<Arc<S>> {
        Arc::clone(self.subject.as_ref()?).downcast().ok()
    }
}

/// The state of a feed in which an event is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct RenderVersion {
    /// The tail that shows it: what another showed under the same positions may be of another epoch.
    pub tail: u64,
    /// Position of the newest event with which the subject was read.
    pub read_at: i64,
    /// How many times something has been taken from the public since the tail began.
    pub removals: u64,
}

pub(in crate::feed) struct Tail {
    pub(in crate::feed) feed: FeedName,
    /// Counts the tails of this replica.
    number: u64,
    /// The generation of the feed that it holds.
    pub(in crate::feed) epoch: Arc<str>,
    /// Whether that generation is over, and with it everything that follows it.
    over: AtomicBool,
    /// Told to look at the database.
    pub(in crate::feed) wake: Notify,
    /// Position of the newest event that followers can have.
    pub(in crate::feed) head: watch::Sender<i64>,
    /// The feed's topic.
    topic: Arc<dyn AnyTopic>,
    /// What the feed belongs to, as it stood when the tail began.
    pub(in crate::feed) parent: Opaque,
    /// Reads of pages that the ring no longer holds.
    pages: SingleFlight<i64, Result<Arc<Page>, Arc<StoreError>>>,
    /// Reads of the extent.
    pub(in crate::feed) extents: SingleFlight<(), Result<Option<Extent>, Arc<StoreError>>>,
    state: Mutex<Ring>,
}

/// What a tail is a tail of.
pub(in crate::feed) struct TailOf {
    /// The feed.
    pub(in crate::feed) feed: FeedName,
    /// Its topic.
    pub(in crate::feed) topic: Arc<dyn AnyTopic>,
    /// What the feed belongs to.
    pub(in crate::feed) parent: Opaque,
    /// Counts the tails of this replica.
    pub(in crate::feed) number: u64,
    /// The generation of the feed.
    pub(in crate::feed) epoch: Arc<str>,
}

/// A page that the ring no longer holds.
#[derive(Debug)]
pub(in crate::feed) struct Page {
    pub(in crate::feed) entries: Vec<Entry>,
    /// How many removals there had been when the read began.
    pub(in crate::feed) removals: u64,
}

#[derive(Debug, Default)]
struct Ring {
    events: VecDeque<Arc<Event>>,
    /// The newest state that was read of each subject in the ring, and the position it was read at: an old event of a
    /// subject shows it as it versions, not as it was.
    subjects: HashMap<Uuid, (i64, Opaque)>,
    /// Everything after this position is in the ring.
    begins_after: i64,
    /// How many times something has been taken from the public.
    removals: u64,
}

/// What a follower finds in the ring.
pub(in crate::feed) enum Lookup {
    /// The event after its cursor.
    Event(Entry),
    /// Nothing after its cursor yet.
    Nothing,
    /// The ring begins later than its cursor.
    Behind,
}

impl Tail {
    pub(in crate::feed) fn new(of: TailOf, head: i64) -> Self {
        let TailOf { feed, topic, parent, number, epoch } = of;
        let ring = Ring { begins_after: head, ..Ring::default() };
        Self {
            feed,
            number,
            epoch,
            over: AtomicBool::new(false),
            wake: Notify::new(),
            head: watch::Sender::new(head),
            topic,
            parent,
            pages: SingleFlight::default(),
            extents: SingleFlight::default(),
            state: Mutex::new(ring),
        }
    }

    /// The first position after which everything is in the ring.
    pub(in crate::feed) fn begins_after(&self) -> i64 {
        self.state.lock().begins_after
    }

    pub(in crate::feed) fn removals(&self) -> u64 {
        self.state.lock().removals
    }

    pub(in crate::feed) fn position(&self) -> i64 {
        *self.head.borrow()
    }

    /// Whether its generation of the feed is over.
    pub(in crate::feed) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// Ends it, and wakes those who follow it.
    pub(in crate::feed) fn end(&self) {
        self.over.store(true, Ordering::Release);
        self.head.send_modify(|_| {});
    }

    /// Fills the ring backwards, so that those who come back after a short cut need no database.
    pub(in crate::feed) fn prepend(&self, entries: Vec<Entry>, begins_after: i64) {
        let mut ring = self.state.lock();
        ring.begins_after = begins_after;
        for entry in entries {
            ring.push(entry, self.topic.removals());
        }
    }

    /// Reads everything new from the database and lets the followers have it.
    pub(in crate::feed) async fn pull(&self, store: &Store) -> Result<(), StoreError> {
        loop {
            let after = self.position();
            let entries = read(store, self.topic.as_ref(), &self.feed, Range { after, limit: PAGE }).await?;
            let full = entries.len() == PAGE;
            let Some(newest) = entries.last().map(|entry| entry.event.seq) else { return Ok(()) };
            {
                let mut ring = self.state.lock();
                for entry in entries {
                    ring.push(entry, self.topic.removals());
                }
            }
            self.head.send_replace(newest);
            if !full {
                return Ok(());
            }
        }
    }

    pub(in crate::feed) fn after(&self, cursor: i64) -> Lookup {
        let ring = self.state.lock();
        if cursor < ring.begins_after {
            return Lookup::Behind;
        }
        let place = usize::try_from(cursor - ring.begins_after).unwrap_or(usize::MAX);
        let Some(event) = ring.events.get(place) else { return Lookup::Nothing };
        let subject = ring.subjects.get(&event.subject);
        let version = RenderVersion {
            tail: self.number,
            read_at: subject.map_or(event.seq, |(seq, _)| *seq),
            removals: ring.removals,
        };
        Lookup::Event(Entry { event: Arc::clone(event), subject: subject.map(|(_, subject)| subject.clone()), version })
    }

    /// The page of older events that holds the position after `cursor`. All who are that far behind share one read.
    pub(in crate::feed) async fn page(&self, store: &Store, cursor: i64) -> Result<Arc<Page>, StoreError> {
        let size = i64::try_from(PAGE).unwrap_or(i64::MAX);
        let begins_after = cursor - cursor.rem_euclid(size);
        let read = || async {
            let removals = self.removals();
            let mut entries = read(store, self.topic.as_ref(), &self.feed, Range { after: begins_after, limit: PAGE })
                .await
                .map_err(Arc::new)?;
            for entry in &mut entries {
                entry.version.tail = self.number;
            }
            Ok(Arc::new(Page { entries, removals }))
        };
        self.pages.join(begins_after, read).await.map_err(StoreError::Shared)
    }
}

impl Ring {
    /// Takes the next event. One that is known already is passed over; where some that lie between were forgotten before they
    /// could be read, the ring begins anew, and whoever has not come so far is behind it.
    fn push(&mut self, entry: Entry, removals: &[EventKind]) {
        let Entry { event, subject, .. } = entry;
        let next = self.begins_after + i64::try_from(self.events.len()).unwrap_or(i64::MAX) + 1;
        if event.seq < next {
            return;
        }
        if event.seq > next {
            self.events.clear();
            self.subjects.clear();
            self.begins_after = event.seq - 1;
        }
        match subject {
            Some(subject) => {
                self.subjects.insert(event.subject, (event.seq, subject));
            }
            // It is gone, or what became of it only a later version knows: nobody is shown what it was.
            None => {
                self.subjects.remove(&event.subject);
            }
        }
        // One of an unknown kind may be a removal too.
        let removes = |kind| kind == EventKind::UNKNOWN || removals.contains(&kind);
        self.removals += u64::from(event.public_kind.is_some_and(removes));
        self.events.push_back(event);
        while self.events.len() > RING {
            let Some(oldest) = self.events.pop_front() else { break };
            self.begins_after = oldest.seq;
            if self.subjects.get(&oldest.subject).is_some_and(|(seq, _)| *seq == oldest.seq) {
                self.subjects.remove(&oldest.subject);
            }
        }
    }
}

/// Which events to read.
#[derive(Clone, Copy, Debug)]
pub(in crate::feed) struct Range {
    /// Those after this position.
    pub(in crate::feed) after: i64,
    /// At most so many.
    pub(in crate::feed) limit: usize,
}

/// Reads events with their subjects: two queries, whatever the number.
pub(in crate::feed) async fn read(
    store: &Store,
    topic: &dyn AnyTopic,
    feed: &FeedName,
    Range { after, limit }: Range,
) -> Result<Vec<Entry>, StoreError> {
    let events = store.feed_page(feed, after, u64::try_from(limit).unwrap_or(u64::MAX)).await?;
    let mut ids: Vec<Uuid> = events.iter().map(|event| event.subject).collect();
    ids.sort_unstable();
    ids.dedup();
    let subjects = if ids.is_empty() { HashMap::new() } else { topic.subjects(ids).await? };
    let read_at = events.last().map_or(after, |event| event.seq);
    let kind = |name: &str| EventKind::parse(name, topic.kinds());
    let entry = |StoredEvent { seq, at, subject, kind: own, public_kind, audience }: StoredEvent| Entry {
        subject: subjects.get(&subject).cloned(),
        event: Arc::new(Event {
            seq,
            at,
            subject,
            kind: kind(&own),
            public_kind: public_kind.as_deref().map(kind),
            audience,
        }),
        version: RenderVersion { tail: 0, read_at, removals: 0 },
    };
    Ok(events.into_iter().map(entry).collect())
}
