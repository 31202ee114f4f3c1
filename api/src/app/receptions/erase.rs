//! Erases the personal data of an applicant.

use chrono::{DateTime, Utc};
use entities::{ids::RegistrationId, registration};

use crate::{
    app::{App, CommandError, receptions::permit::RegistrationPermit},
    domain::{
        audit::{APPLICANT_ERASED, NewAuditEntry},
        viewer::Viewer,
    },
};

impl App {
    /// Erases name, phone and IIN of an applicant, with the texts of the registration, by the person or the reception's
    /// staff. The ticket and its state stay. A registration that may still lead to a visit is cancelled first.
    ///
    /// # Errors
    /// Rejected while the person is at a desk.
    pub async fn erase_applicant(
        &self,
        viewer: &Viewer,
        id: RegistrationId,
    ) -> Result<registration::Model, CommandError> {
        let now = self.now();
        let permit = self.permit_registration(viewer, id).await?;
        let mut locked = self.begin_with_reception(&permit.reception, now).await?;
        locked.settle();
        if locked.has_active(id) {
            locked.queue.cancel(id, now)?;
        }
        // In this order, as the job of the retention locks them.
        if self.erase_personal_data(&locked.tx, id, now).await? {
            locked.audit.push(self.erasure_entry(&permit, now)?);
            locked.also_changed.push(id);
        }
        // A repeated erasure changes nothing.
        if !locked.audit.is_empty() {
            locked.tx.erase_registration_texts(&[id]).await?;
        }
        locked.save_with(self, id).await
    }

    fn erasure_entry(
        &self,
        permit: &RegistrationPermit<'_>,
        now: DateTime<Utc>,
    ) -> Result<NewAuditEntry, CommandError> {
        let viewer = permit.reception.viewer;
        let person = viewer.person().ok_or(CommandError::Unauthenticated)?;
        let actor = self.audit_actor(viewer, person, &permit.reception.host);
        Ok(self.applicant_entry(APPLICANT_ERASED, actor, permit.registration.id, now))
    }
}
