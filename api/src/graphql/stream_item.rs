//! The items of subscriptions before they are rendered: envelopes of feeds, and states of time splits.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::{
    app::time_split::SplitState,
    domain::feed::EventKind,
    feed::{Entry, RenderVersion},
};

/// The payload of an envelope.
#[derive(Clone, Debug)]
pub enum EventPayload {
    /// The start of the stream, with `recovered`.
    Subscribed(Option<bool>),
    /// A heartbeat. The position is how far the feed was read.
    Heartbeat,
    /// An event whose rendering is shared.
    Shared(EventKind, Entry),
    /// An event rendered for this subscriber only.
    Personal(EventKind, Entry),
}

/// An event of a feed with its position.
#[derive(Clone, Debug)]
pub struct Envelope {
    /// Position in the feed.
    pub seq: i64,
    /// Position of the previous event shown to this subscriber.
    pub prev: i64,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// The epoch of the feed.
    pub epoch: Arc<str>,
    /// The payload.
    pub payload: EventPayload,
}

/// An item of a subscription's stream.
#[derive(Clone, Debug)]
pub enum StreamItem {
    /// An event of a feed.
    Feed(Envelope),
    /// A state of a time split, and whether it is the first of its stream, which is not shared.
    Split(SplitState, bool),
    /// The end of a stream that cannot continue: the next events are no longer stored, or the feed has a new
    /// epoch. It is not rendered.
    EventsExpired,
}

/// The position after which a stream resumes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamPosition {
    /// The epoch of the feed.
    pub epoch: Arc<str>,
    /// The position in the feed.
    pub seq: i64,
}

/// The key of a rendering: items of one group with the same key share it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RenderKey {
    /// The start of a stream or a heartbeat: position, previous position, `recovered` if it is a start, time,
    /// epoch.
    Control(i64, i64, Option<Option<bool>>, DateTime<Utc>, Arc<str>),
    /// An event: previous position, position, kind, version of the feed's state.
    Event(i64, i64, EventKind, RenderVersion),
    /// A time split: number of changes and of ticks.
    Split(u64, u64),
}

impl StreamItem {
    /// Returns the render key, or `None` if the rendering is not shared.
    #[must_use]
    pub fn render_key(&self) -> Option<RenderKey> {
        match self {
            Self::Feed(Envelope { payload: EventPayload::Personal(..), .. }) => None,
            Self::Feed(Envelope { seq, prev, at, epoch, payload }) => Some(match payload {
                EventPayload::Subscribed(recovered) => {
                    RenderKey::Control(*seq, *prev, Some(*recovered), *at, Arc::clone(epoch))
                }
                EventPayload::Heartbeat => RenderKey::Control(*seq, *prev, None, *at, Arc::clone(epoch)),
                EventPayload::Shared(kind, entry) | EventPayload::Personal(kind, entry) => {
                    RenderKey::Event(*prev, *seq, *kind, entry.version)
                }
            }),
            Self::Split(_, true) | Self::EventsExpired => None,
            Self::Split(state, false) => Some(RenderKey::Split(state.change, state.tick)),
        }
    }

    /// Returns the position after which a stream resumes.
    #[must_use]
    pub fn position(&self) -> Option<StreamPosition> {
        match self {
            Self::Feed(Envelope { seq, epoch, .. }) => Some(StreamPosition { epoch: Arc::clone(epoch), seq: *seq }),
            Self::Split(..) | Self::EventsExpired => None,
        }
    }
}
