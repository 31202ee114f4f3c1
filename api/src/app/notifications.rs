//! The feeds of notifications, and the events that changes of comments add to them.

use std::sync::Arc;

use entities::{
    comment,
    enums::{CommentState, Stored as _},
    ids::CommentId,
};
use uuid::Uuid;

use crate::{
    domain::{
        feed::{Audience, EventKind, FeedName, FilterValues, NewEvent, Retention},
        notification::{self, PersonKey, notification_feed},
        policy::{Denied, author_of},
        viewer::Viewer,
    },
    feed::{Topic, Visibility, VisibilityOf},
    store::{Store, StoreError},
};

/// The feeds of notifications, one per person.
pub struct NotificationTopic(pub Store);

impl Topic for NotificationTopic {
    const NAME: &'static str = notification::TOPIC;
    const KINDS: &'static [EventKind] = notification::ALL;
    const RETENTION: Retention = notification::RETENTION;
    type Scope = PersonKey;
    type Parent = PersonKey;
    type Subject = comment::Model;
    type Filter = ();

    async fn parent(&self, scope: PersonKey) -> Result<Option<PersonKey>, StoreError> {
        Ok(Some(scope))
    }

    async fn subjects(&self, ids: Vec<Uuid>) -> Result<Vec<comment::Model>, StoreError> {
        let ids: Vec<_> = ids.into_iter().map(CommentId).collect();
        self.0.comments_by_id(&ids).await
    }

    fn subject_id(comment: &comment::Model) -> Uuid {
        comment.id.0
    }

    fn visibility(
        self: Arc<Self>,
        viewer: &Viewer,
        person: Arc<PersonKey>,
        (): (),
    ) -> Result<VisibilityOf<Self>, Denied> {
        let subject = viewer.subject().ok_or(Denied::Anonymous)?;
        if PersonKey::of(subject) != *person {
            return Err(Denied::Forbidden);
        }
        Ok(Box::new(|event, comment| match comment {
            // A notification of an unknown kind has no text to show.
            Some(comment) if comment.state.is_known() && event.kind != EventKind::UNKNOWN => {
                Visibility::Personal(event.kind)
            }
            _ => Visibility::Hidden,
        }))
    }
}

/// Returns the notification of a comment's author about a change of its state, if there is one. Authors are not notified of what they
/// did themselves; authors on other platforms never are.
pub(in crate::app) fn of_change(
    comment: &comment::Model,
    before: CommentState,
    after: CommentState,
    actor: Option<&str>,
) -> Option<(FeedName, NewEvent)> {
    let author = comment.author_key.as_deref()?;
    if actor.is_some_and(|actor| author_of(actor) == author) {
        return None;
    }
    notify(author, comment.id, notification::of_comment(before, after)?, actor)
}

/// Returns the notification of a merged comment's author about the answer to the comment it was merged into.
pub(in crate::app) fn of_merged_answer(comment: &comment::Model, actor: Option<&str>) -> Option<(FeedName, NewEvent)> {
    notify(comment.author_key.as_deref()?, comment.id, notification::COMMENT_ANSWERED, actor)
}

fn notify(author: &str, comment: CommentId, kind: EventKind, actor: Option<&str>) -> Option<(FeedName, NewEvent)> {
    let person = PersonKey::of_author(author)?;
    let actor = actor.map(str::to_owned);
    let event = NewEvent {
        subject: comment.0,
        kind,
        public_kind: None,
        audience: Audience::Everyone,
        actor,
        filter_values: FilterValues::default(),
    };
    Some((notification_feed(&person), event))
}
