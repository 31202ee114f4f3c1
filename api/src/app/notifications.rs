//! Notifications: what people are told of what became of their own.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use entities::{
    comment,
    enums::{CommentState, Stored as _},
    ids::CommentId,
};
use uuid::Uuid;

use crate::{
    app::App,
    domain::{
        feed::{Audience, EventKind, FeedName, NewEvent, Retention},
        notification::{self, PersonKey},
        policy::{Denied, author_of},
        viewer::Viewer,
    },
    feed::{Scope, Subjects, Topic, Visibility, VisibilityOf, feed_name},
    store::{Store, StoreError, Tx},
};

/// The feeds of notifications, one a person.
pub struct NotificationTopic(pub Store);

impl Scope for PersonKey {
    fn text(&self) -> String {
        self.0.clone()
    }

    fn parse(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self(text.to_owned()))
    }
}

impl Topic for NotificationTopic {
    const NAME: &'static str = "notifications";
    const KINDS: &'static [EventKind] = notification::ALL;
    const RETENTION: Retention = notification::RETENTION;
    type Scope = PersonKey;
    type Parent = PersonKey;
    type Subject = comment::Model;
    type Filter = ();

    async fn parent(&self, scope: PersonKey) -> Result<Option<PersonKey>, StoreError> {
        Ok(Some(scope))
    }

    async fn subjects(&self, ids: Vec<Uuid>) -> Result<Subjects<Self>, StoreError> {
        let ids: Vec<_> = ids.into_iter().map(CommentId).collect();
        let rows = self.0.comments_by_id(&ids).await?;
        Ok(rows.into_iter().map(|row| (row.id.0, Arc::new(row))).collect())
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
            // What a kind of a later version tells, only that one can say.
            Some(comment) if comment.state.is_known() && event.kind != EventKind::UNKNOWN => {
                Visibility::Personal(event.kind)
            }
            _ => Visibility::Hidden,
        }))
    }
}

/// A notification to be recorded.
#[derive(Clone, Debug)]
pub(in crate::app) struct Notification {
    pub(in crate::app) feed: FeedName,
    pub(in crate::app) event: NewEvent,
}

impl Notification {
    /// Tells the author of a comment that it was given another state; `None` where they are told nothing: it is not a person's here,
    /// or they did it themselves.
    pub(in crate::app) fn of_comment(
        comment: &comment::Model,
        before: CommentState,
        after: CommentState,
        actor: Option<&str>,
    ) -> Option<Self> {
        let author = comment.author_key.as_deref()?;
        if actor.is_some_and(|actor| author_of(actor) == author) {
            return None;
        }
        let kind = notification::of_comment(before, after)?;
        Self::new(author, comment.id, kind, actor)
    }

    /// Tells the author of a comment that another which asks the same was answered.
    pub(in crate::app) fn answered_elsewhere(comment: &comment::Model, actor: Option<&str>) -> Option<Self> {
        Self::new(comment.author_key.as_deref()?, comment.id, notification::COMMENT_ANSWERED, actor)
    }

    fn new(author: &str, comment: CommentId, kind: EventKind, actor: Option<&str>) -> Option<Self> {
        let person = PersonKey::of_author(author)?;
        let actor = actor.map(str::to_owned);
        let event = NewEvent { subject: comment.0, kind, public_kind: None, audience: Audience::Everyone, actor };
        Some(Self { feed: feed_name::<NotificationTopic>(&person), event })
    }
}

/// Records notifications, each in the feed of its person.
pub(in crate::app) async fn record_notifications(
    tx: &mut Tx,
    notifications: Vec<Notification>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    if notifications.is_empty() {
        return Ok(());
    }
    tx.record_each(now, notifications.into_iter().map(|Notification { feed, event }| (feed, event)).collect()).await
}

impl App {
    /// Returns the position of the newest notification of a person; 0 where there was none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn notifications_head(&self, subject: &str) -> Result<i64, StoreError> {
        let feed = feed_name::<NotificationTopic>(&PersonKey::of(subject));
        Ok(self.reads.feed_extent(&feed).await?.unwrap_or_default().head)
    }
}
