//! The subscription to meetings.

use async_graphql::{Context, Enum, SimpleObject, Subscription};
use futures_util::stream::BoxStream;

use crate::{
    app::meetings::MeetingTopic,
    domain::{feed::EventKind, meeting_events},
    feed::Entry,
    graphql::{
        error::ApiError,
        meetings::Meeting,
        scalars::KatoCode,
        subscription_stream::{EventFrame, FeedEvent, ResumeArguments, subscribe},
    },
};

/// The kind of a meeting event.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum MeetingEventKind {
    /// The stream has started.
    Subscribed,
    /// Sent periodically to show that the stream is alive.
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
    /// A publication about a meeting appeared.
    Published,
}

/// An event of the feed of all meetings.
///
/// A client that has received events up to N ignores those with `seq <= N`. If `prev > N`, it has missed
/// events and subscribes again with `after: N` and the `epoch` of SUBSCRIBED. A HEARTBEAT counts as an event
/// and raises N.
#[derive(SimpleObject)]
pub struct MeetingEvent {
    /// What the events of all feeds have in common.
    #[graphql(flatten)]
    pub frame: EventFrame,
    /// The kind of event.
    pub kind: MeetingEventKind,
    /// The current state of the meeting.
    pub meeting: Option<Meeting>,
}

impl FeedEvent for MeetingEvent {
    type Topic = MeetingTopic;
    type Kind = MeetingEventKind;
    const SUBSCRIBED: MeetingEventKind = MeetingEventKind::Subscribed;
    const HEARTBEAT: MeetingEventKind = MeetingEventKind::Heartbeat;

    fn kind(kind: EventKind) -> MeetingEventKind {
        match kind {
            meeting_events::PLANNED => MeetingEventKind::Planned,
            meeting_events::ANNOUNCED => MeetingEventKind::Announced,
            meeting_events::RESCHEDULED => MeetingEventKind::Rescheduled,
            meeting_events::STARTED => MeetingEventKind::Started,
            meeting_events::STAGE => MeetingEventKind::Stage,
            meeting_events::ENDED => MeetingEventKind::Ended,
            meeting_events::CLOSED => MeetingEventKind::Closed,
            meeting_events::CANCELLED => MeetingEventKind::Cancelled,
            meeting_events::PUBLISHED => MeetingEventKind::Published,
            _ => MeetingEventKind::Changed,
        }
    }

    fn new(frame: EventFrame, kind: MeetingEventKind, entry: Option<&Entry>) -> Self {
        Self { frame, kind, meeting: entry.and_then(Entry::subject).map(Meeting) }
    }
}

/// The subscription to meetings.
#[derive(Default)]
pub struct MeetingSubscription;

/// The subscription to meetings.
#[Subscription]
impl MeetingSubscription {
    /// Follows all meetings, or those in a unit and below it, from now or from a position.
    async fn meetings(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only meetings held in this unit or below it.")] region: Option<KatoCode>,
        #[graphql(desc = "Position of the last event that was received: the stream resumes after it.")] after: Option<
            i64,
        >,
        #[graphql(desc = "The `epoch` of that event, as received with SUBSCRIBED.")] epoch: Option<String>,
    ) -> Result<BoxStream<'static, MeetingEvent>, ApiError> {
        subscribe(ctx, ResumeArguments { after, epoch }, || Ok(((), region.map(|region| region.0)))).await
    }
}
