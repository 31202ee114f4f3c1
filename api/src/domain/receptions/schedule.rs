//! The slots of a reception.

use chrono::{DateTime, TimeDelta, Utc};

/// The highest number of slots of a reception. A schedule that would have more is cut off.
pub const MAX_SLOTS: i32 = 10_000;

/// When and where people are received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Start of the first slot.
    pub starts_at: DateTime<Utc>,
    /// No slot ends later.
    pub ends_at: DateTime<Utc>,
    /// Length of a slot in minutes, at least 1.
    pub slot_minutes: i32,
    /// Number of desks, counted from 1.
    pub desks: i32,
}

/// A time at a desk, for one person. Ordered by time, then desk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot {
    /// Its start.
    pub starts_at: DateTime<Utc>,
    /// Its desk.
    pub desk: i32,
}

impl Schedule {
    /// Returns the length of a slot.
    #[must_use]
    pub fn slot_length(&self) -> TimeDelta {
        TimeDelta::minutes(i64::from(self.slot_minutes.max(1)))
    }

    /// Returns the number of slots at each desk, so that all desks together have at most [`MAX_SLOTS`].
    #[must_use]
    pub fn slots_per_desk(&self) -> i32 {
        let minutes = (self.ends_at - self.starts_at).num_minutes().max(0);
        let fit = i32::try_from(minutes / i64::from(self.slot_minutes.max(1))).unwrap_or(i32::MAX);
        fit.min(MAX_SLOTS / self.desks.max(1))
    }

    /// Returns the number of slots.
    #[must_use]
    pub fn capacity(&self) -> usize {
        usize::try_from(self.slots_per_desk() * self.desks.clamp(0, MAX_SLOTS)).unwrap_or_default()
    }

    /// Returns all slots, in order.
    pub fn slots(&self) -> impl Iterator<Item = Slot> + use<> {
        let (first, length, desks) = (self.starts_at, self.slot_length(), self.desks);
        (0..self.slots_per_desk()).flat_map(move |n| {
            let starts_at = first + length * n;
            (1..=desks).map(move |desk| Slot { starts_at, desk })
        })
    }

    /// Returns whether a slot is one of the schedule.
    #[must_use]
    pub fn has_slot(&self, slot: Slot) -> bool {
        self.has_start(slot.starts_at) && self.has_desk(slot.desk)
    }

    /// Returns whether there is such a desk.
    #[must_use]
    pub fn has_desk(&self, desk: i32) -> bool {
        (1..=self.desks).contains(&desk)
    }

    /// Returns whether a slot starts at this time.
    #[must_use]
    pub fn has_start(&self, at: DateTime<Utc>) -> bool {
        let since = at - self.starts_at;
        let length = self.slot_length().num_milliseconds();
        self.desks > 0
            && since >= TimeDelta::zero()
            && since.num_milliseconds() % length == 0
            && since.subsec_nanos() % 1_000_000 == 0
            && since.num_milliseconds() / length < i64::from(self.slots_per_desk())
    }
}
