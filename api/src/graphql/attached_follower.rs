//! Followers that have caught up with their feed, attached to a deliverer: it writes the next events to
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
    graphql::{caller::Caller, stream_item::StreamPosition},
};

/// A rendered event of a feed.
pub struct RenderedEvent {
    /// The response as JSON.
    pub json: Bytes,
    /// The position after which a stream resumes.
    pub position: StreamPosition,
}

/// Takes rendered events for a subscriber, without waiting.
pub trait EventSink: Send + Sync {
    /// Takes events in order, all or none, and returns whether it took them. `scratch` is a buffer that calls may
    /// share.
    fn try_send(&self, events: &[RenderedEvent], scratch: &mut Vec<u8>) -> bool;
}

/// Delivers events to attached followers.
pub trait Deliverer: Send + Sync {
    /// Attaches a follower with its progress. Returns false if it must read on by itself.
    fn attach(&self, follower: &Arc<AttachedFollower>, progress: Progress) -> bool;
}

/// A follower as the deliverer sees it.
pub struct AttachedFollower {
    state: Mutex<AttachState>,
    task: AtomicWaker,
    visibility: EntryVisibility,
    /// Whether its subscriber is gone, so that it is only still listed.
    is_closed: AtomicBool,
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
struct AttachState {
    progress: Progress,
    /// Whether the deliverer may write to the sink. Otherwise the follower's task reads on.
    is_attached: bool,
    /// Whether the deliverer lists the follower.
    is_listed: bool,
    /// Takes the events. Released when the follower is closed, because it holds the connection.
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

impl AttachedFollower {
    /// Creates a follower that is not attached.
    #[must_use]
    pub fn new(visibility: EntryVisibility, sink: Arc<dyn EventSink>, caller: Arc<Caller>) -> Arc<Self> {
        let state = Mutex::new(AttachState { sink: Some(sink), ..AttachState::default() });
        Arc::new(Self { state, task: AtomicWaker::new(), visibility, is_closed: AtomicBool::new(false), caller })
    }

    /// Attaches the follower with its progress. `list` adds it to the deliverer's list, unless it is still there, and
    /// returns false if the follower must read on.
    pub fn attach(&self, progress: Progress, list: impl FnOnce() -> bool) -> bool {
        let mut state = self.state.lock();
        state.is_attached = state.is_listed || list();
        state.is_listed |= state.is_attached;
        if state.is_attached {
            state.progress = progress;
        }
        state.is_attached
    }

    /// Detaches the follower, and returns its progress. Nothing is written to its sink afterwards.
    pub fn detach(&self) -> Progress {
        let mut state = self.state.lock();
        state.is_attached = false;
        state.progress
    }

    /// Detaches the follower for good, and releases its sink.
    pub fn close(&self) {
        let mut state = self.state.lock();
        state.is_attached = false;
        state.sink = None;
        self.is_closed.store(true, Ordering::Release);
    }

    /// Returns whether the follower was closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }

    /// Completes when the deliverer hands the next events back to the follower's task.
    pub async fn handed_back(&self) {
        poll_fn(|cx| self.poll_handed_back(cx)).await;
    }

    fn poll_handed_back(&self, cx: &Context<'_>) -> Poll<()> {
        self.task.register(cx.waker());
        if self.state.lock().is_attached { Poll::Pending } else { Poll::Ready(()) }
    }

    /// Hands the next events back to the follower's task.
    pub fn hand_back(&self) {
        let mut state = self.state.lock();
        self.hand_back_locked(&mut state);
    }

    fn hand_back_locked(&self, state: &mut AttachState) {
        state.is_listed = false;
        if std::mem::take(&mut state.is_attached) {
            self.task.wake();
        }
    }

    /// Delivers the entries that the follower has not read. Returns whether it stays attached.
    ///
    /// `send` sends those that are shown, and returns whether the sink took them; an error is passed on and changes
    /// nothing.
    ///
    /// # Errors
    /// That of `send`.
    pub fn deliver<E>(
        &self,
        entries: &[Entry],
        send: impl FnOnce(&dyn EventSink, &[ShownEvent<'_>]) -> Result<bool, E>,
    ) -> Result<bool, E> {
        let mut state = self.state.lock();
        let Some(sink) = state.sink.clone().filter(|_| state.is_attached) else {
            state.is_listed = false;
            return Ok(false);
        };
        let Progress { cursor, mut last_seq } = state.progress;
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
                    self.hand_back_locked(&mut state);
                    return Ok(false);
                }
            }
        }
        if !shown.is_empty() && !send(sink.as_ref(), &shown)? {
            self.hand_back_locked(&mut state);
            return Ok(false);
        }
        let cursor = entries.last().map_or(cursor, |entry| entry.event.seq.max(cursor));
        state.progress = Progress { cursor, last_seq };
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
        fn try_send(&self, _: &[RenderedEvent], _: &mut Vec<u8>) -> bool {
            self.0.load(Ordering::Relaxed)
        }
    }

