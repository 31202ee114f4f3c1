//! What a reception shows of its queue.

use chrono::{DateTime, Utc};
use entities::{
    enums::RegistrationState::{Booked, Called, NoShow, Offered, Served, Waiting},
    ids::RegistrationId,
};

use super::{Entry, Queue, Slot};

impl Queue {
    /// Returns all slots in order, with whether each is free to choose now.
    #[must_use]
    pub fn slots(&self, now: DateTime<Utc>) -> Vec<(Slot, bool)> {
        let mut free = self.free_to_choose(now).into_iter().peekable();
        self.schedule.slots().map(|slot| (slot, free.next_if_eq(&slot).is_some())).collect()
    }

    /// Returns the number of slots.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.schedule.capacity()
    }

    /// Returns the number of slots that people have or had. Those that are offered, or of an earlier schedule, do not count.
    #[must_use]
    pub fn booked(&self) -> usize {
        let has_slot = |entry: &&Entry| {
            matches!(entry.state, Booked | Called | Served | NoShow)
                && entry.slot.is_some_and(|slot| self.schedule.has_slot(slot))
        };
        self.entries.iter().filter(has_slot).count()
    }

    /// Returns the number of slots that are free to choose now.
    #[must_use]
    pub fn free(&self, now: DateTime<Utc>) -> usize {
        self.free_to_choose(now).len()
    }

    /// Returns how many people wait: for a slot, with an offer, or as walk-ins.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.entries.iter().filter(|entry| matches!(entry.state, Waiting | Offered)).count()
    }

    /// Returns the people who are called, by desk.
    #[must_use]
    pub fn now_serving(&self) -> Vec<&Entry> {
        let mut called: Vec<_> = self.entries.iter().filter(|entry| entry.state == Called).collect();
        called.sort_unstable_by_key(|entry| (entry.call.map(|call| call.desk), entry.number));
        called
    }

    /// Returns how many people are before a person: on the waiting list for those with no slot or an offered one, else in
    /// the order in which people will be called. `None` for those who are not waited for.
    ///
    /// Who is due depends on the time, which is that of the last [`Self::settle`]; without one, everyone is due.
    #[must_use]
    pub fn place(&self, id: RegistrationId) -> Option<usize> {
        let entry = self.entry(id)?;
        let is_listed = |entry: &Entry| entry.is_in_line() || entry.state == Offered;
        if is_listed(entry) {
            let order = |entry: &Entry| (entry.place, entry.number);
            let before = |other: &&Entry| is_listed(other) && order(other) < order(entry);
            return Some(self.entries.iter().filter(before).count());
        }
        self.place_in_calls(id)
    }
}
