//! Followers that have caught up with their feed. They are parked: whoever delivers the next events writes them to
//! the follower's sink directly, without waking its task.

use std::{
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use parking_lot::Mutex;

use crate::{
    domain::feed::EventKind,
    feed::{Entry, EntryVisibility, Visibility},
    graphql::caller::Caller,
};

/// Takes rendered events for a subscriber, without waiting.
pub trait EventSink: Send + Sync {
    /// Takes responses in order, all or none, and returns whether it took them. `scratch` is a buffer that calls may
    /// share.
    fn try_send(&self, responses: &[Bytes], scratch: &mut Vec<u8>) -> bool;
}

/// Delivers events to parked followers.
pub trait ParkingLot: Send + Sync {
    /// Parks a follower with its progress. Returns false if it must read on by itself.
    fn park(&self, follower: &Arc<ParkedFollower>, progress: Progress) -> bool;
}

/// A follower as the deliverer sees it.
pub struct ParkedFollower {
    place: Mutex<Place>,
    task: AtomicWaker,
    visibility: EntryVisibility,
    /// Whether it is gone, and only still listed.
    is_gone: AtomicBool,
    /// The caller for whom a rendering that nobody shares is made.
    pub caller: Arc<Caller>,
}

/// How far a follower has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Position of the last event that was read.
    pub cursor: i64,
    /// Position of the last event that was shown.
    pub last_seq: i64,
}

#[derive(Default)]
struct Place {
    progress: Progress,
    /// Whether the deliverer may write to the sink. Otherwise the follower's task reads on.
    is_parked: bool,
    /// Whether the deliverer lists the follower.
    is_listed: bool,
    /// Takes the events. Released when the follower is gone, because it holds the connection.
    sink: Option<Arc<dyn EventSink>>,
}

/// An event to show to a follower.
pub struct ShownEvent<'a> {
    /// The event.
    pub entry: &'a Entry,
    /// What it is shown as.
    pub kind: EventKind,
    /// Position of the event shown before it.
    pub prev: i64,
}

impl ParkedFollower {
    /// Creates a follower that is not parked.
    #[must_use]
    pub fn new(visibility: EntryVisibility, sink: Arc<dyn EventSink>, caller: Arc<Caller>) -> Arc<Self> {
        let place = Mutex::new(Place { sink: Some(sink), ..Place::default() });
        Arc::new(Self { place, task: AtomicWaker::new(), visibility, is_gone: AtomicBool::new(false), caller })
    }

    /// Parks the follower with its progress. `list` adds it to the deliverer's list, unless it is still there, and
    /// returns false if the follower must read on.
    pub fn park(&self, progress: Progress, list: impl FnOnce() -> bool) -> bool {
        let mut place = self.place.lock();
        place.is_parked = place.is_listed || list();
        place.is_listed |= place.is_parked;
        if place.is_parked {
            place.progress = progress;
        }
        place.is_parked
    }

    /// Takes the follower back, and returns its progress. Nothing is written to its sink afterwards.
    pub fn take_back(&self) -> Progress {
        let mut place = self.place.lock();
        place.is_parked = false;
        place.progress
    }

    /// Takes the follower back for good.
    pub fn retire(&self) {
        let mut place = self.place.lock();
        place.is_parked = false;
        place.sink = None;
        self.is_gone.store(true, Ordering::Release);
    }

