//! The subscription to the comments of a meeting.

use async_graphql::{Context, Enum, ID, SimpleObject, Subscription};
use futures_util::stream::BoxStream;

use crate::{
    app::questions::{CommentFilter, CommentTopic},
    domain::{comment_events, feed::EventKind},
    graphql::{
        error::ApiError,
        meetings::Meeting,
        node::{GlobalId, parse_id},
        questions::Comment,
        subscription_stream::{EventContent, EventFrame, FeedEvent, ResumeArguments, subscribe},
    },
};

/// Which comments a subscriber follows.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommentView {
    /// What is public, and what becomes of one's own.
    Public,
    /// Everything, for those who may moderate the meeting.
    #[graphql(tag = "internal")]
    Moderation,
}

/// What an event of a comment feed is.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommentEventKind {
    /// The beginning of the stream.
    Subscribed,
    /// Nothing happened for a while; the stream is alive.
    Heartbeat,
    /// A comment appeared.
    Posted,
    /// A comment changed.
    Changed,
    /// A comment is no longer to be seen: forget it.
    Removed,
    /// A comment's votes were counted; at most once a second for each comment.
    Votes,
}

/// An event of a meeting's comment feed.
///
/// A client that has seen events up to N drops those with `seq <= N`. Where `prev > N` it has missed some, and subscribes
/// again with `after: N` and the `epoch` that SUBSCRIBED told. A HEARTBEAT is an event to it too, and raises N.
#[derive(SimpleObject)]
pub struct CommentEvent {
    /// What the events of all feeds have in common.
    #[graphql(flatten)]
    pub frame: EventFrame,
    /// What happened.
    pub kind: CommentEventKind,
    /// Which comment it happened to.
    pub comment_id: Option<ID>,
    /// The comment as it stands; null with REMOVED.
    pub comment: Option<Comment>,
}

impl FeedEvent for CommentEvent {
    type Topic = CommentTopic;

    fn convert(frame: EventFrame, content: EventContent<'_>) -> Self {
        let (kind, entry) = match content {
            EventContent::Subscribed => (CommentEventKind::Subscribed, None),
            EventContent::Heartbeat => (CommentEventKind::Heartbeat, None),
            EventContent::Event(kind, entry) => (event_kind(kind), Some(entry)),
        };
        let comment_id = entry.map(|entry| GlobalId::Comment(entry.event.subject.into()).show());
        let entry = entry.filter(|_| kind != CommentEventKind::Removed);
        Self { frame, kind, comment_id, comment: entry.and_then(|entry| entry.subject()).map(Comment) }
    }
}

fn event_kind(kind: EventKind) -> CommentEventKind {
    match kind {
        comment_events::POSTED => CommentEventKind::Posted,
        comment_events::REMOVED => CommentEventKind::Removed,
        comment_events::VOTES => CommentEventKind::Votes,
        _ => CommentEventKind::Changed,
    }
}

/// Following live questions.
#[derive(Default)]
pub struct QuestionSubscription;

/// Following live questions.
#[Subscription]
impl QuestionSubscription {
    /// Follows the comments of a meeting: from now on, or on from a position.
    #[expect(clippy::too_many_arguments, reason = "the arguments of the field")]
    async fn comments(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The meeting.")] meeting_id: ID,
        #[graphql(desc = "Position of the last event that was seen: the stream goes on after it.")] after: Option<i64>,
        #[graphql(desc = "The `epoch` in which that event was seen, as SUBSCRIBED told it.")] epoch: Option<String>,
        #[graphql(
            desc = "PUBLIC, with what becomes of one's own comments; or MODERATION for those who may moderate the meeting.",
            default_with = "Some(CommentView::Public)"
        )]
        view: Option<CommentView>,
    ) -> Result<BoxStream<'static, CommentEvent>, ApiError> {
        subscribe(ctx, ResumeArguments { after, epoch }, || {
            let filter = match view {
                None | Some(CommentView::Public) => CommentFilter::Public,
                Some(CommentView::Moderation) => CommentFilter::Everything,
            };
            Ok((parse_id::<Meeting>(&meeting_id, "meetingId")?, filter))
        })
        .await
    }
}
