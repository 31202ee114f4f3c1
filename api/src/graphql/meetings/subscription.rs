//! Following meetings.

use std::sync::Arc;

use async_graphql::{Context, Enum, SimpleObject, Subscription};
use chrono::{DateTime, Utc};
use entities::kato;
use futures_util::stream::BoxStream;

use crate::{
    domain::feed::{EventKind, FeedName},
    feed::{Entry, Subject},
    graphql::{
        context::Scene,
        error::ApiError,
        live::{Envelope, Moment, Sight, Signal, envelopes, hand_over, rendered},
        meetings::Meeting,
        scalars::KatoCode,
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
    /// Position in the feed; rises from event to event. With HEARTBEAT: up to which the feed was looked through for this subscriber,
    /// who goes on after it.
    pub seq: i64,
    /// Position of the event before it that was shown to this subscriber.
    pub prev: i64,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// What happened.
    pub kind: MeetingEventKind,
    /// With SUBSCRIBED, where `after` was given: whether everything after it follows. If not, read the meetings anew.
    pub recovered: Option<bool>,
    /// With SUBSCRIBED: which generation of the feed this is. Give it back beside `after`: where the feed is another by then, since the
    /// database was restored, `recovered` is false.
    pub epoch: Option<String>,
    /// The meeting as it stands.
    pub meeting: Option<Meeting>,
}

impl MeetingEvent {
    fn show(moment: Moment) -> Option<Self> {
        let Moment::Feed(Envelope { seq, prev, at, epoch, signal }) = moment else { return None };
        let plain = |kind| Self { seq, prev, at, kind, recovered: None, epoch: None, meeting: None };
        Some(match signal {
            Signal::Subscribed(recovered) => {
                Self { recovered, epoch: Some(epoch.as_ref().to_owned()), ..plain(MeetingEventKind::Subscribed) }
            }
            Signal::Heartbeat => plain(MeetingEventKind::Heartbeat),
            Signal::Event(kind, entry) | Signal::Own(kind, entry) => {
                let meeting = match entry.subject {
                    Some(Subject::Meeting(row)) => Some(Meeting(row)),
                    _ => None,
                };
                Self { meeting, ..plain(shown(kind)) }
            }
        })
    }
}

const fn shown(kind: EventKind) -> MeetingEventKind {
    match kind {
        EventKind::Planned => MeetingEventKind::Planned,
        EventKind::Announced => MeetingEventKind::Announced,
        EventKind::Rescheduled => MeetingEventKind::Rescheduled,
        EventKind::Started => MeetingEventKind::Started,
        EventKind::Stage => MeetingEventKind::Stage,
        EventKind::Ended => MeetingEventKind::Ended,
        EventKind::Closed => MeetingEventKind::Closed,
        EventKind::Cancelled => MeetingEventKind::Cancelled,
        EventKind::Posted | EventKind::Changed | EventKind::Removed | EventKind::Votes | EventKind::Unknown => {
            MeetingEventKind::Changed
        }
    }
}

/// Following meetings.
#[derive(Default)]
pub struct MeetingSubscription;

/// Following meetings.
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
        if let Some(rendered) = rendered(ctx, MeetingEvent::show) {
            return Ok(rendered);
        }
        let follower = ctx.rooms().hub.follow(FeedName::Meetings, ctx.resume(after, epoch)).await?;
        let see = move |entry: &Entry| match (&entry.subject, entry.event.public_kind) {
            (Some(Subject::Meeting(row)), Some(kind))
                if region.is_none_or(|region| lies_in(&row.region_code, region.0)) =>
            {
                Sight::Shown(kind)
            }
            _ => Sight::Skipped,
        };
        let moments = envelopes(follower, Arc::clone(&ctx.app().clock), see);
        Ok(hand_over(ctx, moments, MeetingEvent::show))
    }
}

fn lies_in(code: &str, region: kato::KatoCode) -> bool {
    let (first, last) = region.subtree();
    code.parse().is_ok_and(|code: kato::KatoCode| (first..=last).contains(&code))
}
