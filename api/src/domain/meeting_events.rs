//! The feed of all meetings: its name, and the kinds of its events.

use crate::domain::feed::{EventKind, FeedName};

/// The topic of the feed of meetings.
pub const TOPIC: &str = "meetings";

/// Returns the name of the feed of all meetings.
#[must_use]
pub fn meeting_feed() -> FeedName {
    FeedName::new(TOPIC, &())
}

/// A meeting was planned.
pub const PLANNED: EventKind = EventKind::new("PLANNED");
/// A meeting was announced.
pub const ANNOUNCED: EventKind = EventKind::new("ANNOUNCED");
/// A meeting was moved.
pub const RESCHEDULED: EventKind = EventKind::new("RESCHEDULED");
/// A meeting began.
pub const STARTED: EventKind = EventKind::new("STARTED");
/// A meeting's stage changed, or its presentation reached 80 % or 100 % of its budget.
pub const STAGE: EventKind = EventKind::new("STAGE");
/// A meeting ended.
pub const ENDED: EventKind = EventKind::new("ENDED");
/// A meeting was closed.
pub const CLOSED: EventKind = EventKind::new("CLOSED");
/// A meeting was cancelled.
pub const CANCELLED: EventKind = EventKind::new("CANCELLED");
/// A publication about a meeting appeared.
pub const PUBLISHED: EventKind = EventKind::new("PUBLISHED");
/// All kinds.
pub const ALL: &[EventKind] =
    &[PLANNED, ANNOUNCED, RESCHEDULED, STARTED, STAGE, EventKind::CHANGED, ENDED, CLOSED, CANCELLED, PUBLISHED];
