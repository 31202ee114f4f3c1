//! Calls people to desks, and ends their visits.

use entities::{
    enums::ReceptionState,
    ids::{ReceptionId, RegistrationId},
    registration,
};

use crate::{
    app::{App, CommandError, input::checked_text, receptions::wrong_registration_state},
    domain::{feed::EventKind, policy, text::is_blank, viewer::Viewer},
};

/// The longest outcome of a visit, in characters.
const MAX_OUTCOME_LENGTH: usize = 2_000;

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
        outcome: &str,
        served: bool,
    ) -> Result<registration::Model, CommandError> {
        let now = self.now();
        let permit = self.permit_registration_as_staff(viewer, id).await?;
        // Nothing need be said of a visit that was none.
        let is_given = served || !is_blank(outcome);
        let outcome = if is_given { Some(checked_text("outcome", outcome, MAX_OUTCOME_LENGTH)?) } else { None };
        let mut locked = self.begin_with_reception(&permit.reception, now).await?;
        // Without a topic it is erased. What would be written about the person now would never be.
        if locked.tx.registration(id).await?.is_none_or(|row| row.topic.is_empty()) {
            return Err(wrong_registration_state(permit.registration.state).into());
        }
        let closed = locked.queue.close_call(id, served, now)?;
        if let Some(outcome) = outcome.filter(|_| closed) {
            locked.tx.save_outcome(id, &outcome).await?;
        }
        locked.save_with(self, id).await
    }
}
