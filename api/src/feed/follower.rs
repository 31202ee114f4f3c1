//! A cursor into a feed.

use std::sync::Arc;

use chrono::TimeDelta;
use tokio::sync::watch;

use crate::{
    clock::{Clock, sleep},
    feed::{
        hub::TailHandle,
        tail::{Entry, Lookup, Page},
        topic::{EntryVisibility, Visibility},
    },
    store::Store,
};

/// How long a follower that is behind the ring waits before it asks a failing database again.
const RETRY: TimeDelta = TimeDelta::seconds(1);

/// Follows one feed from a position on, without hole or repeat.
pub struct Follower {
    kept: Arc<TailHandle>,
    head: watch::Receiver<i64>,
    store: Store,
    clock: Arc<dyn Clock>,
    cursor: i64,
    began: i64,
    recovered: Option<bool>,
    visibility: EntryVisibility,
    /// The page it reads from while it is behind the ring.
    page: Option<Arc<Page>>,
}

/// How a follower begins.
pub(in crate::feed) struct Start {
    /// The position after which it begins.
    pub(in crate::feed) from: i64,
    /// Whether everything after the wished position is still there.
    pub(in crate::feed) recovered: Option<bool>,
    /// What it is shown.
    pub(in crate::feed) visibility: EntryVisibility,
}

impl Follower {
    pub(in crate::feed) fn new(kept: Arc<TailHandle>, store: Store, clock: Arc<dyn Clock>, start: Start) -> Self {
        let head = kept.tail.head.subscribe();
        let Start { from, recovered, visibility } = start;
        Self { kept, head, store, clock, cursor: from, began: from, recovered, visibility, page: None }
    }

    /// Where the stream begins: the first event that can come is the one after it.
    #[must_use]
    pub const fn began(&self) -> i64 {
        self.began
    }

    /// The generation of the feed that is followed.
    #[must_use]
    pub fn epoch(&self) -> &Arc<str> {
        &self.kept.tail.epoch
    }

    /// How far the feed was looked through: the position of the event that came last.
    #[must_use]
    pub const fn position(&self) -> i64 {
        self.cursor
    }

    /// Whether everything after the wished position is still there; none when no position was wished.
    #[must_use]
    pub const fn recovered(&self) -> Option<bool> {
        self.recovered
    }

    /// Decides what this follower is shown of an entry.
    #[must_use]
    pub fn visibility(&self, entry: &Entry) -> Visibility {
        (self.visibility)(entry)
    }

    /// The next event. Waits as long as there is none; safe to be dropped while it waits. None: the follower was so slow that
    /// the next event is no longer kept, and a hole must not pass for silence; or the feed is another now, after a restore.
    pub async fn next(&mut self) -> Option<Entry> {
        while !self.kept.tail.is_over() {
            match self.kept.tail.after(self.cursor) {
                Lookup::Event(entry) => return Some(self.take(entry)),
                Lookup::Nothing => {
                    let cursor = self.cursor;
                    // The sender lives in the tail, which this follower keeps.
                    let _ = self.head.wait_for(|head| *head > cursor || self.kept.tail.is_over()).await;
                }
                Lookup::Behind => {
                    let entry = self.read_back().await?;
                    return Some(self.take(entry));
                }
            }
        }
        None
    }

    /// The next event, where it is at hand.
    pub fn next_at_hand(&mut self) -> Option<Entry> {
        if self.kept.tail.is_over() {
            return None;
        }
        match self.kept.tail.after(self.cursor) {
            Lookup::Event(entry) => Some(self.take(entry)),
            Lookup::Nothing | Lookup::Behind => None,
        }
    }

    fn take(&mut self, entry: Entry) -> Entry {
        self.cursor = entry.event.seq;
        entry
    }

    /// The next event from the database. A page that was read before something was taken from the public is read anew.
    async fn read_back(&mut self) -> Option<Entry> {
        let wished = self.cursor + 1;
        let find = |page: &Page| page.entries.iter().find(|entry| entry.event.seq >= wished).cloned();
        let known = self.page.take().filter(|page| page.removals == self.kept.tail.removals());
        if let Some(page) = known
            && let Some(entry) = find(&page)
        {
            self.page = Some(page);
            return Some(entry);
        }
        let page = loop {
            match self.kept.tail.page(&self.store, self.cursor).await {
                _ if self.kept.tail.is_over() => return None,
                Ok(page) if page.removals == self.kept.tail.removals() => break page,
                // Read together with others who began before something was taken from the public.
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(error = error.chain(), "a follower cannot catch up");
                    sleep(self.clock.as_ref(), RETRY).await;
                }
            }
        };
        // Positions have no gaps, so the next event is the next position.
        let entry = find(&page).filter(|entry| entry.event.seq == wished);
        self.page = Some(page);
        entry
    }
}
