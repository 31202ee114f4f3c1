//! Slots of receptions.

use async_graphql::SimpleObject;
use chrono::{DateTime, Utc};

use crate::domain::receptions::Slot;

/// A time at a desk, for one person.
#[derive(SimpleObject, Clone, Debug)]
pub struct ReceptionSlot {
    /// Start of the slot. It takes `slotMinutes` of the reception.
    pub starts_at: DateTime<Utc>,
    /// The desk, counted from 1.
    pub desk: i32,
    /// Whether it can be booked now.
    pub free: bool,
}

impl ReceptionSlot {
    /// Creates the object from a slot.
    #[must_use]
    pub const fn new(slot: Slot, free: bool) -> Self {
        Self { starts_at: slot.starts_at, desk: slot.desk, free }
    }
}
