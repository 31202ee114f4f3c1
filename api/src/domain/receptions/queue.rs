//! The queue of a reception: registrations, and the commands of the people who register.

use std::{
    collections::{BTreeSet, HashMap},
    mem,
};

use chrono::{DateTime, Utc};
use entities::{
    enums::RegistrationState::{self, Booked, Called, Cancelled, Offered, Waiting},
    ids::RegistrationId,
};

use super::{Change, Counters, Entry, Periods, QueueRefusal, Schedule, Slot, free_slots::SlotBoard};
use crate::domain::{feed::EventKind, notification, reception_events};

/// All registrations of a reception, and the rules that change them.
///
/// Every command first does what time alone does ([`Self::settle`]), so that its result does not depend on when that was
/// last done. What it changed is in [`Self::take_changes`], after a refusal too.
#[derive(Clone, Debug)]
pub struct Queue {
    pub(super) schedule: Schedule,
    pub(super) periods: Periods,
    pub(super) counters: Counters,
    pub(super) entries: Vec<Entry>,
    pub(super) settled_at: Option<DateTime<Utc>>,
    index: HashMap<RegistrationId, usize>,
    changes: Vec<Change>,
}

/// The order of the people who wait in line: by place, then number; the last part is their position in the entries.
pub(super) type Line = BTreeSet<(i32, i32, usize)>;

impl Queue {
    /// Takes all registrations of a reception, of every state.
    ///
    /// Those of an unknown state were stored by a later version: they keep their slots and are left alone.
    #[must_use]
    pub fn new(schedule: Schedule, periods: Periods, counters: Counters, entries: Vec<Entry>) -> Self {
        let mut index = HashMap::with_capacity(entries.len());
        for (position, entry) in entries.iter().enumerate() {
            index.entry(entry.id).or_insert(position);
        }
        Self { schedule, periods, counters, entries, settled_at: None, index, changes: Vec::new() }
    }

    /// Returns the queue as it is read at a time: nothing is changed, but who is due is judged by it.
    #[must_use]
    pub fn read_at(mut self, now: DateTime<Utc>) -> Self {
        self.settled_at = Some(now);
        self
    }

    /// Returns a registration.
    #[must_use]
    pub fn entry(&self, id: RegistrationId) -> Option<&Entry> {
        self.entries.get(*self.index.get(&id)?)
    }

    /// Returns all registrations, the new ones last.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Returns the counters.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// Takes the changes since the last time, in the order in which they happened. A registration may have several.
    pub fn take_changes(&mut self) -> Vec<Change> {
        mem::take(&mut self.changes)
    }

    /// Registers a person: for the wanted start, for the next free slot, or for the waiting line if nothing is free.
    ///
    /// # Errors
    /// [`QueueRefusal::NotASlot`] if no slot that has yet to start starts at the wanted time, [`QueueRefusal::SlotTaken`]
    /// if only other slots are free, [`QueueRefusal::Full`] if nothing is free and the person does not want to wait, and
    /// [`QueueRefusal::WrongState`] if the id is registered.
    pub fn register(
        &mut self,
        id: RegistrationId,
        wanted: Option<DateTime<Utc>>,
        wait_if_full: bool,
        now: DateTime<Utc>,
    ) -> Result<(), QueueRefusal> {
        self.settle(now);
        if let Some(entry) = self.entry(id) {
            return Err(QueueRefusal::WrongState(entry.state));
        }
        if wanted.is_some_and(|start| start <= now || !self.schedule.has_start(start)) {
            return Err(QueueRefusal::NotASlot);
        }
        let free = self.free_to_choose(now);
        let slot = free.iter().find(|slot| wanted.is_none_or(|start| start == slot.starts_at)).copied();
        match slot {
            Some(slot) => {
                let position = self.add(id, Booked, false);
                self.update(position, |entry| entry.slot = Some(slot));
                self.changed(position, reception_events::BOOKED, Some(notification::RECEPTION_BOOKED));
            }
            None if !free.is_empty() => return Err(QueueRefusal::SlotTaken),
            None if !wait_if_full => return Err(QueueRefusal::Full),
            None => self.add_waiting(id, false),
        }
        Ok(())
    }

    /// Adds a person who came without a registration. Does nothing if the id is registered.
    pub fn add_walk_in(&mut self, id: RegistrationId, now: DateTime<Utc>) {
        self.settle(now);
        if self.entry(id).is_none() {
            self.add_waiting(id, true);
        }
    }

    /// Cancels a registration. Its slot is offered to the next in line. Returns whether it was not cancelled before.
    ///
    /// # Errors
    /// If the person was called, or there is no such registration.
    pub fn cancel(&mut self, id: RegistrationId, now: DateTime<Utc>) -> Result<bool, QueueRefusal> {
        self.settle(now);
        let (position, state) = self.find(id)?;
        match state {
            Cancelled => Ok(false),
            Waiting | Offered | Booked => {
                let slot = self.set_cancelled(position, now);
                let kind = if slot.is_some() { reception_events::FREED } else { EventKind::CHANGED };
                self.changed(position, kind, Some(notification::RECEPTION_CANCELLED));
                if let Some(slot) = slot {
                    self.offer_freed(slot, now);
                }
                Ok(true)
            }
            other => Err(QueueRefusal::WrongState(other)),
        }
    }

