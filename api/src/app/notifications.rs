//! The feeds of notifications, and the events that changes of comments add to them.

use std::{collections::HashSet, sync::Arc};

use entities::{
    comment,
    enums::{CommentState, Stored as _},
    ids::{CommentId, IssueId, RegistrationId},
    issue, registration,
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

/// What a notification is about.
#[derive(Clone, Debug)]
pub enum NotificationSubject {
    /// A comment.
    Comment(Arc<comment::Model>),
    /// A registration for a reception.
    Registration(Arc<registration::Model>),
    /// An issue.
    Issue(Arc<issue::Model>),
}

impl NotificationSubject {
    /// Returns whether this version knows its state.
    fn is_known(&self) -> bool {
        match self {
            Self::Comment(comment) => comment.state.is_known(),
            Self::Registration(registration) => registration.state.is_known(),
            Self::Issue(issue) => issue.state.is_known(),
        }
    }
}

/// The feeds of notifications, one per person.
pub struct NotificationTopic(pub Store);

impl Topic for NotificationTopic {
    const NAME: &'static str = notification::TOPIC;
    const KINDS: &'static [EventKind] = notification::ALL;
    const RETENTION: Retention = notification::RETENTION;
    type Scope = PersonKey;
    type Parent = PersonKey;
    type Subject = NotificationSubject;
    type Filter = ();

    async fn parent(&self, scope: PersonKey) -> Result<Option<PersonKey>, StoreError> {
        Ok(Some(scope))
    }

    async fn subjects(&self, mut ids: Vec<Uuid>) -> Result<Vec<NotificationSubject>, StoreError> {
        let mut subjects = Vec::with_capacity(ids.len());
        // An id names one object of any kind, so what is found is not looked for again.
        let comments = self.0.comments_by_id(&ids.iter().copied().map(CommentId).collect::<Vec<_>>()).await?;
        subjects.extend(comments.into_iter().map(|row| NotificationSubject::Comment(Arc::new(row))));
        leave_out(&mut ids, &subjects);
        if !ids.is_empty() {
            let registrations: Vec<_> = ids.iter().copied().map(RegistrationId).collect();
            let rows = self.0.registrations_by_id(&registrations).await?;
            subjects.extend(rows.into_iter().map(|row| NotificationSubject::Registration(Arc::new(row))));
            leave_out(&mut ids, &subjects);
        }
        if !ids.is_empty() {
            let rows = self.0.issues_by_id(&ids.into_iter().map(IssueId).collect::<Vec<_>>()).await?;
            subjects.extend(rows.into_iter().map(|row| NotificationSubject::Issue(Arc::new(row))));
        }
        Ok(subjects)
    }

    fn subject_id(subject: &NotificationSubject) -> Uuid {
        match subject {
            NotificationSubject::Comment(comment) => comment.id.0,
            NotificationSubject::Registration(registration) => registration.id.0,
            NotificationSubject::Issue(issue) => issue.id.0,
        }
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
        Ok(Box::new(|event, subject| match subject {
            // A notification of an unknown kind has no text to show.
            Some(subject) if subject.is_known() && event.kind != EventKind::UNKNOWN => Visibility::Personal(event.kind),
            _ => Visibility::Hidden,
        }))
    }
}

/// Leaves out the ids of subjects.
fn leave_out(ids: &mut Vec<Uuid>, subjects: &[NotificationSubject]) {
    let found: HashSet<_> = subjects.iter().map(NotificationTopic::subject_id).collect();
    ids.retain(|id| !found.contains(id));
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

/// Returns the notification of the person of a registration.
pub(in crate::app) fn of_registration(
    person: &str,
    registration: RegistrationId,
    kind: EventKind,
) -> (FeedName, NewEvent) {
    notification(&PersonKey(person.to_owned()), registration.0, kind, None)
}

/// Returns the notification of a person who follows an issue.
pub(in crate::app) fn of_issue(person: &str, issue: IssueId, kind: EventKind) -> (FeedName, NewEvent) {
    notification(&PersonKey(person.to_owned()), issue.0, kind, None)
}

fn notify(author: &str, comment: CommentId, kind: EventKind, actor: Option<&str>) -> Option<(FeedName, NewEvent)> {
    Some(notification(&PersonKey::of_author(author)?, comment.0, kind, actor))
}

fn notification(person: &PersonKey, subject: Uuid, kind: EventKind, actor: Option<&str>) -> (FeedName, NewEvent) {
    let event = NewEvent {
        subject,
        kind,
        public_kind: None,
        audience: Audience::Everyone,
        actor: actor.map(str::to_owned),
        filter_values: FilterValues::default(),
    };
    (notification_feed(person), event)
}
