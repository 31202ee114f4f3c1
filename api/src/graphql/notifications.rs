//! The notifications of a person.

use async_graphql::{Context, Enum, SimpleObject, Subscription};
use entities::comment;
use futures_util::stream::BoxStream;

use crate::{
    app::notifications::NotificationTopic,
    domain::{
        feed::EventKind,
        notification::{self, PersonKey},
    },
    feed::Entry,
    graphql::{
        context::ContextExt,
        error::ApiError,
        node::Node,
        questions::Comment,
        subscription_stream::{EventFrame, FeedEvent, ResumeArguments, subscribe},
    },
    text,
};

/// The kind of a notification. For a kind that the client does not know, show `text`.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotificationKind {
    /// The stream has started.
    Subscribed,
    /// Sent periodically to show that the stream is alive.
    Heartbeat,
    /// A comment is now public.
    CommentPublished,
    /// A comment was rejected or hidden.
    CommentRejected,
    /// A comment is being answered.
    CommentSelected,
    /// A comment, or one that it was merged into, was answered.
    CommentAnswered,
    /// A comment was merged into another with the same question.
    CommentMerged,
}

/// A change to the viewer's own comments.
///
/// A client that has received events up to N ignores those with `seq <= N`. If `prev > N`, it has missed
/// events and subscribes again with `after: N` and the `epoch` of SUBSCRIBED. A HEARTBEAT counts as an event
/// and raises N.
#[derive(SimpleObject)]
#[graphql(complex)]
pub struct NotificationEvent {
    /// What the events of all feeds have in common.
    #[graphql(flatten)]
    pub frame: EventFrame,
    /// The kind.
    pub kind: NotificationKind,
    /// The current state of what it is about.
    pub subject: Option<Node>,
}

/// The text of a notification.
#[async_graphql::ComplexObject]
impl NotificationEvent {
    /// The notification's text in the language of the request.
    async fn text(&self, ctx: &Context<'_>) -> Option<String> {
        let key = match self.kind {
            NotificationKind::Subscribed | NotificationKind::Heartbeat => return None,
            NotificationKind::CommentPublished => "notification-comment-published",
            NotificationKind::CommentRejected => "notification-comment-rejected",
            NotificationKind::CommentSelected => "notification-comment-selected",
            NotificationKind::CommentAnswered => "notification-comment-answered",
            NotificationKind::CommentMerged => "notification-comment-merged",
        };
        Some(text::message(ctx.language(), key, &[]))
    }
}

impl FeedEvent for NotificationEvent {
    type Topic = NotificationTopic;
    type Kind = NotificationKind;
    const SUBSCRIBED: NotificationKind = NotificationKind::Subscribed;
    const HEARTBEAT: NotificationKind = NotificationKind::Heartbeat;

    fn kind(kind: EventKind) -> NotificationKind {
        match kind {
            notification::COMMENT_REJECTED => NotificationKind::CommentRejected,
            notification::COMMENT_SELECTED => NotificationKind::CommentSelected,
            notification::COMMENT_ANSWERED => NotificationKind::CommentAnswered,
            notification::COMMENT_MERGED => NotificationKind::CommentMerged,
            _ => NotificationKind::CommentPublished,
        }
    }

    fn new(frame: EventFrame, kind: NotificationKind, entry: Option<&Entry>) -> Self {
        let comment = entry.and_then(Entry::subject::<comment::Model>);
        Self { frame, kind, subject: comment.map(|row| Node::Comment(Comment(row))) }
    }
}

/// The notifications of a person.
#[derive(Default)]
pub struct NotificationSubscription;

/// The notifications of a person.
#[Subscription]
impl NotificationSubscription {
    /// Follows changes to the viewer's own comments, from now or from a position. Requires authentication.
    async fn notifications(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Position of the last event that was received: the stream resumes after it.")] after: Option<
            i64,
        >,
        #[graphql(desc = "The `epoch` of that event, as received with SUBSCRIBED.")] epoch: Option<String>,
    ) -> Result<BoxStream<'static, NotificationEvent>, ApiError> {
        subscribe(ctx, ResumeArguments { after, epoch }, || {
            let subject = ctx.viewer().subject().ok_or(ApiError::Unauthenticated)?;
            Ok((PersonKey::of(subject), ()))
        })
        .await
    }
}
