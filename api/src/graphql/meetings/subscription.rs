//! The subscription to meetings.

use async_graphql::{Context, Enum, SimpleObject, Subscription};
use futures_util::stream::BoxStream;

use crate::{
    app::meetings::MeetingTopic,
    domain::{feed::EventKind, meeting_events},
    graphql::{
        error::ApiError,
        meetings::Meeting,
        scalars::KatoCode,
        subscription_stream::{EventContent, EventFrame, FeedEvent, ResumeArguments, subscribe},
    },
};

/// What an event of the meeting feed is.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum MeetingEventKind {
    /// The beginning of the stream.
    Subscribed,
    /// Nothing happened for a while; the stream is alive.
    Heartbeat,
    /// A meeting was planned.
    Planned,
    /// A meeting was announced.
    Announced,
    /// A meeting was moved.
    Rescheduled,
    /// A meeting began.
    Started,
    /// A meeting's stage changed, or its presentation reached 80 % or 100 % of its budget.
    Stage,
    /// A meeting's broadcasts or settings changed.
    Changed,
    /// A meeting ended.
    Ended,
    /// A meeting was closed.
    Closed,
    /// A meeting was cancelled.
    Cancelled,
    /// Something about a meeting was published.
    Published,
}

/// An event of the feed of all meetings.
///
/// A client that has seen events up to N drops those with `seq <= N`. Where `prev > N` it has missed some, and subscribes
/// again with `after: N` and the `epoch` that SUBSCRIBED told. A HEARTBEAT is an event to it too, and raises N.
#[derive(SimpleObject)]
pub struct MeetingEvent {
    /// What the events of all feeds have in common.
    #[graphql(flatten)]
    pub frame: EventFrame,
    /// What happened.
    pub kind: MeetingEventKind,
    /// The meeting as it stands.
    pub meeting: Option<Meeting>,
}

impl FeedEvent for MeetingEvent {
    type Topic = MeetingTopic;

    fn convert(frame: EventFrame, content: EventContent<'_>) -> Self {
        let (kind, entry) = match content {
            EventContent::Subscribed => (MeetingEventKind::Subscribed, None),
            EventContent::Heartbeat => (MeetingEventKind::Heartbeat, None),
            EventContent::Event(kind, entry) => (event_kind(kind), Some(entry)),
        };
        Self { frame, kind, meeting: entry.and_then(|entry| entry.subject()).map(Meeting) }
    }
}

fn event_kind(kind: EventKind) -> MeetingEventKind {
    match kind {
        meeting_events::PLANNED => MeetingEventKind::Planned,
        meeting_events::ANNOUNCED => MeetingEventKind::Announced,
        meeting_events::RESCHEDULED => MeetingEventKind::Rescheduled,
        meeting_events::STARTED => MeetingEventKind::Started,
        meeting_events::STAGE => MeetingEventKind::Stage,
        meeting_events::ENDED => MeetingEventKind::Ended,
        meeting_events::CLOSED => MeetingEventKind::Closed,
        meeting_events::CANCELLED => MeetingEventKind::Cancelled,
        _ => MeetingEventKind::Changed,
    }
}

/// The subscription to meetings.
#[derive(Default)]
pub struct MeetingSubscription;

/// The subscription to meetings.
#[Subscription]
impl MeetingSubscription {
    /// Follows the meetings held in a unit or below it, or all: from now on, or on from a position.
    async fn meetings(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only meetings held in this unit or below it.")] region: Option<KatoCode>,
        #[graphql(desc = "Position of the last event that was seen: the stream goes on after it.")] after: Option<i64>,
        #[graphql(desc = "The `epoch` in which that event was seen, as SUBSCRIBED told it.")] epoch: Option<String>,
    ) -> Result<BoxStream<'static, MeetingEvent>, ApiError> {
        subscribe(ctx, ResumeArguments { after, epoch }, || Ok(((), region.map(|region| region.0)))).await
    }
}
