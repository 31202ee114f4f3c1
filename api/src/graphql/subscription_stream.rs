//! Streams of subscription events before they are rendered: envelopes of feeds, and states of time splits.
//!
//! A subscription resolver does not render. It publishes a stream of items with render keys, and
//! [`crate::graphql::render_cache`] renders each item once per group of identical subscribers.

use std::sync::Arc;

use async_graphql::{Context, OutputType, SimpleObject};
use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use futures_util::{StreamExt, stream, stream::BoxStream};
use parking_lot::Mutex;

use crate::{
    app::time_split::SplitState,
    clock::{Clock, Sleep, sleep},
    domain::feed::EventKind,
    feed::{Entry, Follower, RenderVersion, Resume, Topic, Visibility},
    graphql::{context::ContextExt as _, error::ApiError},
};

/// Interval of heartbeats.
const HEARTBEAT_PERIOD: TimeDelta = TimeDelta::seconds(20);

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

/// The phase for which a subscription is executed.
#[derive(Clone)]
pub enum SubscriptionPhase {
    /// Start: the resolver stores its stream here.
    Begin(Arc<Mutex<Option<BoxStream<'static, StreamItem>>>>),
    /// Render one item.
    Render(StreamItem),
}

/// A resume position that overrides the arguments of the field.
#[derive(Clone, Debug)]
pub struct ResumeOverride(pub Resume);

/// Returns the item to render, if the field is executed for that.
pub fn render_requested<T: OutputType + Send + 'static>(
    ctx: &Context<'_>,
    convert: impl FnOnce(StreamItem) -> Option<T>,
) -> Option<BoxStream<'static, T>> {
    match ctx.data_opt::<SubscriptionPhase>() {
        Some(SubscriptionPhase::Render(item)) => Some(stream::iter(convert(item.clone())).boxed()),
        _ => None,
    }
}

/// Publishes the stream of items to the engine. Without an engine, the field renders them itself.
pub fn publish_stream<T: OutputType + Send + 'static>(
    ctx: &Context<'_>,
    items: BoxStream<'static, StreamItem>,
    convert: impl Fn(StreamItem) -> Option<T> + Send + Sync + 'static,
) -> BoxStream<'static, T> {
    match ctx.data_opt::<SubscriptionPhase>() {
        Some(SubscriptionPhase::Begin(output)) => {
            *output.lock() = Some(items);
            stream::empty().boxed()
        }
        _ => items.filter_map(move |item| std::future::ready(convert(item))).boxed(),
    }
}

/// What the events of all feeds have in common.
#[derive(Clone, Debug, SimpleObject)]
pub struct EventFrame {
    /// Position in the feed, rising with every event. With HEARTBEAT: the position up to which the feed was
    /// read; resume after it.
    pub seq: i64,
    /// Position of the previous event shown to this subscriber.
    pub prev: i64,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// With SUBSCRIBED, if `after` was given: whether all later events follow. If false, read the list again.
    pub recovered: Option<bool>,
    /// With SUBSCRIBED: the epoch of the feed. Send it with `after`. A restored database has a new epoch, and
    /// `recovered` is then false.
    pub epoch: Option<String>,
}

/// An event type of the API.
pub trait FeedEvent: OutputType + Send + Sized + 'static {
    /// The topic of the feed.
    type Topic: Topic;
    /// The enum of its kinds.
    type Kind;
    /// The kind of the start of a stream.
    const SUBSCRIBED: Self::Kind;
    /// The kind of a heartbeat.
    const HEARTBEAT: Self::Kind;

    /// Converts a kind of the topic.
    fn kind(kind: EventKind) -> Self::Kind;

    /// Creates an event. `entry` is `None` for the start and for heartbeats.
    fn new(frame: EventFrame, kind: Self::Kind, entry: Option<&Entry>) -> Self;
}

