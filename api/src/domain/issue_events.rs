//! The feed of all issues: its name, and the kinds of its events.

use crate::domain::feed::{EventKind, FeedName};

/// The topic of the feed of issues.
pub const TOPIC: &str = "issues";

/// Returns the name of the feed of all issues.
#[must_use]
pub fn issue_feed() -> FeedName {
    FeedName::new(TOPIC, &())
}

/// An issue was raised.
pub const RAISED: EventKind = EventKind::new("RAISED");
/// A body became responsible, or another one did.
pub const ASSIGNED: EventKind = EventKind::new("ASSIGNED");
/// The plan changed, or a step was done.
pub const PLANNED: EventKind = EventKind::new("PLANNED");
/// Progress was reported.
pub const PROGRESS: EventKind = EventKind::new("PROGRESS");
/// It was solved.
pub const RESOLVED: EventKind = EventKind::new("RESOLVED");
/// It was declined.
pub const DECLINED: EventKind = EventKind::new("DECLINED");
/// It was taken up again.
pub const REOPENED: EventKind = EventKind::new("REOPENED");
/// All kinds.
pub const ALL: &[EventKind] = &[RAISED, ASSIGNED, EventKind::CHANGED, PLANNED, PROGRESS, RESOLVED, DECLINED, REOPENED];
