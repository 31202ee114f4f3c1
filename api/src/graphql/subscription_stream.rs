//! How subscriptions are executed: once to start, and once per event and group to render it.
//!
//! A subscription resolver does not render. It publishes a stream of items with render keys, and
//! [`crate::graphql::render_cache`] renders each item once per group of identical subscribers.

use std::sync::Arc;

use async_graphql::{Context, OutputType, SimpleObject};
use chrono::{DateTime, Utc};
use futures_util::{StreamExt, stream, stream::BoxStream};
use parking_lot::Mutex;

use crate::{
    domain::feed::EventKind,
    feed::{Entry, Resume, Topic},
    graphql::{
        context::ContextExt as _,
        error::ApiError,
        feed_stream::FeedStream,
        stream_item::{Envelope, EventPayload, StreamItem},
    },
};

/// The items of one subscription.
pub enum ItemSource {
    /// The events of a feed.
    Feed(Box<FeedStream>),
    /// Any other items.
    Stream(BoxStream<'static, StreamItem>),
}

impl ItemSource {
    /// Returns the next item, or `None` at the end.
    pub async fn next(&mut self) -> Option<StreamItem> {
        match self {
            Self::Feed(feed) => feed.next().await,
            Self::Stream(items) => items.next().await,
        }
    }
}

/// The phase for which a subscription is executed.
#[derive(Clone)]
pub enum SubscriptionPhase {
    /// Start: the resolver stores its stream here.
    Begin(Arc<Mutex<Option<ItemSource>>>),
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
    source: ItemSource,
    convert: impl Fn(StreamItem) -> Option<T> + Send + Sync + 'static,
) -> BoxStream<'static, T> {
    match ctx.data_opt::<SubscriptionPhase>() {
        Some(SubscriptionPhase::Begin(output)) => {
            *output.lock() = Some(source);
            stream::empty().boxed()
        }
        _ => {
            let items = stream::unfold(source, |mut source| async move { Some((source.next().await?, source)) });
            items.filter_map(move |item| std::future::ready(convert(item))).boxed()
        }
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
    let stream = FeedStream::new(follower, clock);
    Ok(publish_stream(ctx, ItemSource::Feed(Box::new(stream)), convert))
}
