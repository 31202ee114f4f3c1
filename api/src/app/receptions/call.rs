//! Calls people to desks, and ends their visits.

use chrono::{DateTime, Utc};
use entities::{
    enums::ReceptionState,
    ids::{IssueId, ReceptionId, RegistrationId},
    registration,
};

use crate::{
    app::{
        App, CommandError,
        input::checked_text,
        issues::{RaiseIssue, RaisePermit, SourceId},
        receptions::wrong_registration_state,
    },
    domain::{feed::EventKind, policy, text::is_blank, viewer::Viewer},
};

/// The longest outcome of a visit, in characters.
const MAX_OUTCOME_LENGTH: usize = 2_000;

/// How a visit ends.
#[derive(Clone, Debug)]
pub struct Visit {
    /// What came of it.
    pub outcome: String,
    /// Whether the person was received.
    pub served: bool,
    /// An issue to raise from it.
    pub raise_issue: Option<RaiseIssue>,
}

impl App {
    /// Calls the next person to a desk. A desk with an open call gets the same person again.
    ///
    /// # Errors
    /// Rejected when nobody is due, or the reception is not open.
    pub async fn call_next(
        &self,
        viewer: &Viewer,
        id: ReceptionId,
        desk: i32,
    ) -> Result<registration::Model, CommandError> {
        let now = self.now();
        let permit = self.permit_reception::<policy::RunReception>(viewer, id).await?;
        let mut locked = self.begin_with_reception(&permit, now).await?;
        locked.check_open()?;
        let called = locked.queue.call_next(desk, now)?;
        if locked.reception.state == ReceptionState::Open {
            locked.set_state(ReceptionState::Running, EventKind::CHANGED);
        }
        locked.save_with(self, called).await
    }

    /// Calls a person once more.
    ///
    /// # Errors
    /// Rejected when the person is not called.
    pub async fn recall_registration(
        &self,
        viewer: &Viewer,
        id: RegistrationId,
    ) -> Result<registration::Model, CommandError> {
        let now = self.now();
        let permit = self.permit_registration_as_staff(viewer, id).await?;
        let mut locked = self.begin_with_reception(&permit.reception, now).await?;
        locked.check_open()?;
        locked.queue.recall(id, now)?;
        locked.save_with(self, id).await
    }

    /// Ends the visit of a called person with its outcome, or notes that the person did not come.
    ///
    /// # Errors
    /// Rejected when the person is not called, or is called a no-show too early.
    pub async fn close_registration(
        &self,
        viewer: &Viewer,
        id: RegistrationId,
        visit: &Visit,
    ) -> Result<registration::Model, CommandError> {
        let now = self.now();
        let permit = self.permit_registration_as_staff(viewer, id).await?;
        let Visit { outcome, served, raise_issue } = visit;
        // Nothing need be said of a visit that was none.
        let is_given = *served || !is_blank(outcome);
        let outcome = if is_given { Some(checked_text("outcome", outcome, MAX_OUTCOME_LENGTH)?) } else { None };
        let raise = match raise_issue {
            Some(command) => Some(self.permit_raise_from_visit(viewer, command, id, now).await?),
            None => None,
        };
        let mut locked = self.begin_with_reception(&permit.reception, now).await?;
        // Without a topic it is erased. What would be written about the person now would never be.
        if locked.tx.registration(id).await?.is_none_or(|row| row.topic.is_empty()) {
            return Err(wrong_registration_state(permit.registration.state).into());
        }
        let closed = locked.queue.close_call(id, *served, now)?;
        if let Some(outcome) = outcome.filter(|_| closed) {
            locked.tx.save_outcome(id, &outcome).await?;
        }
        if let Some(raise) = raise {
            // A repeated call raises no second issue.
            let is_raised = !locked.tx.sources_in_use(&[id.0]).await?.is_empty();
            if closed || !is_raised {
                (_, locked.also_recorded) = self.write_raised(&locked.tx, raise, now).await?;
            }
        }
        locked.save_with(self, id).await
    }

    /// Authorises an issue that is raised from a visit.
    async fn permit_raise_from_visit(
        &self,
        viewer: &Viewer,
        command: &RaiseIssue,
        visit: RegistrationId,
        now: DateTime<Utc>,
    ) -> Result<RaisePermit, CommandError> {
        let mut command = command.clone();
        command.sources.insert(0, SourceId::Registration(visit));
        self.permit_raise(viewer, &command, IssueId(self.ids.next(now)), now).await
    }
}
