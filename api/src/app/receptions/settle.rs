//! Does what time alone does to receptions: ends offers, offers slots on, starts receptions, closes calls.

use entities::ids::ReceptionId;

use crate::{
    app::{App, CommandError, receptions::locked::LockedReception},
    store::job_leases::{JobError, Lease},
};

impl App {
    /// Settles a reception as of now, in one transaction with the end of its job.
    ///
    /// # Errors
    /// When the lease is lost or the database fails.
    pub async fn settle_reception(&self, lease: &Lease, id: ReceptionId) -> Result<(), JobError> {
        let now = self.now();
        let tx = self.store.begin_fenced(lease).await?;
        match LockedReception::lock(self, tx, id, now).await {
            Ok(mut locked) => {
                locked.settle();
                locked.save_and_finish(self, lease).await
            }
            Err(CommandError::Store(error)) => Err(error.into()),
            // The reception is gone, or belongs to a later version. `Runner` deletes the job.
            Err(_) => Ok(()),
        }
    }
}
