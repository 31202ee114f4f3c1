//! Reads the events of a tail for many followers at once.

use std::sync::{Arc, Weak};

use tokio::sync::watch;

use crate::feed::{
    entry::Entry,
    tail::{Lookup, Tail},
};

/// A reader of the newest events of a feed. It does not keep the tail alive.
#[derive(Clone)]
pub struct TailReader {
    tail: Weak<Tail>,
    epoch: Arc<str>,
    head: watch::Receiver<i64>,
}

/// What a reader found.
#[derive(Clone, Debug)]
pub struct NewEntries {
    /// The events after the given position, in order.
    pub entries: Vec<Entry>,
    /// Position of the last of them, or the given one.
    pub head: i64,
    /// Number of removals when they were read.
    pub removals: u64,
}

impl TailReader {
    pub(in crate::feed) fn new(tail: &Arc<Tail>) -> Self {
        Self { tail: Arc::downgrade(tail), epoch: Arc::clone(&tail.epoch), head: tail.head.subscribe() }
    }

    /// Waits for new events. Returns false when the tail is gone.
    pub async fn changed(&mut self) -> bool {
        self.head.changed().await.is_ok()
    }

    /// Returns the epoch of the feed.
    #[must_use]
    pub const fn epoch(&self) -> &Arc<str> {
        &self.epoch
    }

    /// Returns the position of the newest event.
    #[must_use]
    pub fn head(&self) -> i64 {
        *self.head.borrow()
    }

    /// Returns the events after a position, or `None` if the tail no longer holds them all or has ended.
    #[must_use]
    pub fn read(&self, after: i64) -> Option<NewEntries> {
        let tail = self.tail.upgrade().filter(|tail| !tail.has_ended())?;
        let removals = tail.removals();
        let (mut entries, mut head) = (Vec::new(), after);
        loop {
            match tail.after(head) {
                Lookup::Event(entry) => {
                    head = entry.event.seq;
                    entries.push(entry);
                }
                Lookup::Nothing => return Some(NewEntries { entries, head, removals }),
                Lookup::Behind => return None,
            }
        }
    }

    /// Returns whether the tail has ended or is gone.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.tail.upgrade().is_none_or(|tail| tail.has_ended())
    }

    /// Returns the number of removals, or `None` if the tail is gone.
    #[must_use]
    pub fn removals(&self) -> Option<u64> {
        self.tail.upgrade().map(|tail| tail.removals())
    }
}
