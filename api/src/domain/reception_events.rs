//! The feed of all receptions: its name, and the kinds of its events.

use crate::domain::feed::{EventKind, FeedName};

/// The topic of the feed of receptions.
pub const TOPIC: &str = "receptions";

/// Returns the name of the feed of all receptions.
#[must_use]
pub fn reception_feed() -> FeedName {
    FeedName::new(TOPIC, &())
}

/// A reception was drafted.
pub const CREATED: EventKind = EventKind::new("CREATED");
/// A reception was opened for registration.
pub const OPENED: EventKind = EventKind::new("OPENED");
/// A registration got a slot.
pub const BOOKED: EventKind = EventKind::new("BOOKED");
/// A registration gave up its slot.
pub const FREED: EventKind = EventKind::new("FREED");
/// A registration was offered a slot.
pub const OFFERED: EventKind = EventKind::new("OFFERED");
/// A person was called to a desk, perhaps again.
pub const CALLED: EventKind = EventKind::new("CALLED");
/// A person was received. One who did not come is [`EventKind::CHANGED`].
pub const SERVED: EventKind = EventKind::new("SERVED");
/// A reception was closed.
pub const CLOSED: EventKind = EventKind::new("CLOSED");
/// A reception was cancelled.
pub const CANCELLED: EventKind = EventKind::new("CANCELLED");
/// All kinds.
pub const ALL: &[EventKind] =
    &[CREATED, OPENED, EventKind::CHANGED, BOOKED, FREED, OFFERED, CALLED, SERVED, CLOSED, CANCELLED];
