//! Removes a webhook.

use entities::{ids::WebhookId, webhook};

use crate::{
    app::{App, CommandError},
    domain::{audit::WEBHOOK_REMOVED, viewer::Viewer},
};

impl App {
    /// Removes a webhook with its deliveries. Returns it as it was.
    ///
    /// # Errors
    /// Rejected when there is no such webhook.
    pub async fn remove_webhook(&self, viewer: &Viewer, id: WebhookId) -> Result<webhook::Model, CommandError> {
        let now = self.now();
        let permit = self.permit_webhook(viewer, id).await?;
        let tx = self.store.begin().await?;
        let row = self.lock_permitted_webhook(&tx, &permit).await?;
        tx.delete_webhook(id).await?;
        self.record_webhook_change(&tx, (&permit.owner, id), (WEBHOOK_REMOVED, permit.subject), now).await?;
        self.commit(tx).await?;
        Ok(row)
    }
}
