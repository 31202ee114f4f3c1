//! Rules of personal receptions (p. 3.5): slots, the waiting line, offers, and the order of calls.

mod calls;
mod forecast;
mod free_slots;
mod offers;
mod queue;
mod reads;
mod reschedule;
mod schedule;
#[cfg(test)]
mod tests;

use chrono::{DateTime, TimeDelta, Utc};
use entities::{
    enums::{ReceptionHostRole, RegistrationState},
    ids::RegistrationId,
};

use crate::domain::feed::EventKind;

pub use queue::Queue;
pub use schedule::{MAX_SLOTS, Schedule, Slot};

/// Periods of the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Periods {
    /// How long an offer of a freed slot holds. Less than a second counts as a second.
    pub offer: TimeDelta,
}

/// How long before its start a slot must still be offered, beside the time of the offer itself.
pub const OFFER_LEAD: TimeDelta = TimeDelta::minutes(30);
/// How long a freed slot is kept from free choice, so that people cannot trade it.
pub const FREED_HOLD: TimeDelta = TimeDelta::minutes(2);
/// Calls after which a person who has not come is a no-show.
pub const NO_SHOW_CALLS: i32 = 3;
/// Time after the first call after which staff may close it as a no-show, and after the last one before the clock does.
pub const NO_SHOW_AFTER: TimeDelta = TimeDelta::minutes(5);
/// Booked people who are called in a row while a walk-in waits. The next is a walk-in.
pub const BOOKED_IN_A_ROW: i32 = 2;

/// A registration, as the rules see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its id.
    pub id: RegistrationId,
    /// Number of the ticket: the order of registration.
    pub number: i32,
    /// The state.
    pub state: RegistrationState,
    /// Whether staff entered a person who came without a registration.
    pub is_walk_in: bool,
    /// The slot that is or was held or offered.
    pub slot: Option<Slot>,
    /// Order in the waiting line. Negative for those whom a change of the schedule put before all others.
    pub place: i32,
    /// End of the offer. Only while a slot is offered.
    pub offer_expires_at: Option<DateTime<Utc>>,
    /// When the slot was given up. Only with the slot of a cancelled registration.
    pub freed_at: Option<DateTime<Utc>>,
    /// The last call.
    pub call: Option<Call>,
    /// When the visit ended.
    pub closed_at: Option<DateTime<Utc>>,
}

/// The call of a person to a desk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// The desk.
    pub desk: i32,
    /// When the person was first called.
    pub first_at: DateTime<Utc>,
    /// When the person was last called.
    pub last_at: DateTime<Utc>,
    /// How often.
    pub times: i32,
}

/// What a reception counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Number of the newest ticket.
    pub last_number: i32,
    /// Newest place in the waiting line.
    pub last_place: i32,
    /// Booked people called in a row while a walk-in waited.
    pub booked_in_a_row: i32,
}

/// A change of a registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The registration.
    pub id: RegistrationId,
    /// How, for the feed of receptions.
    pub kind: EventKind,
    /// The notification to the person, if there is one.
    pub notification: Option<EventKind>,
}

/// Why a command is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueRefusal {
    /// No slot of the reception starts then, or it has started.
    NotASlot,
    /// The chosen slot is not free, but others are.
    SlotTaken,
    /// No slot is free.
    Full,
    /// The offer has ended.
    OfferExpired,
    /// There is nobody to call.
    NobodyDue,
    /// The state of the registration does not allow it.
    WrongState(RegistrationState),
    /// There is no such desk.
    NoSuchDesk {
        /// How many desks there are, counted from 1.
        desks: i32,
    },
    /// There is no such registration.
    UnknownEntry,
}

impl Entry {
    /// Returns the slot that nobody else can have because of this registration.
    fn held_slot(&self) -> Option<Slot> {
        use RegistrationState::{Booked, Called, NoShow, Offered, Served, Unknown};
        self.slot.filter(|_| matches!(self.state, Offered | Booked | Called | Served | NoShow | Unknown))
    }

    /// Returns whether it waits in line for a slot.
    fn is_in_line(&self) -> bool {
        self.state == RegistrationState::Waiting && !self.is_walk_in
    }

    /// Returns when its offer ends. An offer without a slot or an end is over.
    fn offer_end(&self) -> Option<DateTime<Utc>> {
        let end = self.slot.and(self.offer_expires_at).unwrap_or(DateTime::<Utc>::MIN_UTC);
        (self.state == RegistrationState::Offered).then_some(end)
    }

    /// Returns when the clock closes its call as a no-show, which it never does after one call: a person who is at the
    /// desk is not called again.
    fn call_end(&self) -> Option<DateTime<Utc>> {
        let call = self.call.filter(|call| call.times >= 2 && self.state == RegistrationState::Called)?;
        Some(later(call.last_at, NO_SHOW_AFTER))
    }
}

/// Returns the text of a ticket, such as `A-07`.
#[must_use]
pub fn ticket(letter: &str, number: i32) -> String {
    format!("{letter}-{number:02}")
}

/// Returns the letter of the n-th reception of a day and place, counted from 0: `A` to `Z`, then `AA`.
#[must_use]
pub fn letter(nth: i32) -> String {
    let mut rest = u32::try_from(nth).unwrap_or_default();
    let mut letters = Vec::new();
    loop {
        letters.push(char::from_digit(rest % 26 + 10, 36).unwrap_or('a').to_ascii_uppercase());
        match (rest / 26).checked_sub(1) {
            Some(next) => rest = next,
            None => return letters.iter().rev().collect(),
        }
    }
}

/// Returns the roles of the hosts whom the decree names (p. 3.5).
#[must_use]
pub const fn required_hosts() -> &'static [ReceptionHostRole] {
    &[
        ReceptionHostRole::LocalExecutive,
        ReceptionHostRole::Prosecutor,
        ReceptionHostRole::Police,
        ReceptionHostRole::MaslikhatDeputy,
        ReceptionHostRole::PublicCouncil,
        ReceptionHostRole::Intelligentsia,
    ]
}

/// Adds a period to a time. A sum beyond the last time is the last time.
fn later(at: DateTime<Utc>, period: TimeDelta) -> DateTime<Utc> {
    at.checked_add_signed(period).unwrap_or(DateTime::<Utc>::MAX_UTC)
}
