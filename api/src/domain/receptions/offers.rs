//! What time alone does: offers that end and go to the next in line, holds that end, and calls that nobody answers.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use entities::enums::RegistrationState::{NoShow, Offered, Waiting};

use super::{Entry, Queue, Slot, queue::Line};
use crate::domain::{feed::EventKind, notification, reception_events};

/// Something that was due at a time. At the same time slots come first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    /// A slot can be offered.
    Free(Slot),
    /// An offer ended: the place, number and position of its holder.
    Ended(i32, i32, usize),
}

impl Queue {
    /// Does everything that time alone does, in the order in which it was due. Repeats change nothing.
    ///
    /// Who lets an offer end goes to the end of the line, in the order of those ends, and the slot to the first in line.
    /// An offer that is made here holds its full time from `now`, however long ago it was due, because the person is only
    /// told now; for the same reason a slot must still be in time for an offer now. Settling late thus differs from
    /// settling in time only by offers that begin later, and by slots that are too late for one.
    pub fn settle(&mut self, now: DateTime<Utc>) {
        self.settled_at = self.settled_at.max(Some(now));
        self.end_calls(now);
        let mut line = self.line();
        let mut due: Vec<(DateTime<Utc>, Due)> = (self.entries.iter().enumerate())
            .filter_map(|(position, entry)| {
                let end = entry.offer_end().filter(|end| *end <= now)?;
                Some((end, Due::Ended(entry.place, entry.number, position)))
            })
            .collect();
        if line.is_empty() && due.is_empty() {
            return;
        }
        let board = self.board();
        let free = board.free(now).filter(|slot| board.can_be_offered(*slot, now));
        due.extend(free.map(|slot| (board.hold_end(slot).unwrap_or(DateTime::<Utc>::MIN_UTC), Due::Free(slot))));
        due.sort_unstable();

        let mut free = BTreeSet::new();
        for (_, due) in due {
            match due {
                Due::Free(slot) => _ = free.insert(slot),
                Due::Ended(_, number, position) => {
                    let slot = self.end_offer(position);
                    free.extend(slot.filter(|slot| board.can_be_offered(*slot, now)));
                    line.insert((self.counters.last_place, number, position));
                }
            }
            self.offer_in_turn(&mut line, &mut free, now);
        }
    }

    /// Returns when [`Self::settle`] next changes something, if nobody does anything: the end of an offer, of a hold while
    /// people wait, or of a call that nobody answers. It can be past if the queue was not settled.
    #[must_use]
    pub fn next_wake_up(&self) -> Option<DateTime<Utc>> {
        let ends = self.entries.iter().filter_map(|entry| entry.offer_end().or_else(|| entry.call_end())).min();
        let hold = (self.entries.iter().any(Entry::is_in_line))
            .then(|| self.board().hold_ends().filter(|end| Some(*end) > self.settled_at).min())
            .flatten();
        [ends, hold].into_iter().flatten().min()
    }

    /// Closes the calls that nobody answered.
    pub(super) fn end_calls(&mut self, now: DateTime<Utc>) {
        let ended = self.entries.iter().enumerate().filter_map(|(position, entry)| Some((entry.call_end()?, position)));
        let mut ended: Vec<_> = ended.filter(|(end, _)| *end <= now).collect();
        ended.sort_unstable();
        for (end, position) in ended {
            self.update(position, |entry| (entry.state, entry.closed_at) = (NoShow, Some(end)));
            self.changed(position, EventKind::CHANGED, Some(notification::RECEPTION_CHANGED));
        }
    }

    /// Offers a slot that was just given up to the first in line. If nobody waits or it is too late, it stays free.
    pub(super) fn offer_freed(&mut self, slot: Slot, now: DateTime<Utc>) {
        let board = self.board();
        if !board.is_taken(slot) && board.can_be_offered(slot, now) {
            self.offer_in_turn(&mut self.line(), &mut BTreeSet::from([slot]), now);
        }
    }

    /// Offers a slot.
    pub(super) fn offer(&mut self, position: usize, slot: Slot, now: DateTime<Utc>) {
        let end = self.periods.offer_end(now);
        self.update(position, |entry| {
            (entry.state, entry.slot, entry.offer_expires_at) = (Offered, Some(slot), Some(end));
        });
        self.changed(position, reception_events::OFFERED, Some(notification::RECEPTION_OFFERED));
    }

    /// Offers the free slots, the earliest first, to the people in line.
    fn offer_in_turn(&mut self, line: &mut Line, free: &mut BTreeSet<Slot>, now: DateTime<Utc>) {
        while let (Some((_, _, position)), Some(slot)) = (line.first().copied(), free.first().copied()) {
            self.offer(position, slot, now);
            line.pop_first();
            free.pop_first();
        }
    }

    /// Sends the holder of an offer to the end of the line and returns the slot, unless somebody else has it too.
    fn end_offer(&mut self, position: usize) -> Option<Slot> {
        let place = self.next_place();
        let mut slot = None;
        self.update(position, |entry| {
            slot = entry.slot.take();
            (entry.state, entry.place, entry.offer_expires_at) = (Waiting, place, None);
        });
        self.changed(position, EventKind::CHANGED, Some(notification::RECEPTION_CHANGED));
        slot
    }
}
