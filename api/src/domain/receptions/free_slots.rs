//! Which slots are taken, free to choose, or can be offered.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use entities::enums::RegistrationState;

use super::{Entry, FREED_HOLD, OFFER_LEAD, Periods, Schedule, Slot, later};

/// The slots of a reception, as its registrations leave them.
///
/// A slot that was given up in time is kept for [`FREED_HOLD`], then it is free. One that was given up too late for an
/// offer is for walk-ins. One that nobody ever had is free until it starts, and so is one whose offer ended, since that
/// leaves no trace: whoever let the offer end waits in line, and nothing is free to choose before the line.
pub(super) struct SlotBoard {
    schedule: Schedule,
    periods: Periods,
    taken: HashSet<Slot>,
    freed: HashMap<Slot, DateTime<Utc>>,
}

impl SlotBoard {
    /// Reads the registrations.
    pub(super) fn new<'a>(schedule: Schedule, periods: Periods, entries: impl Iterator<Item = &'a Entry>) -> Self {
        let (mut taken, mut freed) = (HashSet::new(), HashMap::new());
        for entry in entries {
            taken.extend(entry.held_slot());
            let given_up = entry.slot.zip(entry.freed_at);
            if let Some((slot, at)) = given_up.filter(|_| entry.state == RegistrationState::Cancelled) {
                freed.entry(slot).and_modify(|known: &mut DateTime<Utc>| *known = at.max(*known)).or_insert(at);
            }
        }
        Self { schedule, periods, taken, freed }
    }

    /// Returns whether somebody has the slot.
    pub(super) fn is_taken(&self, slot: Slot) -> bool {
        self.taken.contains(&slot)
    }

    /// Returns whether the slot can be chosen, as long as nobody waits in line.
    pub(super) fn is_free(&self, slot: Slot, now: DateTime<Utc>) -> bool {
        slot.starts_at > now
            && !self.is_taken(slot)
            && !self.is_for_walk_ins(slot)
            && self.hold_end(slot).is_none_or(|end| end <= now)
    }

    /// Returns the slots that can be chosen as long as nobody waits in line, in order.
    pub(super) fn free(&self, now: DateTime<Utc>) -> impl Iterator<Item = Slot> {
        self.schedule.slots().filter(move |slot| self.is_free(*slot, now))
    }

    /// Returns when the hold of a freed slot ends.
    pub(super) fn hold_end(&self, slot: Slot) -> Option<DateTime<Utc>> {
        self.freed.get(&slot).map(|at| later(*at, FREED_HOLD))
    }

    /// Returns the ends of the holds after which a slot can still be offered.
    pub(super) fn hold_ends(&self) -> impl Iterator<Item = DateTime<Utc>> {
        self.freed.keys().filter_map(|slot| {
            let end = self.hold_end(*slot)?;
            (!self.is_taken(*slot) && !self.is_for_walk_ins(*slot) && self.can_be_offered(*slot, end)).then_some(end)
        })
    }

    /// Returns whether an offer of the slot would leave its holder enough time to come.
    pub(super) fn can_be_offered(&self, slot: Slot, now: DateTime<Utc>) -> bool {
        self.schedule.has_slot(slot) && is_in_time(self.periods, slot, now)
    }

    /// Returns whether the slot was given up too late for an offer.
    fn is_for_walk_ins(&self, slot: Slot) -> bool {
        self.freed.get(&slot).is_some_and(|at| !is_in_time(self.periods, slot, *at))
    }
}

impl Periods {
    /// Returns when an offer that is made now ends.
    pub(super) fn offer_end(self, now: DateTime<Utc>) -> DateTime<Utc> {
        later(now, self.offer.max(chrono::TimeDelta::seconds(1)))
    }
}

/// Returns whether a slot starts late enough after the end of an offer that is made now.
pub(super) fn is_in_time(periods: Periods, slot: Slot, now: DateTime<Utc>) -> bool {
    slot.starts_at > later(periods.offer_end(now), OFFER_LEAD)
}
