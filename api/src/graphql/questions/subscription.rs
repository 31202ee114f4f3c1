//! Following the comments of a meeting.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, SimpleObject, Subscription};
use chrono::{DateTime, Utc};
use futures_util::stream::BoxStream;

use crate::{
    domain::{
        comment::is_public,
        feed::{Audience, EventKind, FeedName},
        policy::{CommentScope, author_key},
    },
    feed::{Entry, Subject},
    graphql::{
        context::Scene,
        error::ApiError,
        live::{Envelope, Moment, Sight, Signal, envelopes, hand_over, rendered},
        node::{GlobalId, meeting_id},
        questions::Comment,
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
    /// Position in the feed; rises from event to event. With HEARTBEAT: up to which the feed was looked through for this subscriber,
    /// who goes on after it.
    pub seq: i64,
    /// Position of the event before it that was shown to this subscriber.
    pub prev: i64,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// What happened.
    pub kind: CommentEventKind,
    /// With SUBSCRIBED, where `after` was given: whether everything after it follows. If not, read the comments anew.
    pub recovered: Option<bool>,
    /// With SUBSCRIBED: which generation of the feed this is. Give it back beside `after`: where the feed is another by then, since the
    /// database was restored, `recovered` is false.
    pub epoch: Option<String>,
    /// Which comment it happened to.
    pub comment_id: Option<ID>,
    /// The comment as it stands; null with REMOVED.
    pub comment: Option<Comment>,
}

impl CommentEvent {
    fn show(moment: Moment) -> Option<Self> {
        let Moment::Feed(Envelope { seq, prev, at, epoch, signal }) = moment else { return None };
        let plain = |kind| Self { seq, prev, at, kind, recovered: None, epoch: None, comment_id: None, comment: None };
        Some(match signal {
            Signal::Subscribed(recovered) => {
                Self { recovered, epoch: Some(epoch.as_ref().to_owned()), ..plain(CommentEventKind::Subscribed) }
            }
            Signal::Heartbeat => plain(CommentEventKind::Heartbeat),
            Signal::Event(kind, entry) | Signal::Own(kind, entry) => {
                let kind = match kind {
                    EventKind::Posted => CommentEventKind::Posted,
                    EventKind::Removed => CommentEventKind::Removed,
                    EventKind::Votes => CommentEventKind::Votes,
                    _ => CommentEventKind::Changed,
                };
                let id = GlobalId::Comment(entry.event.subject.into()).show();
                let comment = match entry.subject {
                    Some(Subject::Comment(row)) if kind != CommentEventKind::Removed => Some(Comment(row)),
                    _ => None,
                };
                Self { comment_id: Some(id), comment, ..plain(kind) }
            }
        })
    }
}

/// What the public is shown of an event: its public side, and only while the comment still is public.
fn public_sight(entry: &Entry) -> Sight {
    match (entry.event.public_kind, &entry.subject) {
        (Some(EventKind::Removed), _) => Sight::Shown(EventKind::Removed),
        (Some(kind), Some(Subject::Comment(row))) if is_public(row.state) => Sight::Shown(kind),
        _ => Sight::Skipped,
    }
}

/// What a subscriber with this key as an author is shown of an event: of their own comments everything that is not for moderators
/// alone, as lists show them.
fn sight(entry: &Entry, own: Option<&str>) -> Sight {
    let is_own = match &entry.subject {
        _ if entry.event.audience == Audience::Staff => false,
        Some(Subject::Comment(row)) => own.is_some() && row.author_key.as_deref() == own,
        _ => false,
    };
    match public_sight(entry) {
        Sight::Shown(kind) if !is_own || kind == entry.event.kind => Sight::Shown(kind),
        _ if is_own => Sight::Own(entry.event.kind),
        other => other,
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
        if let Some(rendered) = rendered(ctx, CommentEvent::show) {
            return Ok(rendered);
        }
        let id = self::meeting_id(&meeting_id, "meetingId")?;
        let view = view.unwrap_or(CommentView::Public);
        let follower = ctx.rooms().hub.follow(FeedName::Comments(id), ctx.resume(after, epoch)).await?;
        let meeting = Arc::clone(follower.meeting().ok_or(ApiError::NotFound)?);
        let app = Arc::clone(ctx.app());
        let viewer = ctx.viewer().clone();
        let own = author_key(&viewer);
        let sees_all = {
            let app = Arc::clone(&app);
            move || matches!(app.comment_scope(&viewer, &meeting), Ok(CommentScope::Everything))
        };
        if view == CommentView::Moderation && !sees_all() {
            return Err(ApiError::Forbidden);
        }
        let see = move |entry: &Entry| match view {
            CommentView::Public => sight(entry, own.as_deref()),
            CommentView::Moderation if !sees_all() => Sight::Ended,
            CommentView::Moderation if entry.subject.is_none() => Sight::Skipped,
            CommentView::Moderation => Sight::Shown(entry.event.kind),
        };
        let moments = envelopes(follower, Arc::clone(&app.clock), see);
        Ok(hand_over(ctx, moments, CommentEvent::show))
    }
}