    /// Returns whether the follower is gone.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.is_gone.load(Ordering::Acquire)
    }

    /// Completes when the deliverer leaves the next events to the follower's task.
    pub async fn left(&self) {
        poll_fn(|cx| self.poll_left(cx)).await;
    }

    fn poll_left(&self, cx: &Context<'_>) -> Poll<()> {
        self.task.register(cx.waker());
        if self.place.lock().is_parked { Poll::Pending } else { Poll::Ready(()) }
    }

    /// Leaves the next events to the follower's task.
    pub fn leave(&self) {
        let mut place = self.place.lock();
        self.leave_place(&mut place);
    }

    fn leave_place(&self, place: &mut Place) {
        place.is_listed = false;
        if std::mem::take(&mut place.is_parked) {
            self.task.wake();
        }
    }

    /// Delivers the entries that the follower has not read. Returns whether it stays parked. `send` sends those that are shown, and returns whether
    /// the sink took them; an error is passed on and changes nothing.
    ///
    /// # Errors
    /// That of `send`.
    pub fn deliver<E>(
        &self,
        entries: &[Entry],
        send: impl FnOnce(&dyn EventSink, &[ShownEvent<'_>]) -> Result<bool, E>,
    ) -> Result<bool, E> {
        let mut place = self.place.lock();
        let Some(sink) = place.sink.clone().filter(|_| place.is_parked) else {
            place.is_listed = false;
            return Ok(false);
        };
        let Progress { cursor, mut last_seq } = place.progress;
        let unread = entries.iter().filter(|entry| entry.event.seq > cursor);
        let mut shown = Vec::new();
        for entry in unread {
            match (self.visibility)(entry) {
                Visibility::Hidden => {}
                Visibility::Shared(kind) => {
                    shown.push(ShownEvent { entry, kind, prev: last_seq });
                    last_seq = entry.event.seq;
                }
                // The task renders it, or ends.
                Visibility::Personal(_) | Visibility::Ended => {
                    self.leave_place(&mut place);
                    return Ok(false);
                }
            }
        }
        if !shown.is_empty() && !send(sink.as_ref(), &shown)? {
            self.leave_place(&mut place);
            return Ok(false);
        }
        let cursor = entries.last().map_or(cursor, |entry| entry.event.seq.max(cursor));
        place.progress = Progress { cursor, last_seq };
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use entities::enums::Language;
    use futures_util::FutureExt as _;
    use uuid::Uuid;

    use super::*;
    use crate::domain::{
        feed::{Audience, Event},
        viewer::Viewer,
    };

    struct Sink(AtomicBool);

    impl EventSink for Sink {
        fn try_send(&self, _: &[Bytes], _: &mut Vec<u8>) -> bool {
            self.0.load(Ordering::Relaxed)
        }
    }

    /// Creates a follower that is shown events as by `visibility`, and its sink.
    fn follower(visibility: Visibility) -> (Arc<ParkedFollower>, Arc<Sink>) {
        let sink = Arc::new(Sink(AtomicBool::new(true)));
        let caller = Arc::new(Caller { viewer: Viewer::Anonymous, language: Language::Kk, address: None });
        let taking: Arc<dyn EventSink> = sink.clone();
        (ParkedFollower::new(Arc::new(move |_: &Entry| visibility), taking, caller), sink)
    }

    fn entries(seqs: &[i64]) -> Vec<Entry> {
        let event = |seq: &i64| Event {
            seq: *seq,
            at: DateTime::UNIX_EPOCH,
            subject: Uuid::nil(),
            kind: EventKind::CHANGED,
            public_kind: Some(EventKind::CHANGED),
            audience: Audience::Everyone,
        };
        seqs.iter().map(|seq| Entry::without_subject(event(seq))).collect()
    }

    /// Delivers events, and returns the positions that were sent with those before them.
    fn deliver(follower: &ParkedFollower, seqs: &[i64]) -> (bool, Vec<(i64, i64)>) {
        let mut sent = Vec::new();
        let delivered = follower.deliver::<()>(&entries(seqs), |sink, shown| {
            sent = shown.iter().map(|event| (event.prev, event.entry.event.seq)).collect();
            Ok(sink.try_send(&[], &mut Vec::new()))
        });
        (delivered == Ok(true), sent)
    }

    const AT_THREE: Progress = Progress { cursor: 3, last_seq: 2 };

    #[test]
    fn delivers_what_the_follower_has_not_read() {
        let (follower, _) = follower(Visibility::Shared(EventKind::CHANGED));
        assert!(follower.park(AT_THREE, || true));
        assert_eq!(deliver(&follower, &[2, 3, 4, 5]), (true, vec![(2, 4), (4, 5)]));
        assert!(follower.left().now_or_never().is_none(), "it stays parked");
        assert_eq!(follower.take_back(), Progress { cursor: 5, last_seq: 5 });
        assert_eq!(deliver(&follower, &[6]), (false, vec![]), "it reads on by itself");
    }

    #[test]
    fn releases_its_sink_when_it_is_gone() {
        let (follower, sink) = follower(Visibility::Shared(EventKind::CHANGED));
        assert!(follower.park(AT_THREE, || true));
        assert_eq!(Arc::strong_count(&sink), 2);
        follower.retire();
        assert_eq!((Arc::strong_count(&sink), follower.is_gone()), (1, true));
        assert_eq!(deliver(&follower, &[4]), (false, vec![]));
    }

    #[test]
    fn counts_hidden_events_as_read() {
        let (follower, _) = follower(Visibility::Hidden);
        assert!(follower.park(AT_THREE, || true));
        assert_eq!(deliver(&follower, &[4]), (true, vec![]));
        assert_eq!(follower.take_back(), Progress { cursor: 4, last_seq: 2 });
    }

    #[test]
    fn leaves_events_to_the_follower_that_its_sink_does_not_take_or_that_are_its_own() {
        let (busy, sink) = follower(Visibility::Shared(EventKind::CHANGED));
        sink.0.store(false, Ordering::Relaxed);
        let others = [Visibility::Personal(EventKind::CHANGED), Visibility::Ended];
        for follower in others.map(|visibility| follower(visibility).0).iter().chain([&busy]) {
            assert!(follower.park(AT_THREE, || true));
            assert!(!deliver(follower, &[4]).0);
            assert!(follower.left().now_or_never().is_some(), "its task is woken");
            assert_eq!(follower.take_back(), AT_THREE);
        }
    }

    #[test]
    fn is_listed_once_however_often_it_is_taken_back() {
        let (follower, _) = follower(Visibility::Shared(EventKind::CHANGED));
        let mut listed = 0;
        for _ in 0..5 {
            assert!(follower.park(AT_THREE, || {
                listed += 1;
                true
            }));
            follower.take_back();
        }
        assert_eq!(listed, 1);
        assert!(!deliver(&follower, &[4]).0, "it is no longer parked, and leaves the list");
        assert!(!follower.park(AT_THREE, || false), "a pass has begun without it");
        assert_eq!(deliver(&follower, &[4]), (false, vec![]));
    }
}
