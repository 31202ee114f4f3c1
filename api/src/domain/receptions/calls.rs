//! The order of calls, and the commands of the desks.

use std::collections::VecDeque;

use chrono::{DateTime, NaiveDate, Utc};
use entities::{
    enums::RegistrationState::{Booked, Called, NoShow, Served, Waiting},
    ids::RegistrationId,
};

use super::{BOOKED_IN_A_ROW, Call, Entry, NO_SHOW_AFTER, NO_SHOW_CALLS, Queue, QueueRefusal, Slot, later};
use crate::domain::{announcement::date, feed::EventKind, notification, reception_events};

/// The people who can be called, in the order of each kind; each is a position in the entries.
pub(super) struct CallLines {
    booked: VecDeque<(Slot, i32, usize)>,
    walk_ins: VecDeque<usize>,
    waiting: VecDeque<usize>,
    booked_in_a_row: i32,
    first_day: NaiveDate,
}

impl CallLines {
    /// Lists the people who can be called. A booked person without a slot is due when the reception starts.
    pub(super) fn new(queue: &Queue) -> Self {
        let first = Slot { starts_at: queue.schedule.starts_at, desk: 0 };
        let (mut booked, mut walk_ins) = (Vec::new(), Vec::new());
        for (position, entry) in queue.entries.iter().enumerate() {
            match entry.state {
                Booked => booked.push((entry.slot.unwrap_or(first), entry.number, position)),
                Waiting if entry.is_walk_in => walk_ins.push((entry.place, entry.number, position)),
                _ => {}
            }
        }
        booked.sort_unstable();
        walk_ins.sort_unstable();
        Self {
            booked: booked.into(),
            walk_ins: walk_ins.into_iter().map(|(_, _, position)| position).collect(),
            waiting: queue.line().into_iter().map(|(_, _, position)| position).collect(),
            booked_in_a_row: queue.counters.booked_in_a_row,
            first_day: date(first.starts_at),
        }
    }

    /// Adds a walk-in who comes last.
    pub(super) fn push_walk_in(&mut self, position: usize) {
        self.walk_ins.push_back(position);
    }

    /// Takes the next person.
    ///
    /// Booked people whose slot has started are called by slot, but after [`BOOKED_IN_A_ROW`] of them while a walk-in
    /// waits, the next is a walk-in. If no slot has started, it is the walk-ins, then the booked people of the day who are
    /// early, then those on the waiting list. Nobody is called before the day of their slot or, without one, of the first.
    pub(super) fn next(&mut self, at: DateTime<Utc>) -> Option<usize> {
        let next_start = self.next_start();
        let has_walk_in = !self.walk_ins.is_empty();
        let is_due = next_start.is_some_and(|start| start <= at);
        let is_today = next_start.is_some_and(|start| date(start) <= date(at));
        let is_walk_ins_turn = has_walk_in && self.booked_in_a_row >= BOOKED_IN_A_ROW;
        if is_due && !is_walk_ins_turn || is_today && !has_walk_in {
            self.booked_in_a_row = if has_walk_in { self.booked_in_a_row.saturating_add(1) } else { 0 };
            return self.booked.pop_front().map(|(_, _, position)| position);
        }
        let next = match self.walk_ins.pop_front() {
            None if date(at) >= self.first_day => self.waiting.pop_front(),
            walk_in => walk_in,
        };
        if next.is_some() {
            self.booked_in_a_row = 0;
        }
        next
    }

    /// Returns the start of the next booked slot.
    pub(super) fn next_start(&self) -> Option<DateTime<Utc>> {
        self.booked.front().map(|(slot, _, _)| slot.starts_at)
    }
}

impl Queue {
    /// Calls the next person to a desk. A desk with an open call gets the same person, without a new call.
    ///
    /// # Errors
    /// If there is no such desk, or nobody to call.
    pub fn call_next(&mut self, desk: i32, now: DateTime<Utc>) -> Result<RegistrationId, QueueRefusal> {
        self.settle(now);
        if !self.schedule.has_desk(desk) {
            return Err(QueueRefusal::NoSuchDesk { desks: self.schedule.desks });
        }
        let is_here = |entry: &&Entry| entry.state == Called && entry.call.is_some_and(|call| call.desk == desk);
        if let Some(open) = self.entries.iter().filter(is_here).min_by_key(|entry| entry.number) {
            return Ok(open.id);
        }
        let mut lines = CallLines::new(self);
        let position = lines.next(now).ok_or(QueueRefusal::NobodyDue)?;
        let id = self.entries.get(position).map(|entry| entry.id).ok_or(QueueRefusal::NobodyDue)?;
        self.counters.booked_in_a_row = lines.booked_in_a_row;
        self.update(position, |entry| {
            entry.state = Called;
            entry.call = Some(Call { desk, first_at: now, last_at: now, times: 1 });
        });
        self.changed(position, reception_events::CALLED, Some(notification::RECEPTION_CALLED));
        Ok(id)
    }

    /// Calls a person again who was called and has not come.
    ///
    /// # Errors
    /// In every other state, and if there is no such registration.
    pub fn recall(&mut self, id: RegistrationId, now: DateTime<Utc>) -> Result<(), QueueRefusal> {
        self.settle(now);
        let (position, state) = self.find(id)?;
        if state != Called {
            return Err(QueueRefusal::WrongState(state));
        }
        self.update(position, |entry| {
            if let Some(call) = &mut entry.call {
                call.times = call.times.saturating_add(1);
                call.last_at = call.last_at.max(now);
            }
        });
        self.changed(position, reception_events::CALLED, Some(notification::RECEPTION_CALLED));
        Ok(())
    }

    /// Ends a call: the person was received or did not come. Returns whether it was not ended so before.
    ///
    /// A no-show can be corrected to served, since the clock may have closed the call of a person who came late.
    ///
    /// # Errors
    /// In every other state, if there is no such registration, and for a no-show before [`NO_SHOW_CALLS`] calls and
    /// [`NO_SHOW_AFTER`] the first one.
    pub fn close_call(&mut self, id: RegistrationId, served: bool, now: DateTime<Utc>) -> Result<bool, QueueRefusal> {
        let result = self.end_call(id, served, now);
        // Afterwards, so that the clock does not decide about a person for whom the desk just did.
        self.settle(now);
        result
    }

    fn end_call(&mut self, id: RegistrationId, served: bool, now: DateTime<Utc>) -> Result<bool, QueueRefusal> {
        let (position, state) = self.find(id)?;
        let may_be_no_show = self
            .entry(id)
            .and_then(|entry| entry.call)
            .is_none_or(|call| call.times >= NO_SHOW_CALLS || now >= later(call.first_at, NO_SHOW_AFTER));
        let (after, kind, notification) = match (state, served) {
            (Called | NoShow, true) => (Served, reception_events::SERVED, None),
            (Called, false) if may_be_no_show => (NoShow, EventKind::CHANGED, Some(notification::RECEPTION_CHANGED)),
            (Served, true) | (NoShow, false) => return Ok(false),
            (other, _) => return Err(QueueRefusal::WrongState(other)),
        };
        self.update(position, |entry| (entry.state, entry.closed_at) = (after, Some(now)));
        self.changed(position, kind, notification);
        Ok(true)
    }
}
