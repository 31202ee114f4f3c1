//! Moves registrations when the times or desks of a reception change.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use entities::enums::RegistrationState::{Booked, Called, Offered, Waiting};

use super::{
    Entry, Queue, Schedule, Slot,
    free_slots::{SlotBoard, is_in_time},
};
use crate::domain::{feed::EventKind, notification};

impl Queue {
    /// Changes the times and desks.
    ///
    /// Whoever has a slot keeps it, or gets another desk at the same start. Other booked people, in the order of their
    /// numbers, are offered the free slot nearest to theirs, if possible one that leaves time for the offer. If there is
    /// none, they wait before everyone else in line, followed by those whose offered slot is gone. Then the line is
    /// offered what is still free. Everyone who waits or is to come is told.
    pub fn reschedule(&mut self, schedule: Schedule, now: DateTime<Utc>) {
        self.settle(now);
        self.schedule = schedule;
        let is_movable = |entry: &Entry| matches!(entry.state, Booked | Offered);
        let fixed = self.entries.iter().filter(|entry| !is_movable(entry));
        let board = SlotBoard::new(schedule, self.periods, fixed);
        let mut open: BTreeSet<Slot> = schedule.slots().filter(|slot| !board.is_taken(*slot)).collect();

        let movable = self.entries.iter().enumerate().filter(|(_, entry)| is_movable(entry));
        let mut movable: Vec<_> = movable.map(|(position, entry)| (entry.number, position)).collect();
        movable.sort_unstable();
        let mut without: Vec<usize> = movable.into_iter().map(|(_, position)| position).collect();
        without.retain(|position| !self.slot_of(*position).is_some_and(|slot| open.remove(&slot)));
        without.retain(|position| !self.keep_start(*position, &mut open));

        self.tell_unmoved(&without);
        self.place_moved(&without, open.into_iter().filter(|slot| board.is_free(*slot, now)).collect(), now);
        self.settle(now);
    }

    fn slot_of(&self, position: usize) -> Option<Slot> {
        self.entries.get(position).and_then(|entry| entry.slot)
    }

    /// Gives a person another desk at the same start, and returns whether there was one.
    fn keep_start(&mut self, position: usize, open: &mut BTreeSet<Slot>) -> bool {
        let same_start = self.slot_of(position).and_then(|old| {
            open.range(Slot { desk: i32::MIN, ..old }..=Slot { desk: i32::MAX, ..old }).next().copied()
        });
        if let Some(slot) = same_start {
            open.remove(&slot);
            self.update(position, |entry| entry.slot = Some(slot));
        }
        same_start.is_some()
    }

    /// Tells everyone who is waited for and keeps their state.
    fn tell_unmoved(&mut self, moved: &[usize]) {
        let moved: BTreeSet<usize> = moved.iter().copied().collect();
        for position in 0..self.entries.len() {
            let state = self.entries.get(position).map(|entry| entry.state);
            if !moved.contains(&position) && matches!(state, Some(Waiting | Offered | Booked | Called)) {
                self.changed(position, EventKind::CHANGED, Some(notification::RECEPTION_CHANGED));
            }
        }
    }

    /// Offers other slots to those who lost theirs, or puts them at the front of the line.
    fn place_moved(&mut self, moved: &[usize], free: BTreeSet<Slot>, now: DateTime<Utc>) {
        let (mut in_time, mut soon): (BTreeSet<_>, BTreeSet<_>) =
            free.into_iter().partition(|slot| is_in_time(self.periods, *slot, now));
        let (mut booked, mut offered) = (Vec::new(), Vec::new());
        for position in moved.iter().copied() {
            let Some(entry) = self.entries.get(position) else { continue };
            if entry.state == Offered {
                offered.push((entry.place, entry.number, position));
                continue;
            }
            let start = entry.slot.map_or(self.schedule.starts_at, |slot| slot.starts_at);
            match take_nearest(&mut in_time, start).or_else(|| take_nearest(&mut soon, start)) {
                Some(slot) => self.offer(position, slot, now),
                None => booked.push(position),
            }
        }
        offered.sort_unstable();
        booked.extend(offered.into_iter().map(|(_, _, position)| position));

        let first = self.line().first().map_or(self.counters.last_place.saturating_add(1), |(place, _, _)| *place);
        for (place, position) in (i32::MIN..first).rev().zip(booked.into_iter().rev()) {
            self.update(position, |entry| {
                (entry.state, entry.slot, entry.offer_expires_at, entry.place) = (Waiting, None, None, place);
            });
            self.changed(position, EventKind::CHANGED, Some(notification::RECEPTION_CHANGED));
        }
    }
}

/// Takes the slot whose start is nearest; of two, the earlier; of several desks, the first.
fn take_nearest(free: &mut BTreeSet<Slot>, start: DateTime<Utc>) -> Option<Slot> {
    let lowest_desk = |starts_at| Slot { starts_at, desk: i32::MIN };
    let after = free.range(lowest_desk(start)..).next().copied();
    let before = free.range(..lowest_desk(start)).next_back();
    let before = before.and_then(|slot| free.range(lowest_desk(slot.starts_at)..).next().copied());
    let nearest = before.into_iter().chain(after).min_by_key(|slot| (slot.starts_at - start).abs())?;
    free.remove(&nearest);
    Some(nearest)
}
