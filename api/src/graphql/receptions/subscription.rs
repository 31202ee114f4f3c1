//! The subscription to receptions.

use std::sync::Arc;

use async_graphql::{ComplexObject, Context, Enum, ID, SimpleObject, Subscription};
use entities::ids::RegistrationId;
use futures_util::stream::BoxStream;

use crate::{
    app::receptions::{ReceptionFilter, ReceptionSubject, ReceptionTopic},
    domain::{feed::EventKind, reception_events},
    feed::Entry,
    graphql::{
        context::ContextExt,
        entity::parse_id,
        error::{ApiError, ApiResult},
        meetings::Meeting,
        receptions::{Reception, Registration},
        scalars::KatoCode,
        subscription_stream::{EventFrame, FeedEvent, ResumeArguments, subscribe},
    },
};

/// The kind of a reception event. Treat an unknown kind as CHANGED.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReceptionEventKind {
    /// The stream has started.
    Subscribed,
    /// Sent periodically to show that the stream is alive.
    Heartbeat,
    /// A reception was created.
    Created,
    /// A reception was opened for registration.
    Opened,
    /// A reception's settings or one of its registrations changed.
    Changed,
    /// A person registered.
    Booked,
    /// A slot became free.
    Freed,
    /// A freed slot was offered to the first in the waiting line.
    Offered,
    /// A person was called to a desk.
    Called,
    /// A visit ended.
    Served,
    /// A reception was closed.
    Closed,
    /// A reception was cancelled.
    Cancelled,
}

/// An event of the feed of all receptions.
///
/// A client that has received events up to N ignores those with `seq <= N`. If `prev > N`, it has missed
/// events and subscribes again with `after: N` and the `epoch` of SUBSCRIBED. A HEARTBEAT counts as an event
/// and raises N.
#[derive(SimpleObject)]
#[graphql(complex)]
pub struct ReceptionEvent {
    /// What the events of all feeds have in common.
    #[graphql(flatten)]
    pub frame: EventFrame,
    /// The kind of event.
    pub kind: ReceptionEventKind,
    /// The current state of the reception.
    pub reception: Option<Reception>,
    #[graphql(skip)]
    registration: Option<RegistrationId>,
}

/// The registration of an event.
#[ComplexObject]
impl ReceptionEvent {
    /// The current state of the registration that changed; null unless it is the viewer's own or the viewer is staff
    /// of the reception.
    async fn registration(&self, ctx: &Context<'_>) -> ApiResult<Option<Registration>> {
        let (Some(id), Some(reception)) = (self.registration, &self.reception) else { return Ok(None) };
        // The subject of the event is the same for all subscribers, so the row is loaded as this viewer may see it.
        Ok(ctx.load(id).await?.map(|row| Registration::at(reception, row)))
    }
}

impl FeedEvent for ReceptionEvent {
    type Topic = ReceptionTopic;
    type Kind = ReceptionEventKind;
    const SUBSCRIBED: ReceptionEventKind = ReceptionEventKind::Subscribed;
    const HEARTBEAT: ReceptionEventKind = ReceptionEventKind::Heartbeat;

    fn kind(kind: EventKind) -> ReceptionEventKind {
        match kind {
            reception_events::CREATED => ReceptionEventKind::Created,
            reception_events::OPENED => ReceptionEventKind::Opened,
            reception_events::BOOKED => ReceptionEventKind::Booked,
            reception_events::FREED => ReceptionEventKind::Freed,
            reception_events::OFFERED => ReceptionEventKind::Offered,
            reception_events::CALLED => ReceptionEventKind::Called,
            reception_events::SERVED => ReceptionEventKind::Served,
            reception_events::CLOSED => ReceptionEventKind::Closed,
            reception_events::CANCELLED => ReceptionEventKind::Cancelled,
            _ => ReceptionEventKind::Changed,
        }
    }

    fn new(frame: EventFrame, kind: ReceptionEventKind, entry: Option<&Entry>) -> Self {
        let subject = entry.and_then(Entry::subject::<ReceptionSubject>);
        let registration = subject.as_ref().and_then(|subject| Some(subject.registration.as_ref()?.id));
        let reception = subject.map(|subject| Reception::new(Arc::clone(&subject.reception)));
        Self { frame, kind, reception, registration }
    }
}

/// The subscription to receptions.
#[derive(Default)]
pub struct ReceptionSubscription;

/// The subscription to receptions.
#[Subscription]
impl ReceptionSubscription {
    /// Follows all public receptions, or those of a meeting or region, from now or from a position. Staff also follow
    /// their drafts.
    #[expect(clippy::too_many_arguments, reason = "the arguments of the field")]
    async fn receptions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only receptions after this meeting.")] meeting_id: Option<ID>,
        #[graphql(desc = "Only receptions in this unit or below it.")] region: Option<KatoCode>,
        #[graphql(desc = "Position of the last event that was received: the stream resumes after it.")] after: Option<
            i64,
        >,
        #[graphql(desc = "The `epoch` of that event, as received with SUBSCRIBED.")] epoch: Option<String>,
    ) -> Result<BoxStream<'static, ReceptionEvent>, ApiError> {
        let meeting = meeting_id.map(|id| parse_id::<Meeting>(&id, "meetingId")).transpose()?;
        let mut region = region.map(|region| region.0);
        if let (Some(id), None) = (meeting, region) {
            // The region of a meeting never changes. It has an index, so that a replay reads few others.
            let meeting = ctx.load(id).await?.ok_or(ApiError::NotFound)?;
            region = meeting.region_code.parse().ok();
        }
        subscribe(ctx, ResumeArguments { after, epoch }, || Ok(((), ReceptionFilter { meeting, region }))).await
    }
}
