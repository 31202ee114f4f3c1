//! The notifications of a person.

use std::sync::Arc;

use async_graphql::{Context, Enum, SimpleObject, Subscription};
use futures_util::stream::BoxStream;

use crate::{
    app::notifications::{NotificationSubject, NotificationTopic},
    domain::{
        feed::EventKind,
        notification::{self, PersonKey},
    },
    feed::Entry,
    graphql::{
        context::ContextExt,
        error::ApiError,
        issues::Issue,
        node::Node,
        questions::Comment,
        receptions::Registration,
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
    /// A registration has a slot.
    ReceptionBooked,
    /// A freed slot is offered until `offerExpiresAt`.
    ReceptionOffered,
    /// The viewer is called to a desk.
    ReceptionCalled,
    /// The time, desk or place of a registration changed.
    ReceptionChanged,
    /// A registration was cancelled, or its reception.
    ReceptionCancelled,
    /// An issue was raised from the viewer's words.
    IssueRaised,
    /// A body became responsible for an issue.
    IssueAssigned,
    /// The plan of an issue changed, or a step was done.
    IssuePlanned,
    /// Progress on an issue was reported.
    IssueProgress,
    /// An issue was resolved. If it was raised from the viewer's words, answer with `confirmResolution`.
    IssueResolved,
    /// An issue was declined.
    IssueDeclined,
    /// An issue was taken up again.
    IssueReopened,
}

/// A change to the viewer's own comments and registrations, or to an issue that the viewer follows.
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
            NotificationKind::ReceptionBooked => "notification-reception-booked",
            NotificationKind::ReceptionOffered => "notification-reception-offered",
            NotificationKind::ReceptionCalled => "notification-reception-called",
            NotificationKind::ReceptionChanged => "notification-reception-changed",
            NotificationKind::ReceptionCancelled => "notification-reception-cancelled",
            NotificationKind::IssueRaised => "notification-issue-raised",
            NotificationKind::IssueAssigned => "notification-issue-assigned",
            NotificationKind::IssuePlanned => "notification-issue-planned",
            NotificationKind::IssueProgress => "notification-issue-progress",
            NotificationKind::IssueResolved => "notification-issue-resolved",
            NotificationKind::IssueDeclined => "notification-issue-declined",
            NotificationKind::IssueReopened => "notification-issue-reopened",
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
            notification::RECEPTION_BOOKED => NotificationKind::ReceptionBooked,
            notification::RECEPTION_OFFERED => NotificationKind::ReceptionOffered,
            notification::RECEPTION_CALLED => NotificationKind::ReceptionCalled,
            notification::RECEPTION_CHANGED => NotificationKind::ReceptionChanged,
            notification::RECEPTION_CANCELLED => NotificationKind::ReceptionCancelled,
            notification::ISSUE_RAISED => NotificationKind::IssueRaised,
            notification::ISSUE_ASSIGNED => NotificationKind::IssueAssigned,
            notification::ISSUE_PLANNED => NotificationKind::IssuePlanned,
            notification::ISSUE_PROGRESS => NotificationKind::IssueProgress,
            notification::ISSUE_RESOLVED => NotificationKind::IssueResolved,
            notification::ISSUE_DECLINED => NotificationKind::IssueDeclined,
            notification::ISSUE_REOPENED => NotificationKind::IssueReopened,
            _ => NotificationKind::CommentPublished,
        }
    }

    fn new(frame: EventFrame, kind: NotificationKind, entry: Option<&Entry>) -> Self {
        let subject = entry.and_then(Entry::subject::<NotificationSubject>);
        let subject = subject.map(|subject| match &*subject {
            NotificationSubject::Comment(row) => Node::Comment(Comment(Arc::clone(row))),
            NotificationSubject::Registration(row) => Node::Registration(Registration::new(Arc::clone(row))),
            NotificationSubject::Issue(row) => Node::Issue(Issue(Arc::clone(row))),
        });
        Self { frame, kind, subject }
    }
}

/// The notifications of a person.
#[derive(Default)]
pub struct NotificationSubscription;

/// The notifications of a person.
#[Subscription]
impl NotificationSubscription {
    /// Follows changes to the viewer's own comments and registrations, and to the issues that the viewer follows, from now or from a
    /// position. Requires authentication.
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
