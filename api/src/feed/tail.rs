//! The newest events of one feed, shared by all its followers on this replica.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use entities::{
    comment,
    ids::{CommentId, MeetingId},
    meeting,
};
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use uuid::Uuid;

use crate::{
    domain::feed::{Event, FeedName},
    store::{Store, StoreError},
};

/// How many events a tail holds.
const RING: usize = 512;
/// How many events are read at a time.
pub(in crate::feed) const PAGE: usize = 256;

/// What an event is about, as it stood when it was last read.
#[derive(Clone, Debug)]
pub enum Subject {
    /// A comment.
    Comment(Arc<comment::Model>),
    /// A meeting.
    Meeting(Arc<meeting::Model>),
}

/// An event with its subject.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What happened.
    pub event: Event,
    /// What it happened to; none when that is gone.
    pub subject: Option<Subject>,
}

#[derive(Debug)]
pub(in crate::feed) struct Tail {
    pub(in crate::feed) feed: FeedName,
    /// Told to look at the database.
    pub(in crate::feed) wake: Notify,
    /// Position of the newest event that followers can have.
    pub(in crate::feed) head: watch::Sender<i64>,
    state: Mutex<Ring>,
}

#[derive(Debug, Default)]
struct Ring {
    events: VecDeque<Arc<Event>>,
    /// The newest state that was read of each subject in the ring, and the position it was read at: an old event of a
    /// subject shows it as it stands, not as it was.
    subjects: HashMap<Uuid, (i64, Subject)>,
    /// Everything after this position is in the ring.
    begins_after: i64,
}

/// What a follower finds in the ring.
pub(in crate::feed) enum Found {
    /// The events after its cursor, if any.
    Events(Vec<Entry>),
    /// The ring begins later than its cursor.
    Behind,
}

impl Tail {
    pub(in crate::feed) fn new(feed: FeedName, head: i64) -> Self {
        let ring = Ring { begins_after: head, ..Ring::default() };
        Self { feed, wake: Notify::new(), head: watch::Sender::new(head), state: Mutex::new(ring) }
    }

    pub(in crate::feed) fn position(&self) -> i64 {
        *self.head.borrow()
    }

    /// Fills the ring backwards, so that those who come back after a short cut need no database.
    pub(in crate::feed) fn prepend(&self, entries: Vec<Entry>, begins_after: i64) {
        let mut ring = self.state.lock();
        ring.begins_after = begins_after;
        for entry in entries {
            ring.push(entry);
        }
    }

    /// Reads everything new from the database and lets the followers have it.
    pub(in crate::feed) async fn pull(&self, store: &Store) -> Result<(), StoreError> {
        loop {
            let after = self.position();
            let entries = read(store, &self.feed, after, PAGE).await?;
            let full = entries.len() == PAGE;
            let Some(newest) = entries.last().map(|entry| entry.event.seq) else { return Ok(()) };
            {
                let mut ring = self.state.lock();
                for entry in entries {
                    ring.push(entry);
                }
            }
            self.head.send_replace(newest);
            if !full {
                return Ok(());
            }
        }
    }

    pub(in crate::feed) fn after(&self, cursor: i64) -> Found {
        let ring = self.state.lock();
        if cursor < ring.begins_after {
            return Found::Behind;
        }
        let skip = usize::try_from(cursor - ring.begins_after).unwrap_or(usize::MAX);
        let entries = ring.events.iter().skip(skip).take(PAGE).map(|event| Entry {
            event: Event::clone(event),
            subject: ring.subjects.get(&event.subject).map(|(_, subject)| subject.clone()),
        });
        Found::Events(entries.collect())
    }
}

impl Ring {
    fn push(&mut self, entry: Entry) {
        let Entry { event, subject } = entry;
        if let Some(subject) = subject {
            self.subjects.insert(event.subject, (event.seq, subject));
        }
        self.events.push_back(Arc::new(event));
        while self.events.len() > RING {
            let Some(oldest) = self.events.pop_front() else { break };
            self.begins_after = oldest.seq;
            if self.subjects.get(&oldest.subject).is_some_and(|(seq, _)| *seq == oldest.seq) {
                self.subjects.remove(&oldest.subject);
            }
        }
    }
}

/// Reads events with their subjects: two queries, whatever the number.
pub(in crate::feed) async fn read(
    store: &Store,
    feed: &FeedName,
    after: i64,
    limit: usize,
) -> Result<Vec<Entry>, StoreError> {
    let events = store.feed_page(feed, after, u64::try_from(limit).unwrap_or(u64::MAX)).await?;
    let mut ids: Vec<Uuid> = events.iter().map(|event| event.subject).collect();
    ids.sort_unstable();
    ids.dedup();
    let subjects: HashMap<Uuid, Subject> = if ids.is_empty() {
        HashMap::new()
    } else {
        match feed {
            FeedName::Comments(_) => {
                let ids: Vec<_> = ids.into_iter().map(CommentId).collect();
                let rows = store.comments_by_id(&ids).await?;
                rows.into_iter().map(|row| (row.id.0, Subject::Comment(Arc::new(row)))).collect()
            }
            FeedName::Meetings => {
                let ids: Vec<_> = ids.into_iter().map(MeetingId).collect();
                let rows = store.meetings_by_id(&ids).await?;
                rows.into_iter().map(|row| (row.id.0, Subject::Meeting(Arc::new(row)))).collect()
            }
        }
    };
    Ok(events.into_iter().map(|event| Entry { subject: subjects.get(&event.subject).cloned(), event }).collect())
}

impl Entry {
    /// When the event happened.
    #[must_use]
    pub const fn at(&self) -> DateTime<Utc> {
        self.event.at
    }
}
