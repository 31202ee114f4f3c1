//! The stream of a feed's events for one subscriber, with its start and its heartbeats.

use std::sync::Arc;

use chrono::{SubsecRound, TimeDelta};

use crate::{
    clock::{Clock, Sleep, sleep},
    feed::{EntryVisibility, Follower, TailReader, Visibility},
    graphql::{
        attached_follower::{AttachedFollower, Deliverer, Progress},
        stream_item::{Envelope, EventPayload, StreamItem},
    },
};

/// Interval of heartbeats.
const HEARTBEAT_PERIOD: TimeDelta = TimeDelta::seconds(20);

/// A subscriber's stream. Its events come one by one, until it is attached to a deliverer: then they go to its sink.
pub struct FeedStream {
    follower: Follower,
    clock: Arc<dyn Clock>,
    last_seq: i64,
    next_heartbeat: Option<Sleep>,
    attachment: Option<Attachment>,
    has_ended: bool,
}

/// The deliverer of a stream. Dropping it detaches the stream.
struct Attachment {
    deliverer: Arc<dyn Deliverer>,
    follower: Arc<AttachedFollower>,
    is_attached: bool,
}

impl Drop for Attachment {
    fn drop(&mut self) {
        self.follower.close();
    }
}

impl FeedStream {
    /// Creates the stream of a follower.
    #[must_use]
    pub fn new(follower: Follower, clock: Arc<dyn Clock>) -> Self {
        let last_seq = follower.start();
        Self { follower, clock, last_seq, next_heartbeat: None, attachment: None, has_ended: false }
    }

    /// Returns a reader of the feed, and the number of its tail.
    #[must_use]
    pub fn tail(&self) -> (TailReader, u64) {
        (self.follower.tail_reader(), self.follower.tail_number())
    }

    /// Returns the function that decides what the subscriber is shown.
    #[must_use]
    pub fn visibility(&self) -> EntryVisibility {
        self.follower.entry_visibility()
    }

    /// Attaches the stream to a deliverer whenever it has caught up.
    pub fn deliver_through(&mut self, deliverer: Arc<dyn Deliverer>, follower: Arc<AttachedFollower>) {
        self.attachment = Some(Attachment { deliverer, follower, is_attached: false });
    }

    /// Returns the next item, or `None` at the end.
    pub async fn next(&mut self) -> Option<StreamItem> {
        if self.has_ended {
            return None;
        }
        if self.next_heartbeat.is_none() {
            self.next_heartbeat = Some(sleep(self.clock.as_ref(), HEARTBEAT_PERIOD));
            return Some(self.control_item(EventPayload::Subscribed(self.follower.recovered())));
        }
        let item = self.next_event().await;
        self.has_ended = matches!(item, None | Some(StreamItem::EventsExpired));
        item
    }

    async fn next_event(&mut self) -> Option<StreamItem> {
        loop {
            self.attach();
            let Self { follower, next_heartbeat: Some(next_heartbeat), attachment, .. } = self else { return None };
            let attached = attachment.as_mut().filter(|attachment| attachment.is_attached);
            let entry = if let Some(attachment) = attached {
                let is_heartbeat = tokio::select! {
                    biased;
                    () = attachment.follower.handed_back() => false,
                    () = &mut *next_heartbeat => true,
                };
                self.detach();
                if is_heartbeat {
                    return Some(self.heartbeat());
                }
                continue;
            } else {
                tokio::select! {
                    biased;
                    entry = follower.next() => match entry {
                        Some(entry) => entry,
                        None => return Some(StreamItem::EventsExpired),
                    },
                    () = &mut *next_heartbeat => return Some(self.heartbeat()),
                }
            };
            let (prev, seq, at) = (self.last_seq, entry.event.seq, entry.at());
            let payload = match self.follower.visibility(&entry) {
                Visibility::Shared(kind) => EventPayload::Shared(kind, entry),
                Visibility::Personal(kind) => EventPayload::Personal(kind, entry),
                Visibility::Hidden => continue,
                Visibility::Ended => return None,
            };
            self.last_seq = seq;
            let epoch = Arc::clone(self.follower.epoch());
            return Some(StreamItem::Feed(Envelope { seq, prev, at, epoch, payload }));
        }
    }

    fn attach(&mut self) {
        if let Some(attachment) = &mut self.attachment
            && !attachment.is_attached
            && self.follower.is_caught_up()
        {
            let progress = Progress { cursor: self.follower.position(), last_seq: self.last_seq };
            attachment.is_attached = attachment.deliverer.attach(&attachment.follower, progress);
        }
    }

    fn detach(&mut self) {
        if let Some(attachment) = &mut self.attachment
            && std::mem::take(&mut attachment.is_attached)
        {
            let Progress { cursor, last_seq } = attachment.follower.detach();
            self.follower.skip_to(cursor);
            self.last_seq = last_seq;
        }
    }

    fn heartbeat(&mut self) -> StreamItem {
        self.next_heartbeat = Some(sleep(self.clock.as_ref(), HEARTBEAT_PERIOD));
        self.control_item(EventPayload::Heartbeat)
    }

    /// Creates a start or heartbeat item. Its time is a whole second, so that subscribers share the
    /// rendering.
    fn control_item(&self, payload: EventPayload) -> StreamItem {
        let at = self.clock.now().trunc_subsecs(0);
        let (seq, epoch) = (self.follower.position(), Arc::clone(self.follower.epoch()));
        StreamItem::Feed(Envelope { seq, prev: self.last_seq, at, epoch, payload })
    }
}
