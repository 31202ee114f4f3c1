//! What people are told of what became of their own.

use chrono::TimeDelta;
use entities::enums::CommentState;
use sha2::{Digest as _, Sha256};

use crate::domain::{
    comment::is_public,
    feed::{EventKind, Retention},
    policy::{author_of, subject_of},
};

/// How long notifications are kept.
pub const RETENTION: Retention = Retention { events: Some(1_000), age: Some(TimeDelta::days(180)) };

/// A comment appeared that had waited for a moderator or was hidden.
pub const COMMENT_PUBLISHED: EventKind = EventKind::new("COMMENT_PUBLISHED");
/// A comment was rejected or hidden.
pub const COMMENT_REJECTED: EventKind = EventKind::new("COMMENT_REJECTED");
/// A comment is being answered.
pub const COMMENT_SELECTED: EventKind = EventKind::new("COMMENT_SELECTED");
/// A comment was answered, or another was that asks the same.
pub const COMMENT_ANSWERED: EventKind = EventKind::new("COMMENT_ANSWERED");
/// A comment was joined to another that asks the same.
pub const COMMENT_MERGED: EventKind = EventKind::new("COMMENT_MERGED");
/// All kinds.
pub const ALL: &[EventKind] =
    &[COMMENT_PUBLISHED, COMMENT_REJECTED, COMMENT_SELECTED, COMMENT_ANSWERED, COMMENT_MERGED];

/// A person as their notifications know them: a digest, so that the name of a feed does not name the person.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PersonKey(pub String);

impl PersonKey {
    /// Returns the key of a token's subject.
    #[must_use]
    pub fn of(subject: &str) -> Self {
        let digest = Sha256::digest(author_of(subject));
        Self(digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect())
    }

    /// Returns the key of an author; `None` for one of another platform.
    #[must_use]
    pub fn of_author(author_key: &str) -> Option<Self> {
        subject_of(author_key).map(Self::of)
    }
}

/// Returns what an author is told when somebody else changes the state of their comment; `None` when they are told nothing.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_an_author_of_each_state_that_somebody_else_gave_their_comment() {
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
