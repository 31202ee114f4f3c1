//! The subscription to the comments of a meeting.

use async_graphql::{Context, Enum, ID, SimpleObject, Subscription};
use futures_util::stream::BoxStream;

use crate::{
    app::questions::{CommentFilter, CommentTopic},
    domain::{comment_events, feed::EventKind},
    feed::Entry,
    graphql::{
        entity::{Entity as _, parse_id},
        error::ApiError,
        meetings::Meeting,
        questions::Comment,
        subscription_stream::{EventFrame, FeedEvent, ResumeArguments, subscribe},
    },
};

/// The comments that a subscription covers.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommentView {
    /// Public comments, and every change to the viewer's own.
    Public,
    /// All comments. For moderators of the meeting.
    #[graphql(tag = "internal")]
    Moderation,
}

/// The kind of a comment event.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommentEventKind {
    /// The stream has started.
    Subscribed,
    /// Sent periodically to show that the stream is alive.
    Heartbeat,
    /// A comment appeared.
    Posted,
    /// A comment changed.
    Changed,
    /// A comment is no longer visible: remove it.
    Removed,
    /// The votes of a comment changed. Sent at most once a second per comment.
    Votes,
}

/// An event of a meeting's comment feed.
///
/// A client that has received events up to N ignores those with `seq <= N`. If `prev > N`, it has missed
/// events and subscribes again with `after: N` and the `epoch` of SUBSCRIBED. A HEARTBEAT counts as an event
/// and raises N.
#[derive(SimpleObject)]
pub struct CommentEvent {
    /// What the events of all feeds have in common.
    #[graphql(flatten)]
    pub frame: EventFrame,
    /// The kind of event.
    pub kind: CommentEventKind,
    /// The id of the comment.
    pub comment_id: Option<ID>,
    /// The current state of the comment; null with REMOVED.
    pub comment: Option<Comment>,
}

impl FeedEvent for CommentEvent {
    type Topic = CommentTopic;
    type Kind = CommentEventKind;
    const SUBSCRIBED: CommentEventKind = CommentEventKind::Subscribed;
    const HEARTBEAT: CommentEventKind = CommentEventKind::Heartbeat;

    fn kind(kind: EventKind) -> CommentEventKind {
        match kind {
            comment_events::POSTED => CommentEventKind::Posted,
            comment_events::REMOVED => CommentEventKind::Removed,
            comment_events::VOTES => CommentEventKind::Votes,
            _ => CommentEventKind::Changed,
        }
    }

    fn new(frame: EventFrame, kind: CommentEventKind, entry: Option<&Entry>) -> Self {
        let comment_id = entry.map(|entry| Comment::global_id(entry.event.subject.into()));
        let entry = entry.filter(|_| kind != CommentEventKind::Removed);
        Self { frame, kind, comment_id, comment: entry.and_then(Entry::subject).map(Comment) }
    }
}

/// Following live questions.
#[derive(Default)]
pub struct QuestionSubscription;

/// Following live questions.
#[Subscription]
impl QuestionSubscription {
    /// Follows the comments of a meeting, from now or from a position.
    #[expect(clippy::too_many_arguments, reason = "the arguments of the field")]
    async fn comments(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The meeting.")] meeting_id: ID,
        #[graphql(desc = "Position of the last event that was received: the stream resumes after it.")] after: Option<
            i64,
        >,
        #[graphql(desc = "The `epoch` of that event, as received with SUBSCRIBED.")] epoch: Option<String>,
        #[graphql(
            desc = "PUBLIC: public comments, and every change to the viewer's own. MODERATION: all comments, \
                    for moderators of the meeting.",
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
