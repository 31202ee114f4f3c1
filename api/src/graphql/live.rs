//! The envelope of every feed: where a stream begins, its events, its heartbeats.

use std::{collections::VecDeque, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{Stream, stream};

use crate::{
    clock::{Clock, Sleep, sleep},
    domain::feed::EventKind,
    feed::{Entry, Follower},
};

/// How often a stream says that it is alive.
const HEARTBEAT: TimeDelta = TimeDelta::seconds(20);

/// What an envelope is.
#[derive(Clone, Debug)]
pub enum Signal {
    /// The beginning of the stream; whether a wished resume was whole.
    Subscribed(Option<bool>),
    /// Nothing happened.
    Heartbeat,
    /// Something happened to a subject.
    Event(EventKind, Entry),
}

/// One message of a stream.
#[derive(Clone, Debug)]
pub struct Envelope {
    /// Position in the feed.
    pub seq: i64,
    /// Position of the message before it, of those this subscriber may see.
    pub prev: i64,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// What it is.
    pub signal: Signal,
}

/// What a subscriber is to be shown of an event.
pub enum Sight {
    /// The event, as of this kind.
    Shown(EventKind),
    /// Nothing.
    Skipped,
    /// The subscriber may no longer follow at all.
    Ended,
}

struct State<F> {
    follower: Follower,
    clock: Arc<dyn Clock>,
    see: F,
    waiting: VecDeque<Entry>,
    last: i64,
    heartbeat: Option<Sleep>,
}

/// Turns a follower into envelopes. `see` is asked at every event, so that a right that is gone takes effect at the next.
pub fn envelopes<F>(follower: Follower, clock: Arc<dyn Clock>, see: F) -> impl Stream<Item = Envelope> + Send
where
    F: FnMut(&Entry) -> Sight + Send,
{
    let last = follower.began();
    let state = State { follower, clock, see, waiting: VecDeque::new(), last, heartbeat: None };
    stream::unfold(state, |mut state| async move {
        let envelope = state.next().await?;
        Some((envelope, state))
    })
}

impl<F: FnMut(&Entry) -> Sight + Send> State<F> {
    async fn next(&mut self) -> Option<Envelope> {
        let Some(heartbeat) = &mut self.heartbeat else {
            self.heartbeat = Some(sleep(self.clock.as_ref(), HEARTBEAT));
            return Some(self.envelope(self.last, self.clock.now(), Signal::Subscribed(self.follower.recovered())));
        };
        loop {
            while let Some(entry) = self.waiting.pop_front() {
                match (self.see)(&entry) {
                    Sight::Shown(kind) => {
                        let (prev, seq) = (self.last, entry.event.seq);
                        self.last = seq;
                        return Some(Envelope { seq, prev, at: entry.at(), signal: Signal::Event(kind, entry) });
                    }
                    Sight::Skipped => {}
                    Sight::Ended => return None,
                }
            }
            tokio::select! {
                biased;
                entries = self.follower.next() => self.waiting.extend(entries?),
                () = &mut *heartbeat => {
                    *heartbeat = sleep(self.clock.as_ref(), HEARTBEAT);
                    return Some(self.envelope(self.last, self.clock.now(), Signal::Heartbeat));
                }
            }
        }
    }

    const fn envelope(&self, seq: i64, at: DateTime<Utc>, signal: Signal) -> Envelope {
        Envelope { seq, prev: seq, at, signal }
    }
}
