//! The feeds of comments, one per meeting.

use std::sync::Arc;

use entities::{
    comment,
    ids::{CommentId, MeetingId},
    meeting,
};
use uuid::Uuid;

use crate::{
    app::App,
    domain::{
        comment::is_public,
        comment_events,
        feed::{Audience, Event, EventKind},
        policy::{CommentScope, Denied, author_key},
        viewer::Viewer,
    },
    feed::{Topic, Visibility, VisibilityOf},
    store::StoreError,
};

/// The feeds of comments.
pub struct CommentTopic(pub Arc<App>);

/// The comments that a follower subscribes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommentFilter {
    /// Public comments, and every change to the viewer's own.
    Public,
    /// All comments. Requires the permission to see every comment of the meeting.
    Everything,
}

impl Topic for CommentTopic {
    const NAME: &'static str = comment_events::TOPIC;
    const KINDS: &'static [EventKind] = comment_events::ALL;
    const REMOVALS: &'static [EventKind] = &[comment_events::REMOVED];
    type Scope = MeetingId;
    type Parent = meeting::Model;
    type Subject = comment::Model;
    type Filter = CommentFilter;

    async fn parent(&self, scope: MeetingId) -> Result<Option<meeting::Model>, StoreError> {
        Ok(self.0.store.meetings_by_id(&[scope]).await?.pop())
    }

    async fn subjects(&self, ids: Vec<Uuid>) -> Result<Vec<comment::Model>, StoreError> {
        let ids: Vec<_> = ids.into_iter().map(CommentId).collect();
        self.0.store.comments_by_id(&ids).await
    }

    fn subject_id(comment: &comment::Model) -> Uuid {
        comment.id.0
    }

    fn visibility(
        self: Arc<Self>,
        viewer: &Viewer,
        meeting: Arc<meeting::Model>,
        filter: CommentFilter,
    ) -> Result<VisibilityOf<Self>, Denied> {
        if filter == CommentFilter::Public {
            let own = author_key(viewer);
            return Ok(Box::new(move |event, comment| visibility(event, comment, own.as_deref())));
        }
        let viewer = viewer.clone();
        let sees_all = move || matches!(self.0.comment_scope(&viewer, &meeting), Ok(CommentScope::Everything));
        if !sees_all() {
            return Err(Denied::Forbidden);
        }
        Ok(Box::new(move |event, comment| match comment {
            _ if !sees_all() => Visibility::Ended,
            None => Visibility::Hidden,
            Some(_) => Visibility::Shared(event.kind),
        }))
    }
}

/// Returns what the public is shown of an event: its public kind, as long as the comment is public.
fn public_visibility(event: &Event, comment: Option<&comment::Model>) -> Visibility {
    match (event.public_kind, comment) {
        (Some(comment_events::REMOVED), _) => Visibility::Shared(comment_events::REMOVED),
        (Some(kind), Some(comment)) if is_public(comment.state) => Visibility::Shared(kind),
        _ => Visibility::Hidden,
    }
}

/// Returns what a viewer is shown. Authors (`own`) also see the events of their own comments, except those for staff.
fn visibility(event: &Event, comment: Option<&comment::Model>, own: Option<&str>) -> Visibility {
    let is_own = event.audience == Audience::Everyone
        && own.is_some()
        && comment.is_some_and(|comment| comment.author_key.as_deref() == own);
    match public_visibility(event, comment) {
        Visibility::Shared(kind) if !is_own || kind == event.kind => Visibility::Shared(kind),
        _ if is_own => Visibility::Personal(event.kind),
        other => other,
    }
}
