//! A follower: a cursor into a feed.

use std::sync::Arc;

use chrono::TimeDelta;
use tokio::sync::watch;

use crate::{
    clock::{Clock, sleep},
    domain::feed::EventFilter,
    feed::{
        entry::Entry,
        page::Page,
        tail::{Lookup, TailHandle},
        tail_reader::TailReader,
        topic::{EntryVisibility, Visibility},
    },
    store::Store,
};

/// Pause before a follower retries a failed read.
const RETRY: TimeDelta = TimeDelta::seconds(1);

/// Returns the events of one feed from a position on, without gaps or repeats. Leaves out events that its filter
/// does not select where that saves reading them.
pub struct Follower {
    handle: Arc<TailHandle>,
    head: watch::Receiver<i64>,
    store: Store,
    clock: Arc<dyn Clock>,
    cursor: i64,
    start: i64,
    recovered: Option<bool>,
    view: View,
    /// The page being read while the follower is behind the ring.
    page: Option<Arc<Page>>,
}

/// Where a follower starts, and what it may see.
pub(in crate::feed) struct Start {
    /// The position after which it starts.
    pub(in crate::feed) from: i64,
    /// Whether every event after the requested position is still stored.
    pub(in crate::feed) recovered: Option<bool>,
    /// What it may see.
    pub(in crate::feed) view: View,
}

/// What a follower may see.
pub(in crate::feed) struct View {
    /// Selects the events to read; `None` reads them all.
    pub(in crate::feed) filter: Option<EventFilter>,
    /// Decides what it is shown of an event, whatever was read.
    pub(in crate::feed) visibility: EntryVisibility,
}

impl Follower {
    pub(in crate::feed) fn new(handle: Arc<TailHandle>, store: Store, clock: Arc<dyn Clock>, start: Start) -> Self {
        let head = handle.tail.head.subscribe();
        let Start { from, recovered, view } = start;
        Self { handle, head, store, clock, cursor: from, start: from, recovered, view, page: None }
    }

    /// Returns the start position: the first event comes after it.
    #[must_use]
    pub const fn start(&self) -> i64 {
        self.start
    }

    /// Returns the epoch of the feed.
    #[must_use]
    pub fn epoch(&self) -> &Arc<str> {
        &self.handle.tail.epoch
    }

    /// Returns the position up to which the feed was read.
    #[must_use]
    pub const fn position(&self) -> i64 {
        self.cursor
    }

    /// Returns whether every event after the requested position was still stored; `None` if no position was
    /// requested.
    #[must_use]
    pub const fn recovered(&self) -> Option<bool> {
        self.recovered
    }

    /// Decides what this follower is shown of an entry.
    #[must_use]
    pub fn visibility(&self, entry: &Entry) -> Visibility {
        (self.view.visibility)(entry)
    }

    /// Returns the function behind [`Self::visibility`].
    #[must_use]
    pub fn entry_visibility(&self) -> EntryVisibility {
        Arc::clone(&self.view.visibility)
    }

    /// Returns a reader of the feed's newest events.
    #[must_use]
    pub fn tail_reader(&self) -> TailReader {
        TailReader::new(&self.handle.tail)
    }

    /// Returns the number of the tail on this replica.
    #[must_use]
    pub fn tail_number(&self) -> u64 {
        self.handle.tail.number
    }

    /// Returns whether the follower has read every event there is.
    #[must_use]
    pub fn is_caught_up(&self) -> bool {
        !self.handle.tail.has_ended() && self.cursor >= self.handle.tail.position()
    }

    /// Goes on after a later position, because the events up to there were delivered otherwise.
    pub fn skip_to(&mut self, position: i64) {
        self.cursor = self.cursor.max(position);
    }

    /// Waits for the next event. Cancel safe. Returns `None` if the stream cannot continue: the next event is
    /// no longer stored, or the feed has a new epoch.
    pub async fn next(&mut self) -> Option<Entry> {
        while !self.handle.tail.has_ended() {
            match self.handle.tail.after(self.cursor) {
                Lookup::Event(entry) => return Some(self.take(entry)),
                Lookup::Nothing => {
                    let cursor = self.cursor;
                    // The handle keeps the sender alive.
                    let _ = self.head.wait_for(|head| *head > cursor || self.handle.tail.has_ended()).await;
                }
                Lookup::Behind => {
                    // Boxed, because a follower that has caught up must not hold the room for it.
                    let page = Box::pin(self.page_ahead()).await?;
                    if let Some(entry) = page.after(self.cursor) {
                        return Some(self.take(entry));
                    }
                    // The filter selects nothing up to there.
                    self.cursor = page.through;
                }
            }
        }
        None
    }

    /// Returns the next event if it is in the ring.
    pub fn next_buffered(&mut self) -> Option<Entry> {
        if self.handle.tail.has_ended() {
            return None;
        }
        match self.handle.tail.after(self.cursor) {
            Lookup::Event(entry) => Some(self.take(entry)),
            Lookup::Nothing | Lookup::Behind => None,
        }
    }

    fn take(&mut self, entry: Entry) -> Entry {
        self.cursor = entry.event.seq;
        entry
    }

    /// Returns a page that reaches beyond the cursor, or `None` if the next event is no longer stored. A page read
    /// before a removal is read again.
    async fn page_ahead(&mut self) -> Option<Arc<Page>> {
        let (tail, cursor) = (&self.handle.tail, self.cursor);
        let is_usable = |page: &Arc<Page>| page.removals == tail.removals() && page.through > cursor;
        if let Some(page) = self.page.as_ref().filter(|page| is_usable(page)) {
            return Some(Arc::clone(page));
        }
        loop {
            match tail.page(&self.store, self.view.filter, cursor).await {
                _ if tail.has_ended() => return None,
                Ok(page) if page.kept_after > cursor => return None,
                Ok(page) if is_usable(&page) => return Some(Arc::clone(self.page.insert(page))),
                // The shared read began before the latest removal, or before the next event was committed.
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(error = error.chain(), "a follower cannot catch up");
                    sleep(self.clock.as_ref(), RETRY).await;
                }
            }
        }
    }
}
