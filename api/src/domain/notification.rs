//! Notifications: tell people about changes to their own comments and registrations, and to the issues that they follow.

use chrono::TimeDelta;
use entities::enums::CommentState;
use sha2::{Digest as _, Sha256};

use crate::domain::{
    comment::is_public,
    feed::{EventKind, FeedName, FeedScope, Retention},
    issue_events,
    policy::{author_of, subject_of},
    viewer::Viewer,
};

/// The topic of the feeds of notifications.
pub const TOPIC: &str = "notifications";
/// How long notifications are kept.
pub const RETENTION: Retention = Retention { events: Some(1_000), age: Some(TimeDelta::days(180)) };

/// A pending, hidden or merged comment became public.
pub const COMMENT_PUBLISHED: EventKind = EventKind::new("COMMENT_PUBLISHED");
/// A comment was rejected or hidden.
pub const COMMENT_REJECTED: EventKind = EventKind::new("COMMENT_REJECTED");
/// A comment is being answered.
pub const COMMENT_SELECTED: EventKind = EventKind::new("COMMENT_SELECTED");
/// A comment, or the one that it is merged into, was answered.
pub const COMMENT_ANSWERED: EventKind = EventKind::new("COMMENT_ANSWERED");
/// A comment was merged into another with the same question.
pub const COMMENT_MERGED: EventKind = EventKind::new("COMMENT_MERGED");
/// A registration for a reception got a slot.
pub const RECEPTION_BOOKED: EventKind = EventKind::new("RECEPTION_BOOKED");
/// A registration was offered a slot.
pub const RECEPTION_OFFERED: EventKind = EventKind::new("RECEPTION_OFFERED");
/// The person was called to a desk, perhaps again.
pub const RECEPTION_CALLED: EventKind = EventKind::new("RECEPTION_CALLED");
/// A registration changed otherwise: its offer ended, it counts as a no-show, or the reception changed.
pub const RECEPTION_CHANGED: EventKind = EventKind::new("RECEPTION_CHANGED");
/// A registration was cancelled.
pub const RECEPTION_CANCELLED: EventKind = EventKind::new("RECEPTION_CANCELLED");
/// An issue was raised from the person's words.
pub const ISSUE_RAISED: EventKind = EventKind::new("ISSUE_RAISED");
/// A body became responsible for an issue.
pub const ISSUE_ASSIGNED: EventKind = EventKind::new("ISSUE_ASSIGNED");
/// The plan of an issue changed.
pub const ISSUE_PLANNED: EventKind = EventKind::new("ISSUE_PLANNED");
/// Progress on an issue was reported.
pub const ISSUE_PROGRESS: EventKind = EventKind::new("ISSUE_PROGRESS");
/// An issue was resolved. Those from whose words it was raised are asked whether they are satisfied.
pub const ISSUE_RESOLVED: EventKind = EventKind::new("ISSUE_RESOLVED");
/// An issue was declined.
pub const ISSUE_DECLINED: EventKind = EventKind::new("ISSUE_DECLINED");
/// An issue was taken up again.
pub const ISSUE_REOPENED: EventKind = EventKind::new("ISSUE_REOPENED");
/// All kinds.
pub const ALL: &[EventKind] = &[
    COMMENT_PUBLISHED,
    COMMENT_REJECTED,
    COMMENT_SELECTED,
    COMMENT_ANSWERED,
    COMMENT_MERGED,
    RECEPTION_BOOKED,
    RECEPTION_OFFERED,
    RECEPTION_CALLED,
    RECEPTION_CHANGED,
    RECEPTION_CANCELLED,
    ISSUE_RAISED,
    ISSUE_ASSIGNED,
    ISSUE_PLANNED,
    ISSUE_PROGRESS,
    ISSUE_RESOLVED,
    ISSUE_DECLINED,
    ISSUE_REOPENED,
];

/// Identifies a person in the name of a feed, by a digest that does not reveal the subject.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PersonKey(pub String);

impl PersonKey {
    /// Returns the key of a token's subject.
    #[must_use]
    pub fn of(subject: &str) -> Self {
        let digest = Sha256::digest(author_of(subject));
        Self(digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect())
    }

    /// Returns the key of a viewer; `None` for the anonymous.
    #[must_use]
    pub fn of_viewer(viewer: &Viewer) -> Option<Self> {
        viewer.subject().map(Self::of)
    }

    /// Returns the key of an author; `None` for one of another platform.
    #[must_use]
    pub fn of_author(author_key: &str) -> Option<Self> {
        subject_of(author_key).map(Self::of)
    }
}

impl FeedScope for PersonKey {
    fn text(&self) -> String {
        self.0.clone()
    }

    fn parse(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self(text.to_owned()))
    }
}

/// Returns the name of the feed of a person's notifications.
#[must_use]
pub fn notification_feed(person: &PersonKey) -> FeedName {
    FeedName::new(TOPIC, person)
}

/// Returns the notification for the author when somebody else changes the state of their comment, if there is one.
#[must_use]
pub fn of_comment(before: CommentState, after: CommentState) -> Option<EventKind> {
    if before == after {
        return None;
    }
    match after {
        CommentState::Published if !is_public(before) => Some(COMMENT_PUBLISHED),
        CommentState::Rejected | CommentState::Hidden => Some(COMMENT_REJECTED),
        CommentState::Selected => Some(COMMENT_SELECTED),
        CommentState::Answered => Some(COMMENT_ANSWERED),
        CommentState::Merged => Some(COMMENT_MERGED),
        CommentState::Published | CommentState::Pending | CommentState::Withdrawn | CommentState::Unknown => None,
    }
}

/// Returns the notification of those who follow an issue about an event of it, if there is one.
#[must_use]
pub fn of_issue(kind: EventKind) -> Option<EventKind> {
    match kind {
        issue_events::RAISED => Some(ISSUE_RAISED),
        issue_events::ASSIGNED => Some(ISSUE_ASSIGNED),
        issue_events::PLANNED => Some(ISSUE_PLANNED),
        issue_events::PROGRESS => Some(ISSUE_PROGRESS),
        issue_events::RESOLVED => Some(ISSUE_RESOLVED),
        issue_events::DECLINED => Some(ISSUE_DECLINED),
        issue_events::REOPENED => Some(ISSUE_REOPENED),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notifies_the_author_of_each_change_by_somebody_else() {
        use CommentState::{Answered, Hidden, Merged, Pending, Published, Rejected, Selected, Withdrawn};
        for (before, after, told) in [
            (Pending, Published, Some(COMMENT_PUBLISHED)),
            (Hidden, Published, Some(COMMENT_PUBLISHED)),
            (Merged, Published, Some(COMMENT_PUBLISHED)),
            (Selected, Published, None),
            (Pending, Rejected, Some(COMMENT_REJECTED)),
            (Published, Hidden, Some(COMMENT_REJECTED)),
            (Published, Selected, Some(COMMENT_SELECTED)),
            (Selected, Answered, Some(COMMENT_ANSWERED)),
            (Published, Merged, Some(COMMENT_MERGED)),
            (Answered, Answered, None),
            (Published, Withdrawn, None),
            (Rejected, Pending, None),
        ] {
            assert_eq!(of_comment(before, after), told, "{before:?} {after:?}");
        }
    }
}
