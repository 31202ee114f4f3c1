//! Problem issues (p. 3.5, 5): their states, plans, numbers, reports, and what people say of the outcome.

mod confirmation;
mod history;
mod number;
mod plan;
mod quarter;
#[cfg(test)]
mod tests;

use chrono::{Datelike as _, NaiveDate};
use entities::enums::IssueState;

pub use self::{
    confirmation::{Confirmations, is_unsatisfied},
    history::{Author, DESCRIPTION, FieldChange, acting_as, audit_action},
    number::{issue_number, parse_number, request_number},
    plan::{PlanChange, Step, WantedStep, open_steps, replace_plan},
    quarter::Quarter,
};

/// The longest title, in characters.
pub const MAX_TITLE_LENGTH: usize = 200;
/// The longest description, report, resolution or request, in characters.
pub const MAX_TEXT_LENGTH: usize = 10_000;
/// The longest reason, source of money, comment or action, in characters.
pub const MAX_NOTE_LENGTH: usize = 1_000;
/// The most sources of an issue.
pub const MAX_SOURCES: usize = 200;
/// The most steps of a plan, struck ones not counted.
pub const MAX_STEPS: usize = 100;
/// The most issues that are merged at once.
pub const MAX_MERGED: usize = 50;
/// The furthest that deadlines and steps may lie ahead, in years.
pub const MAX_YEARS_AHEAD: u32 = 10;

/// What changes an issue, as far as its state decides about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transition {
    /// A body becomes responsible, or gets another deadline.
    Assign {
        /// Whether the body was responsible already.
        same_body: bool,
    },
    /// The plan is replaced.
    Plan,
    /// A step of the plan is done.
    CompleteStep,
    /// A maslikhat session decides about money.
    Fund,
    /// Progress is reported.
    Report,
    /// It is solved.
    Resolve {
        /// Number of steps that are neither done nor struck.
        open_steps: usize,
    },
    /// It is declined.
    Decline,
    /// It is taken up again.
    Reopen {
        /// Whether a body is responsible.
        is_assigned: bool,
    },
}

/// Why an issue cannot change so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IssueRefusal {
    /// The state does not allow it.
    WrongState(IssueState),
    /// Steps of the plan are open.
    OpenSteps(usize),
}

/// Returns the state after a change.
///
/// # Errors
/// When the state, or an open step, does not allow the change.
pub const fn next_state(state: IssueState, change: Transition) -> Result<IssueState, IssueRefusal> {
    use IssueState::{Assigned, Declined, InProgress, Registered, Resolved};
    match (change, state) {
        (Transition::Assign { same_body: true }, InProgress)
        | (Transition::Plan | Transition::Report, Assigned | InProgress)
        | (Transition::CompleteStep, InProgress) => Ok(InProgress),
        (Transition::Assign { .. }, Registered | Assigned | InProgress) => Ok(Assigned),
        (Transition::Fund, Registered | Assigned | InProgress) => Ok(state),
        (Transition::Resolve { open_steps: 1.. }, Assigned | InProgress) => {
            let Transition::Resolve { open_steps } = change else { return Ok(state) };
            Err(IssueRefusal::OpenSteps(open_steps))
        }
        (Transition::Resolve { .. }, Assigned | InProgress) => Ok(Resolved),
        (Transition::Decline, Registered | Assigned | InProgress) => Ok(Declined),
        (Transition::Reopen { is_assigned: true }, Resolved | Declined) => Ok(Assigned),
        (Transition::Reopen { is_assigned: false }, Resolved | Declined) => Ok(Registered),
        _ => Err(IssueRefusal::WrongState(state)),
    }
}

/// Returns whether an issue still has to be solved.
#[must_use]
pub const fn is_open(state: IssueState) -> bool {
    matches!(state, IssueState::Registered | IssueState::Assigned | IssueState::InProgress)
}

/// Returns whether the deadline of an open issue has passed. A deadline is met until the end of its day. An issue that was merged into
/// another has none: the caller passes `None`.
#[must_use]
pub fn is_overdue(state: IssueState, deadline: Option<NaiveDate>, today: NaiveDate) -> bool {
    is_open(state) && deadline.is_some_and(|deadline| deadline < today)
}

/// Returns the date by which issues are ordered: the deadline while it is open, else the last of all.
#[must_use]
pub fn urgent_by(state: IssueState, deadline: Option<NaiveDate>) -> NaiveDate {
    let last = NaiveDate::from_ymd_opt(9999, 12, 31).unwrap_or(NaiveDate::MAX);
    deadline.filter(|_| is_open(state)).unwrap_or(last)
}

/// Returns the last day on which something may be due.
#[must_use]
pub fn furthest_due(today: NaiveDate) -> NaiveDate {
    let years = i32::try_from(MAX_YEARS_AHEAD).unwrap_or(0);
    NaiveDate::from_ymd_opt(today.year().saturating_add(years), 12, 31).unwrap_or(today)
}
