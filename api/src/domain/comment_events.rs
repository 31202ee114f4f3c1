//! The feed of a meeting's comments: its name, and the kinds of its events.

use entities::{enums::CommentState, ids::MeetingId};
use uuid::Uuid;

use crate::domain::{
    comment::is_public,
    feed::{EventKind, FeedName, FeedScope},
};

/// The topic of the comment feeds.
pub const TOPIC: &str = "comments";

/// Returns the name of the feed of a meeting's comments.
#[must_use]
pub fn comment_feed(meeting: MeetingId) -> FeedName {
    FeedName::new(TOPIC, &meeting)
}

impl FeedScope for MeetingId {
    fn text(&self) -> String {
        self.0.simple().to_string()
    }

    fn parse(text: &str) -> Option<Self> {
        Uuid::try_parse(text).ok().map(Self)
    }
}

/// A comment appeared.
pub const POSTED: EventKind = EventKind::new("POSTED");
/// A comment is no longer visible.
pub const REMOVED: EventKind = EventKind::new("REMOVED");
/// A comment's votes were counted.
pub const VOTES: EventKind = EventKind::new("VOTES");
/// All kinds.
pub const ALL: &[EventKind] = &[POSTED, EventKind::CHANGED, REMOVED, VOTES];

/// Returns the kind of a change for those who may see every comment, and for the public if the change is visible to it.
///
/// `before` is `None` for a new comment.
#[must_use]
pub fn event_kinds(before: Option<CommentState>, after: CommentState) -> (EventKind, Option<EventKind>) {
    let all = if before.is_none() { POSTED } else { EventKind::CHANGED };
    let public = match (before.is_some_and(is_public), is_public(after)) {
        (false, true) => Some(POSTED),
        (true, true) => Some(EventKind::CHANGED),
        (true, false) => Some(REMOVED),
        (false, false) => None,
    };
    (all, public)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_the_public_of_exactly_what_it_can_see() {
        for before in CommentState::ALL {
            for after in CommentState::ALL {
                let (_, public) = event_kinds(Some(*before), *after);
                assert_eq!(public.is_some(), is_public(*before) || is_public(*after));
                assert_eq!(public == Some(REMOVED), is_public(*before) && !is_public(*after));
            }
        }
        assert_eq!(event_kinds(None, CommentState::Pending), (POSTED, None));
    }
}
