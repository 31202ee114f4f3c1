//! Pages of events that are read from the database.

use std::{collections::HashMap, sync::Arc};

use uuid::Uuid;

use crate::{
    domain::feed::{Event, EventFilter, EventKind, FeedName},
    feed::{
        entry::{Entry, RenderVersion},
        topic::AnyTopic,
    },
    store::{
        Store, StoreError,
        feeds::{EventRange, StoredEvent},
    },
};

/// Maximum number of events per read.
pub(in crate::feed) const PAGE_SIZE: usize = 256;

/// A page of events older than the ring.
#[derive(Debug)]
pub(in crate::feed) struct Page {
    /// The events, in order.
    pub(in crate::feed) entries: Vec<Entry>,
    /// The page holds all events up to this position, or all that its filter may select.
    pub(in crate::feed) through: i64,
    /// Events up to this position may be missing, because they are no longer stored.
    pub(in crate::feed) kept_after: i64,
    /// Number of removals when the read started.
    pub(in crate::feed) removals: u64,
}

impl Page {
    /// Returns the first event after a position.
    pub(in crate::feed) fn after(&self, cursor: i64) -> Option<Entry> {
        self.entries.iter().find(|entry| entry.event.seq > cursor).cloned()
    }
}

/// Reads pages of one feed.
pub(in crate::feed) struct PageReader<'a> {
    pub(in crate::feed) store: &'a Store,
    pub(in crate::feed) topic: &'a dyn AnyTopic,
    pub(in crate::feed) feed: &'a FeedName,
}

impl PageReader<'_> {
    /// Reads events and their subjects with two queries, whatever their number.
    pub(in crate::feed) async fn entries(&self, after: i64, limit: usize) -> Result<Vec<Entry>, StoreError> {
        let events = self.store.feed_page(self.feed, after, u64::try_from(limit).unwrap_or(u64::MAX)).await?;
        self.with_subjects(events).await
    }

    /// Reads the page after a position. All events up to `committed` are known to be committed.
    pub(in crate::feed) async fn page(&self, after: i64, committed: i64) -> Result<Page, StoreError> {
        let entries = self.entries(after, PAGE_SIZE).await?;
        // Positions have no gaps, so events before the first one are no longer stored.
        let kept_after = entries.first().map_or(committed, |entry| entry.event.seq - 1);
        let through = entries.last().map_or(committed, |entry| entry.event.seq);
        Ok(Page { entries, through, kept_after, removals: 0 })
    }

    /// Reads the page after a position of the events that a filter may select, up to the position `committed`.
    /// Its cost depends on the number of those events only.
    pub(in crate::feed) async fn filtered_page(
        &self,
        filter: EventFilter,
        after: i64,
        committed: i64,
    ) -> Result<Page, StoreError> {
        let range = EventRange { after, through: committed, limit: PAGE_SIZE };
        let events = self.store.matching_events(self.feed, filter, range).await?;
        // Read after the events: what was still stored then was stored when they were read.
        let kept_after = self.store.feed_extent(self.feed).await?.kept_after;
        let is_full = events.len() == PAGE_SIZE;
        let through = events.last().filter(|_| is_full).map_or(committed, |event| event.seq);
        Ok(Page { entries: self.with_subjects(events).await?, through, kept_after, removals: 0 })
    }

    async fn with_subjects(&self, events: Vec<StoredEvent>) -> Result<Vec<Entry>, StoreError> {
        let Some(read_at) = events.last().map(|event| event.seq) else { return Ok(Vec::new()) };
        let mut ids: Vec<Uuid> = events.iter().map(|event| event.subject).collect();
        ids.sort_unstable();
        ids.dedup();
        let subjects: HashMap<_, _> = self.topic.subjects(ids).await?;
        let kind = |name: &str| EventKind::parse(name, self.topic.kinds());
        let entry =
            |StoredEvent { seq, at, subject, kind: own, public_kind, audience, agency, region: _ }: StoredEvent| {
                Entry {
                    subject: subjects.get(&subject).cloned(),
                    event: Arc::new(Event {
                        seq,
                        at,
                        subject,
                        kind: kind(&own),
                        public_kind: public_kind.as_deref().map(kind),
                        audience,
                        agency,
                    }),
                    version: RenderVersion { tail: 0, read_at, removals: 0 },
                }
            };
        Ok(events.into_iter().map(entry).collect())
    }
}
