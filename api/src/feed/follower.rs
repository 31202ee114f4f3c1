//! A cursor into a feed.

use std::sync::Arc;

use chrono::TimeDelta;
use tokio::sync::watch;

use crate::{
    clock::{Clock, sleep},
    feed::{
        hub::Kept,
        tail::{Entry, Found, PAGE, read},
    },
    store::Store,
};

/// How long a follower that is behind the ring waits before it asks a failing database again.
const RETRY: TimeDelta = TimeDelta::seconds(1);

/// Follows one feed from a position on, without hole or repeat.
pub struct Follower {
    kept: Arc<Kept>,
    head: watch::Receiver<i64>,
    store: Store,
    clock: Arc<dyn Clock>,
    cursor: i64,
    began: i64,
    recovered: Option<bool>,
}

impl Follower {
    pub(in crate::feed) fn new(
        kept: Arc<Kept>,
        store: Store,
        clock: Arc<dyn Clock>,
        from: i64,
        recovered: Option<bool>,
    ) -> Self {
        let head = kept.tail.head.subscribe();
        Self { kept, head, store, clock, cursor: from, began: from, recovered }
    }

    /// Where the stream begins: the first event that can come is the one after it.
    #[must_use]
    pub const fn began(&self) -> i64 {
        self.began
    }

    /// Whether everything after the wished position is still there; none when no position was wished.
    #[must_use]
    pub const fn recovered(&self) -> Option<bool> {
        self.recovered
    }

    /// The next events, at least one, in order. Waits as long as there is none; safe to be dropped while it waits. None: the
    /// follower was so slow that the next event is no longer kept, and a hole must not pass for silence.
    pub async fn next(&mut self) -> Option<Vec<Entry>> {
        loop {
            let entries = match self.kept.tail.after(self.cursor) {
                Found::Events(entries) => entries,
                Found::Behind => {
                    let entries = self.read_back().await;
                    // Positions have no gaps, so the next event is the next position.
                    entries.first().filter(|entry| entry.event.seq == self.cursor + 1)?;
                    entries
                }
            };
            if let Some(newest) = entries.last().map(|entry| entry.event.seq) {
                self.cursor = newest;
                return Some(entries);
            }
            let cursor = self.cursor;
            // The sender lives in the tail, which this follower keeps.
            let _ = self.head.wait_for(|head| *head > cursor).await;
        }
    }

    async fn read_back(&self) -> Vec<Entry> {
        loop {
            match read(&self.store, &self.kept.tail.feed, self.cursor, PAGE).await {
                Ok(entries) => return entries,
                Err(error) => {
                    tracing::warn!(error = error.chain(), "a follower cannot catch up");
                    sleep(self.clock.as_ref(), RETRY).await;
                }
            }
        }
    }
}