    /// Accepts an offer. Returns whether it was not accepted before; a second time leaves the same slot.
    ///
    /// # Errors
    /// [`QueueRefusal::OfferExpired`] from the end of the offer on, also if the same slot is being offered anew by this
    /// very command, and for those in line, who have no offer any more. Other states refuse.
    pub fn accept_offer(&mut self, id: RegistrationId, now: DateTime<Utc>) -> Result<bool, QueueRefusal> {
        let has_ended = self.entry(id).and_then(Entry::offer_end).is_some_and(|end| end <= now);
        self.settle(now);
        let (position, state) = self.find(id)?;
        match state {
            _ if has_ended => Err(QueueRefusal::OfferExpired),
            Offered => {
                self.update(position, |entry| (entry.state, entry.offer_expires_at) = (Booked, None));
                self.changed(position, reception_events::BOOKED, Some(notification::RECEPTION_BOOKED));
                Ok(true)
            }
            Booked => Ok(false),
            Waiting if self.entry(id).is_some_and(Entry::is_in_line) => Err(QueueRefusal::OfferExpired),
            other => Err(QueueRefusal::WrongState(other)),
        }
    }

    /// Closes the reception: cancels the registrations of all who were not called.
    ///
    /// # Errors
    /// While somebody is at a desk.
    pub fn close(&mut self, now: DateTime<Utc>) -> Result<(), QueueRefusal> {
        self.end_calls(now);
        if self.entries.iter().any(|entry| entry.state == Called) {
            return Err(QueueRefusal::WrongState(Called));
        }
        self.cancel_those(now, |state| matches!(state, Waiting | Offered | Booked));
        Ok(())
    }

    /// Cancels the reception with all registrations that have not ended, those of people at a desk too.
    pub fn cancel_all(&mut self, now: DateTime<Utc>) {
        self.end_calls(now);
        self.cancel_those(now, |state| matches!(state, Waiting | Offered | Booked | Called));
    }

    /// Returns the slots that are free to choose, in order: none while people wait in line.
    pub(super) fn free_to_choose(&self, now: DateTime<Utc>) -> Vec<Slot> {
        if self.entries.iter().any(Entry::is_in_line) { Vec::new() } else { self.board().free(now).collect() }
    }

    pub(super) fn board(&self) -> SlotBoard {
        SlotBoard::new(self.schedule, self.periods, self.entries.iter())
    }

    pub(super) fn line(&self) -> Line {
        let waiting = self.entries.iter().enumerate().filter(|(_, entry)| entry.is_in_line());
        waiting.map(|(position, entry)| (entry.place, entry.number, position)).collect()
    }

    pub(super) fn find(&self, id: RegistrationId) -> Result<(usize, RegistrationState), QueueRefusal> {
        let position = self.index.get(&id).copied().ok_or(QueueRefusal::UnknownEntry)?;
        self.entries.get(position).map(|entry| (position, entry.state)).ok_or(QueueRefusal::UnknownEntry)
    }

    pub(super) fn update(&mut self, position: usize, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.entries.get_mut(position) {
            change(entry);
        }
    }

    pub(super) fn changed(&mut self, position: usize, kind: EventKind, notification: Option<EventKind>) {
        if let Some(entry) = self.entries.get(position) {
            self.changes.push(Change { id: entry.id, kind, notification });
        }
    }

    /// Returns the next place at the end of the line.
    pub(super) fn next_place(&mut self) -> i32 {
        self.counters.last_place = self.counters.last_place.saturating_add(1);
        self.counters.last_place
    }

    fn add_waiting(&mut self, id: RegistrationId, is_walk_in: bool) {
        let place = self.next_place();
        let position = self.add(id, Waiting, is_walk_in);
        self.update(position, |entry| entry.place = place);
        self.changed(position, EventKind::CHANGED, None);
    }

    fn add(&mut self, id: RegistrationId, state: RegistrationState, is_walk_in: bool) -> usize {
        let (position, number) = (self.entries.len(), self.counters.last_number.saturating_add(1));
        self.counters.last_number = number;
        self.index.insert(id, position);
        self.entries.push(Entry {
            id,
            number,
            state,
            is_walk_in,
            slot: None,
            place: 0,
            offer_expires_at: None,
            freed_at: None,
            call: None,
            closed_at: None,
        });
        position
    }

    /// Marks a registration as cancelled and returns the slot that it gave up.
    fn set_cancelled(&mut self, position: usize, now: DateTime<Utc>) -> Option<Slot> {
        let mut slot = None;
        self.update(position, |entry| {
            slot = entry.held_slot();
            entry.freed_at = slot.map(|_| now);
            (entry.state, entry.slot, entry.offer_expires_at) = (Cancelled, slot, None);
        });
        slot
    }

    fn cancel_those(&mut self, now: DateTime<Utc>, is_meant: impl Fn(RegistrationState) -> bool) {
        for position in 0..self.entries.len() {
            if self.entries.get(position).is_some_and(|entry| is_meant(entry.state)) {
                self.set_cancelled(position, now);
                self.changed(position, EventKind::CHANGED, Some(notification::RECEPTION_CANCELLED));
            }
        }
    }
}