    /// Creates a follower that is shown events as by `visibility`, and its sink.
    fn follower(visibility: Visibility) -> (Arc<AttachedFollower>, Arc<Sink>) {
        let sink = Arc::new(Sink(AtomicBool::new(true)));
        let caller = Arc::new(Caller { viewer: Viewer::Anonymous, language: Language::Kk, address: None });
        let taking: Arc<dyn EventSink> = sink.clone();
        (AttachedFollower::new(Arc::new(move |_: &Entry| visibility), taking, caller), sink)
    }

    fn entries(seqs: &[i64]) -> Vec<Entry> {
        let event = |seq: &i64| Event {
            seq: *seq,
            at: DateTime::UNIX_EPOCH,
            subject: Uuid::nil(),
            kind: EventKind::CHANGED,
            public_kind: Some(EventKind::CHANGED),
            audience: Audience::Everyone,
            agency: None,
        };
        seqs.iter().map(|seq| Entry::without_subject(event(seq))).collect()
    }

    /// Delivers events, and returns the positions that were sent with those before them.
    fn deliver(follower: &AttachedFollower, seqs: &[i64]) -> (bool, Vec<(i64, i64)>) {
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
        assert!(follower.attach(AT_THREE, || true));
        assert_eq!(deliver(&follower, &[2, 3, 4, 5]), (true, vec![(2, 4), (4, 5)]));
        assert!(follower.handed_back().now_or_never().is_none(), "it stays attached");
        assert_eq!(follower.detach(), Progress { cursor: 5, last_seq: 5 });
        assert_eq!(deliver(&follower, &[6]), (false, vec![]), "it reads on by itself");
    }

    #[test]
    fn releases_its_sink_when_it_is_closed() {
        let (follower, sink) = follower(Visibility::Shared(EventKind::CHANGED));
        assert!(follower.attach(AT_THREE, || true));
        assert_eq!(Arc::strong_count(&sink), 2);
        follower.close();
        assert_eq!((Arc::strong_count(&sink), follower.is_closed()), (1, true));
        assert_eq!(deliver(&follower, &[4]), (false, vec![]));
    }

    #[test]
    fn counts_hidden_events_as_read() {
        let (follower, _) = follower(Visibility::Hidden);
        assert!(follower.attach(AT_THREE, || true));
        assert_eq!(deliver(&follower, &[4]), (true, vec![]));
        assert_eq!(follower.detach(), Progress { cursor: 4, last_seq: 2 });
    }

    #[test]
    fn hands_events_back_that_its_sink_does_not_take_or_that_are_its_own() {
        let (busy, sink) = follower(Visibility::Shared(EventKind::CHANGED));
        sink.0.store(false, Ordering::Relaxed);
        let others = [Visibility::Personal(EventKind::CHANGED), Visibility::Ended];
        for follower in others.map(|visibility| follower(visibility).0).iter().chain([&busy]) {
            assert!(follower.attach(AT_THREE, || true));
            assert!(!deliver(follower, &[4]).0);
            assert!(follower.handed_back().now_or_never().is_some(), "its task is woken");
            assert_eq!(follower.detach(), AT_THREE);
        }
    }

    #[test]
    fn is_listed_once_however_often_it_is_detached() {
        let (follower, _) = follower(Visibility::Shared(EventKind::CHANGED));
        let mut listed = 0;
        for _ in 0..5 {
            assert!(follower.attach(AT_THREE, || {
                listed += 1;
                true
            }));
            follower.detach();
        }
        assert_eq!(listed, 1);
        assert!(!deliver(&follower, &[4]).0, "it is no longer attached, and leaves the list");
        assert!(!follower.attach(AT_THREE, || false), "a pass has begun without it");
        assert_eq!(deliver(&follower, &[4]), (false, vec![]));
    }
}