fn to_event<E: FeedEvent>(item: &StreamItem) -> Option<E> {
    let StreamItem::Feed(Envelope { seq, prev, at, epoch, payload }) = item else { return None };
    let frame = EventFrame { seq: *seq, prev: *prev, at: *at, recovered: None, epoch: None };
    Some(match payload {
        EventPayload::Subscribed(recovered) => {
            let frame = EventFrame { recovered: *recovered, epoch: Some(epoch.as_ref().to_owned()), ..frame };
            E::new(frame, E::SUBSCRIBED, None)
        }
        EventPayload::Heartbeat => E::new(frame, E::HEARTBEAT, None),
        EventPayload::Shared(kind, entry) | EventPayload::Personal(kind, entry) => {
            E::new(frame, E::kind(*kind), Some(entry))
        }
    })
}

/// The resume arguments of a subscription.
pub struct ResumeArguments {
    /// The `after` argument.
    pub after: Option<i64>,
    /// The `epoch` argument.
    pub epoch: Option<String>,
}

impl ResumeArguments {
    /// Returns where the subscription resumes: the override if there is one, else the arguments.
    fn resolve(self, ctx: &Context<'_>) -> Option<Resume> {
        let Self { after, epoch } = self;
        let resume_override = ctx.data_opt::<ResumeOverride>().map(|resume| resume.0.clone());
        resume_override.or_else(|| after.map(|after| Resume { after, epoch }))
    }
}

/// Subscribes to a feed, or renders an event if the field is executed for that. `parse` turns the arguments
/// into the scope and the filter.
pub async fn subscribe<E: FeedEvent>(
    ctx: &Context<'_>,
    resume: ResumeArguments,
    parse: impl FnOnce() -> Result<(<E::Topic as Topic>::Scope, <E::Topic as Topic>::Filter), ApiError> + Send,
) -> Result<BoxStream<'static, E>, ApiError> {
    let convert = |item: StreamItem| to_event::<E>(&item);
    if let Some(rendered) = render_requested(ctx, convert) {
        return Ok(rendered);
    }
    let (scope, filter) = parse()?;
    let resume = resume.resolve(ctx);
    let follower = ctx.schema_data().hub.follow::<E::Topic>(ctx.viewer(), &scope, filter, resume).await?;
    let clock = Arc::clone(&ctx.app().clock);
    Ok(publish_stream(ctx, stream_items(follower, clock), convert))
}

struct FeedStream {
    follower: Follower,
    clock: Arc<dyn Clock>,
    last_seq: i64,
    next_heartbeat: Option<Sleep>,
}

/// Converts a follower into a stream of items.
fn stream_items(follower: Follower, clock: Arc<dyn Clock>) -> BoxStream<'static, StreamItem> {
    let last_seq = follower.start();
    let state = FeedStream { follower, clock, last_seq, next_heartbeat: None };
    stream::unfold(Some(state), |state| async move {
        let mut state = state?;
        let item = state.next().await?;
        let continues = !matches!(item, StreamItem::EventsExpired);
        Some((item, continues.then_some(state)))
    })
    .boxed()
}

impl FeedStream {
    async fn next(&mut self) -> Option<StreamItem> {
        let Some(next_heartbeat) = &mut self.next_heartbeat else {
            self.next_heartbeat = Some(sleep(self.clock.as_ref(), HEARTBEAT_PERIOD));
            return Some(self.control_item(EventPayload::Subscribed(self.follower.recovered())));
        };
        loop {
            let entry = tokio::select! {
                biased;
                entry = self.follower.next() => match entry {
                    Some(entry) => entry,
                    None => return Some(StreamItem::EventsExpired),
                },
                () = &mut *next_heartbeat => {
                    *next_heartbeat = sleep(self.clock.as_ref(), HEARTBEAT_PERIOD);
                    return Some(self.control_item(EventPayload::Heartbeat));
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
            return Some(StreamItem::Feed(Envelope {
                seq,
                prev,
                at,
                epoch: Arc::clone(self.follower.epoch()),
                payload,
            }));
        }
    }

    /// Creates a start or heartbeat item. Its time is a whole second, so that subscribers share the
    /// rendering.
    fn control_item(&self, payload: EventPayload) -> StreamItem {
        let at = self.clock.now().trunc_subsecs(0);
        let (seq, epoch) = (self.follower.position(), Arc::clone(self.follower.epoch()));
        StreamItem::Feed(Envelope { seq, prev: self.last_seq, at, epoch, payload })
    }
}
