//! What is missing before something can be published, item by item.

use chrono::{DateTime, Utc};
use entities::{
    enums::{FundingDecision, IssueState, PublicationKind, ReceptionState},
    ids::IssueId,
};

use crate::domain::{issues::is_open, period::Period};

/// A part that a publication needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// A responsible body.
    Responsible,
    /// A deadline.
    Deadline,
    /// A plan, with executors and dates.
    Plan,
    /// The decision of the maslikhat about the money.
    Funding,
    /// The end of a reception.
    Reception,
    /// A report on the period, or an outcome.
    Explanation,
}

impl Part {
    /// Returns the name in the public API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Responsible => "RESPONSIBLE",
            Self::Deadline => "DEADLINE",
            Self::Plan => "PLAN",
            Self::Funding => "FUNDING",
            Self::Reception => "RECEPTION",
            Self::Explanation => "EXPLANATION",
        }
    }
}

/// A part that is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingPart {
    /// The part.
    pub what: Part,
    /// What lacks it.
    pub about: MissingAbout,
    /// The period for which it is missing.
    pub period: Option<Period>,
}

/// What lacks a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MissingAbout {
    /// An issue.
    Issue {
        /// Its id.
        id: IssueId,
        /// Its number.
        number: String,
        /// Code of its unit.
        region: String,
    },
    /// A reception.
    Reception {
        /// Code of the host.
        host: String,
        /// Code of the unit where it is held.
        region: String,
        /// When it begins.
        starts_at: DateTime<Utc>,
    },
}

/// What the rules ask of an issue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssueFacts {
    /// Its id.
    pub id: IssueId,
    /// Its number.
    pub number: String,
    /// Code of its unit.
    pub region: String,
    /// The state.
    pub state: IssueState,
    /// Whether a body is responsible.
    pub is_assigned: bool,
    /// Whether it has a deadline.
    pub has_deadline: bool,
    /// Whether it has a step that is not struck.
    pub has_plan: bool,
    /// The decision about the money.
    pub funding: Option<FundingDecision>,
    /// Whether there is a report on the period.
    pub has_report: bool,
}

/// Returns the parts that an issue lacks. An issue with an outcome lacks only what it must have had before: nobody can plan or fund it
/// any more, and one that was declined may never have had a body.
#[must_use]
pub fn missing_of_issue(kind: PublicationKind, issue: &IssueFacts) -> Vec<Part> {
    let is_decided =
        matches!(issue.funding, Some(FundingDecision::NotNeeded | FundingDecision::Funded | FundingDecision::Refused));
    let is_open = is_open(issue.state);
    let is_declined = issue.state == IssueState::Declined;
    let responsible = (Part::Responsible, is_declined || issue.is_assigned);
    let deadline = (Part::Deadline, is_declined || issue.has_deadline);
    let plan = (Part::Plan, !is_open || issue.has_plan);
    let funding = (Part::Funding, !is_open || is_decided);
    let explanation = (Part::Explanation, !is_open || issue.has_report);
    let parts = match kind {
        PublicationKind::MeetingResults => vec![responsible, deadline, plan, funding],
        PublicationKind::Progress => vec![explanation],
        PublicationKind::AgencyList => vec![plan],
        PublicationKind::CentralList => vec![responsible],
        PublicationKind::Calendar | PublicationKind::Unknown => Vec::new(),
    };
    parts.into_iter().filter(|(_, is_there)| !is_there).map(|(part, _)| part).collect()
}

/// Returns whether the results of a meeting wait for a reception: until it is closed or cancelled. A draft is no reception yet.
#[must_use]
pub const fn missing_of_reception(state: ReceptionState) -> bool {
    !matches!(state, ReceptionState::Draft | ReceptionState::Closed | ReceptionState::Cancelled)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn bare(state: IssueState) -> IssueFacts {
        IssueFacts {
            id: IssueId(Uuid::nil()),
            number: "ALM-2026-000001".to_owned(),
            region: "751110000".to_owned(),
            state,
            is_assigned: false,
            has_deadline: false,
            has_plan: false,
            funding: None,
            has_report: false,
        }
    }

    #[test]
    fn each_kind_names_what_an_open_issue_lacks() {
        use Part::{Deadline, Explanation, Funding, Plan, Responsible};
        let all: [(PublicationKind, &[Part]); 5] = [
            (PublicationKind::MeetingResults, &[Responsible, Deadline, Plan, Funding]),
            (PublicationKind::Progress, &[Explanation]),
            (PublicationKind::AgencyList, &[Plan]),
            (PublicationKind::CentralList, &[Responsible]),
            (PublicationKind::Calendar, &[]),
        ];
        for state in [IssueState::Registered, IssueState::Assigned, IssueState::InProgress] {
            for (kind, parts) in all {
                assert_eq!(missing_of_issue(kind, &bare(state)), parts, "{kind:?} {state:?}");
                let complete = IssueFacts {
                    is_assigned: true,
                    has_deadline: true,
                    has_plan: true,
                    funding: Some(FundingDecision::Refused),
                    has_report: true,
                    ..bare(state)
                };
                assert!(missing_of_issue(kind, &complete).is_empty(), "{kind:?} {state:?}");
            }
        }
        for undecided in [None, Some(FundingDecision::Pending), Some(FundingDecision::Unknown)] {
            let facts = IssueFacts { funding: undecided, ..bare(IssueState::Assigned) };
            assert!(missing_of_issue(PublicationKind::MeetingResults, &facts).contains(&Funding), "{undecided:?}");
        }
    }

    #[test]
    fn an_outcome_takes_the_place_of_plan_money_and_report() {
        for kind in PublicationKind::ALL {
            assert!(missing_of_issue(*kind, &bare(IssueState::Declined)).is_empty(), "{kind:?}");
            let resolved = IssueFacts { is_assigned: true, has_deadline: true, ..bare(IssueState::Resolved) };
            assert!(missing_of_issue(*kind, &resolved).is_empty(), "{kind:?}");
        }
    }

    #[test]
    fn an_open_reception_keeps_results_back() {
        for state in ReceptionState::ALL {
            let is_over = matches!(state, ReceptionState::Draft | ReceptionState::Closed | ReceptionState::Cancelled);
            assert_eq!(missing_of_reception(*state), !is_over, "{state:?}");
        }
    }
}
