//! Assigns an issue to a body, with a deadline.

use chrono::NaiveDate;
use entities::{
    enums::{AgencyKind, IssueLevel},
    ids::IssueId,
    issue,
};

use crate::{
    app::{App, CommandError, input::check_version, issues::check_due},
    domain::{issue_events::ASSIGNED, issues::Transition, policy, viewer::Viewer},
};

/// Who is to solve an issue, and until when.
#[derive(Clone, Debug)]
pub struct AssignIssue {
    /// The issue.
    pub issue: IssueId,
    /// Code of the body.
    pub agency: String,
    /// Which bodies it needs; that of the body's kind by default.
    pub level: Option<IssueLevel>,
    /// The day by which it is to be solved.
    pub deadline: NaiveDate,
    /// The version that the caller has read.
    pub version: Option<i32>,
}

impl App {
    /// Assigns an issue to a body that exists today, with a deadline that is not past (p. 3.5).
    ///
    /// # Errors
    /// Rejected when the state, the body or the deadline does not allow it.
    pub async fn assign_issue(&self, viewer: &Viewer, command: AssignIssue) -> Result<issue::Model, CommandError> {
        let now = self.now();
        let permit = self.permit_issue::<policy::RunIssue>(viewer, command.issue).await?;
        let mut locked = self.begin_with_issue(&permit, now).await?;
        check_version(locked.issue.version, command.version)?;
        let today = locked.today();
        let AssignIssue { agency, level, deadline, .. } = command;
        let same_body = locked.issue.responsible.as_ref() == Some(&agency);
        let level = level.unwrap_or_else(|| self.level_of(&agency));
        if same_body && locked.issue.deadline == Some(deadline) && locked.issue.level == level {
            return Ok(locked.issue);
        }
        locked.transition(Transition::Assign { same_body })?;
        self.check_agency("agency", &agency, today)?;
        check_due("deadline", deadline, today)?;
        locked.issue.responsible = Some(agency);
        locked.issue.deadline = Some(deadline);
        locked.issue.level = level;
        locked.save(self, ASSIGNED).await
    }

    /// Returns the level of the issues of a body.
    fn level_of(&self, agency: &str) -> IssueLevel {
        match self.agencies().get(agency).map(|agency| agency.kind) {
            Some(AgencyKind::CentralBody | AgencyKind::NationalHolding | AgencyKind::NationalCompany) => {
                IssueLevel::Central
            }
            _ => IssueLevel::Local,
        }
    }
}
