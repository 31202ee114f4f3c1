//! Gives up registrations, and accepts offers of freed slots.

use entities::{ids::RegistrationId, registration};

use crate::{
    app::{App, CommandError},
    domain::viewer::Viewer,
};

impl App {
    /// Cancels a registration, by its person or the reception's staff. Its slot goes to the next in line.
    ///
    /// # Errors
    /// Rejected when the person was called already.
    pub async fn cancel_registration(
        &self,
        viewer: &Viewer,
        id: RegistrationId,
    ) -> Result<registration::Model, CommandError> {
        let now = self.now();
        let permit = self.permit_registration(viewer, id).await?;
        let mut locked = self.begin_with_reception(&permit.reception, now).await?;
        locked.queue.cancel(id, now)?;
        locked.save_with(self, id).await
    }

    /// Accepts the offer of a slot, by its person. A second time gives the same slot.
    ///
    /// # Errors
    /// Rejected when the offer has ended.
    pub async fn accept_offer(&self, viewer: &Viewer, id: RegistrationId) -> Result<registration::Model, CommandError> {
        let now = self.now();
        let permit = self.permit_registration(viewer, id).await?;
        if !permit.is_own {
            return Err(CommandError::Forbidden);
        }
        let mut locked = self.begin_with_reception(&permit.reception, now).await?;
        locked.check_open()?;
        locked.queue.accept_offer(id, now)?;
        locked.save_with(self, id).await
    }
}
