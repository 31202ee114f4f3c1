//! Who may do what with a webhook, from reads without a lock.

use entities::{ids::WebhookId, webhook};

use crate::{
    app::{App, CommandError, Rejection},
    domain::{
        policy::{Action as _, ManageWebhook, WebhookOwner, webhook_scope},
        viewer::Viewer,
    },
    store::Tx,
};

/// Proof that a viewer may change a webhook.
pub(super) struct WebhookPermit<'v> {
    /// The webhook as read.
    pub(super) row: webhook::Model,
    pub(super) owner: WebhookOwner,
    pub(super) subject: &'v str,
}

impl App {
    /// Authorises a command on a webhook. Those of others are not found.
    pub(super) async fn permit_webhook<'v>(
        &self,
        viewer: &'v Viewer,
        id: WebhookId,
    ) -> Result<WebhookPermit<'v>, CommandError> {
        let subject = viewer.subject().ok_or(CommandError::Unauthenticated)?;
        // Whoever can have no webhook learns nothing about ids.
        webhook_scope(viewer)?;
        let row = self.store.webhooks_by_id(&[id]).await?.pop().ok_or_else(missing)?;
        let owner = self.webhook_owner(&row)?;
        if !ManageWebhook::permits(viewer, &owner) {
            return Err(missing().into());
        }
        Ok(WebhookPermit { row, owner, subject })
    }

    /// Locks a webhook that the viewer may change.
    pub(super) async fn lock_permitted_webhook(
        &self,
        tx: &Tx,
        permit: &WebhookPermit<'_>,
    ) -> Result<webhook::Model, CommandError> {
        // The owner never changes, so the permission still holds.
        Ok(tx.lock_webhook(permit.row.id).await?.ok_or_else(missing)?)
    }
}

/// Returns the rejection of an id of no webhook of the viewer's.
pub(super) const fn missing() -> Rejection {
    Rejection::NotFound { field: "webhookId" }
}
