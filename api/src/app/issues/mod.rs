//! Commands on problem issues (p. 3.5, 5): raise, assign, plan, fund, report, resolve.

mod assign;
mod confirm;
mod feed;
mod follow;
mod fund;
mod locked;
mod merge;
mod outcome;
mod permit;
mod plan;
mod raise;
mod reads;
mod release;
mod report;
mod requests;
mod sources;
mod view;

pub use assign::AssignIssue;
pub use feed::IssueTopic;
pub use fund::FundingInput;
pub(in crate::app) use locked::Recorded;
pub use raise::RaiseIssue;
pub(in crate::app) use raise::RaisePermit;
pub use reads::OwnPart;
pub use report::ReportProgress;
pub use requests::{RecordRequests, RecordedRequest, SubmitRequest};
pub use sources::SourceId;

use chrono::NaiveDate;
use entities::{enums::IssueState, issue, issue_person, kato::KatoCode};

use crate::{
    app::{
        App, CommandError, Rejection,
        rejection::{BlockingState, Invalid},
    },
    domain::{
        agencies::agency_id,
        feed::{Audience, EventKind, FilterValues, NewEvent},
        issues::{Confirmations, IssueRefusal, furthest_due, is_unsatisfied},
        region_letters::letters_of,
    },
};

/// The state that commands on a merged issue are rejected with.
const MERGED: &str = "MERGED";

/// Returns the rejection of a command that the issue's state does not allow.
const fn wrong_issue_state(state: &'static str) -> Rejection {
    Rejection::WrongState(BlockingState { object: "issue", aspect: "state", state })
}

impl From<IssueRefusal> for CommandError {
    fn from(refusal: IssueRefusal) -> Self {
        match refusal {
            IssueRefusal::WrongState(state) => wrong_issue_state(state.as_str()),
            IssueRefusal::OpenSteps(steps) => Rejection::OpenSteps { steps },
        }
        .into()
    }
}

/// Returns the event of a change, for everybody and the body that is responsible now.
fn issue_event(row: &issue::Model, kind: EventKind) -> NewEvent {
    NewEvent {
        subject: row.id.0,
        kind,
        public_kind: Some(kind),
        audience: Audience::Everyone,
        actor: None,
        filter_values: FilterValues {
            region: row.region_code.parse().ok(),
            agency: row.responsible.as_deref().map(|code| agency_id(code).0),
        },
    }
}

/// Returns the last event that a body is shown of an issue that is assigned away from it.
fn assigned_away(row: &issue::Model, before: &str, kind: EventKind) -> NewEvent {
    let event = issue_event(row, kind);
    let filter_values = FilterValues { agency: Some(agency_id(before).0), ..event.filter_values };
    NewEvent { public_kind: None, audience: Audience::Agency, filter_values, ..event }
}

impl App {
    /// Returns the letters of the numbers of a unit that exists today.
    fn letters_of_region(&self, region: KatoCode) -> Result<String, Rejection> {
        let unknown = Rejection::Invalid { field: "region", why: Invalid::UnknownRegion };
        self.tree().get(region).map(|_| letters_of(region)).ok_or(unknown)
    }
}

/// Checks that a day is neither past nor too far ahead.
fn check_due(field: &'static str, day: NaiveDate, today: NaiveDate) -> Result<(), Rejection> {
    let furthest = furthest_due(today);
    if today <= day && day <= furthest {
        return Ok(());
    }
    Err(Rejection::Invalid { field, why: Invalid::Dates { from: today, to: furthest } })
}

/// Returns the deadline of an issue; `None` if it was merged into another, whose deadline counts.
#[must_use]
pub const fn own_deadline(row: &issue::Model) -> Option<NaiveDate> {
    if is_merged(row) { None } else { row.deadline }
}

/// Returns whether an issue has been merged into another.
const fn is_merged(row: &issue::Model) -> bool {
    row.merged_into.is_some()
}

/// Counts what those from whose words an issue was raised say of its outcome, and returns whether staff has to look again.
fn confirmations<'a>(people: impl IntoIterator<Item = &'a issue_person::Model>) -> (Confirmations, bool) {
    let raised: Vec<_> = people.into_iter().filter(|row| row.raised).collect();
    let counts = Confirmations::of(raised.iter().filter_map(|row| row.satisfied));
    (counts, is_unsatisfied(i32::try_from(raised.len()).unwrap_or(i32::MAX), counts))
}

/// Returns whether people may say whether they are satisfied.
const fn awaits_answers(row: &issue::Model) -> bool {
    matches!(row.state, IssueState::Resolved) && !is_merged(row)
}
