//! Commands on personal receptions (p. 3.5): prepare, open, register, call, close.

mod call;
mod draft;
mod erase;
mod feed;
mod locked;
mod offer;
mod open;
mod permit;
mod reads;
mod register;
mod registration_batch;
mod settle;
mod update;
mod validation;
mod walk_in;

pub use call::Visit;
pub use feed::{ReceptionFilter, ReceptionSubject, ReceptionTopic};
pub use locked::SETTLE_JOB;
pub use open::OpenReception;
pub use register::Register;
pub(in crate::app) use registration_batch::PendingRegistration;
pub use update::UpdateReception;
pub use validation::ReceptionHost;
pub use walk_in::RegisterWalkIn;

use chrono::TimeDelta;
use entities::{
    enums::{ReceptionState, RegistrationState},
    reception,
};

use crate::{
    app::{
        CommandError, Rejection,
        rejection::{BlockingState, Invalid},
    },
    domain::{
        feed::{Audience, EventKind, FilterValues, NewEvent},
        receptions::{QueueRefusal, Schedule},
    },
};

/// The settings of receptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceptionRules {
    /// How long an offer of a freed slot holds.
    pub offer: TimeDelta,
    /// Days within which a person may be received once by a host; 0 switches the rule off.
    pub days_between: u32,
}

impl Default for ReceptionRules {
    fn default() -> Self {
        Self { offer: TimeDelta::minutes(10), days_between: 0 }
    }
}

/// Returns the rejection of a command that the reception's state does not allow.
const fn wrong_reception_state(state: ReceptionState) -> Rejection {
    Rejection::WrongState(BlockingState { object: "reception", aspect: "state", state: state.as_str() })
}

/// Returns the rejection of a command that the registration's state does not allow.
const fn wrong_registration_state(state: RegistrationState) -> Rejection {
    Rejection::WrongState(BlockingState { object: "registration", aspect: "state", state: state.as_str() })
}

impl From<QueueRefusal> for CommandError {
    fn from(refusal: QueueRefusal) -> Self {
        match refusal {
            QueueRefusal::NotASlot => Rejection::Invalid { field: "slotStartsAt", why: Invalid::NotASlot },
            QueueRefusal::SlotTaken => Rejection::SlotTaken,
            QueueRefusal::Full => Rejection::Full,
            QueueRefusal::OfferExpired => Rejection::OfferExpired,
            QueueRefusal::NobodyDue => Rejection::NotFound { field: "receptionId" },
            QueueRefusal::NoSuchDesk { desks } => {
                Rejection::Invalid { field: "desk", why: Invalid::Range { min: 1, max: i64::from(desks) } }
            }
            QueueRefusal::UnknownEntry => Rejection::NotFound { field: "registrationId" },
            QueueRefusal::WrongState(state) => wrong_registration_state(state),
        }
        .into()
    }
}

/// Returns when and where a reception receives people.
const fn schedule(row: &reception::Model) -> Schedule {
    Schedule { starts_at: row.starts_at, ends_at: row.ends_at, slot_minutes: row.slot_minutes, desks: row.desks }
}

/// Returns an event about a reception as a whole. Events of drafts are for staff.
fn reception_event(row: &reception::Model, kind: EventKind) -> NewEvent {
    event(row, row.id.0, kind)
}

/// Returns an event of the feed. It does not name who did it: that is the person of a registration, whose name may be erased.
fn event(row: &reception::Model, subject: uuid::Uuid, kind: EventKind) -> NewEvent {
    NewEvent {
        subject,
        kind,
        public_kind: (row.opened_at.is_some()).then_some(kind),
        audience: Audience::Everyone,
        actor: None,
        filter_values: FilterValues { region: row.region_code.parse().ok(), agency: None },
    }
}
