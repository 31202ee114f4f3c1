//! Gives a webhook a new secret.

use entities::ids::WebhookId;

use crate::{
    app::{
        App, CommandError,
        webhooks::{
            Registered,
            secrets::{SecretColumn, current_secret, encrypt_secret},
        },
    },
    domain::{audit::WEBHOOK_SECRET_ROTATED, viewer::Viewer, webhooks::SECRET_OVERLAP},
};

impl App {
    /// Gives a webhook a new secret. Messages are signed with the former one too for some time.
    ///
    /// During that time, a further call replaces the new secret only: the caller may not have received it, so receivers may
    /// know only the former one.
    ///
    /// # Errors
    /// Rejected when there is no such webhook.
    pub async fn rotate_webhook_secret(&self, viewer: &Viewer, id: WebhookId) -> Result<Registered, CommandError> {
        let now = self.now();
        let permit = self.permit_webhook(viewer, id).await?;
        let tx = self.store.begin().await?;
        let before = self.lock_permitted_webhook(&tx, &permit).await?;
        let former = current_secret(&self.data_keys, &before)?;
        let mut registered = self.with_new_secret(before.clone())?;
        let row = &mut registered.row;
        if before.previous_secret_until.is_none_or(|until| until <= now) {
            row.previous_secret = Some(encrypt_secret(&self.data_keys, id, SecretColumn::Previous, &former)?);
            row.previous_secret_until = Some(now + SECRET_OVERLAP);
        }
        row.version = row.version.saturating_add(1);
        tx.save_webhook(&before, row).await?;
        let change = (WEBHOOK_SECRET_ROTATED, permit.subject);
        self.record_webhook_change(&tx, (&permit.owner, id), change, now).await?;
        self.commit(tx).await?;
        Ok(registered)
    }
}
