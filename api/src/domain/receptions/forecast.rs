//! Who is expected to be called when, by the order of calls and the pace of the reception so far.

use chrono::{DateTime, TimeDelta, Utc};
use entities::{
    enums::RegistrationState::{Booked, Called, Served},
    ids::RegistrationId,
};

use super::{Entry, Queue, calls::CallLines, later};
use crate::domain::announcement::date;

impl Queue {
    /// Returns the median time from the first call to the end of the visits so far; `None` before the first ends.
    #[must_use]
    pub fn service_time(&self) -> Option<TimeDelta> {
        let served = self.entries.iter().filter(|entry| entry.state == Served);
        let mut times: Vec<_> =
            served.filter_map(|entry| Some((entry.closed_at? - entry.call?.first_at).max(TimeDelta::zero()))).collect();
        times.sort_unstable();
        let upper = times.get(times.len() / 2).copied()?;
        let lower = times.get(times.len().saturating_sub(1) / 2).copied()?;
        Some(lower + (upper - lower) / 2)
    }

    /// Returns when a person is expected to be called: a booked one not before their slot, one on the waiting list only if
    /// their turn comes before the end of the reception. `None` for those who are not waited for or have an offer.
    #[must_use]
    pub fn estimated_at(&self, id: RegistrationId, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let (position, state) = self.find(id).ok()?;
        let entry = self.entry(id)?;
        let called = self.forecast(CallLines::new(self), self.first_call(now));
        let (_, at) = called.into_iter().find(|(called, _)| *called == position)?;
        match entry.slot {
            Some(slot) if state == Booked => Some(at.max(slot.starts_at)),
            _ if entry.is_in_line() => Some(at).filter(|at| *at < self.schedule.ends_at),
            _ => Some(at),
        }
    }

    /// Returns how long a walk-in who comes now is expected to wait; `None` before the day, and without desks.
    #[must_use]
    pub fn estimated_wait(&self, now: DateTime<Utc>) -> Option<TimeDelta> {
        if date(now) < date(self.schedule.starts_at) || self.schedule.desks < 1 {
            return None;
        }
        let (mut lines, newcomer) = (CallLines::new(self), self.entries.len());
        lines.push_walk_in(newcomer);
        let called = self.forecast(lines, self.first_call(now));
        let (_, at) = called.into_iter().find(|(called, _)| *called == newcomer)?;
        Some((at - now).max(TimeDelta::zero()))
    }

    /// Returns how many people will be called before a person.
    pub(super) fn place_in_calls(&self, id: RegistrationId) -> Option<usize> {
        let (position, _) = self.find(id).ok()?;
        let from = self.settled_at.map_or(DateTime::<Utc>::MAX_UTC, |at| self.first_call(at));
        self.forecast(CallLines::new(self), from).iter().position(|(called, _)| *called == position)
    }

    /// Calls everyone in turn, at the pace of the reception, and returns their positions with the times of their calls.
    fn forecast(&self, mut lines: CallLines, from: DateTime<Utc>) -> Vec<(usize, DateTime<Utc>)> {
        let (mut called, mut at) = (Vec::new(), from);
        let pace = self.visit_length() / self.schedule.desks.max(1);
        loop {
            if let Some(position) = lines.next(at) {
                called.push((position, at));
                at = later(at, pace);
            } else if let Some(start) = lines.next_start().filter(|start| *start > at) {
                at = start;
            } else {
                return called;
            }
        }
    }

    /// Returns when the next person can be called: once the reception has started and a desk is free.
    fn first_call(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let open: Vec<_> = self.entries.iter().filter(|entry| entry.state == Called).collect();
        let desks = usize::try_from(self.schedule.desks).unwrap_or_default();
        let end = |entry: &&Entry| entry.call.map(|call| later(call.first_at, self.visit_length()));
        let desk_free = if open.len() < desks { None } else { open.iter().filter_map(end).min() };
        now.max(self.schedule.starts_at).max(desk_free.unwrap_or(now))
    }

    /// Returns how long a visit is expected to take.
    fn visit_length(&self) -> TimeDelta {
        self.service_time().unwrap_or_else(|| self.schedule.slot_length())
    }
}
