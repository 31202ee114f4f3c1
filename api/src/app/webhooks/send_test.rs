//! Sends a test message to a receiver.

use entities::{ids::WebhookId, webhook};
use serde_json::json;

use crate::{
    app::{
        App, CommandError,
        webhooks::{health::Health, secrets::secrets_in_force},
    },
    domain::viewer::Viewer,
    webhooks::SignedMessage,
};

/// The type of test messages.
const TEST: &str = "webhook.test";

impl App {
    /// Sends a test message once, also if the webhook is not active. What became of it is in the webhook's health.
    ///
    /// # Errors
    /// Rejected when there is no such webhook.
    pub async fn test_webhook(&self, viewer: &Viewer, id: WebhookId) -> Result<webhook::Model, CommandError> {
        let now = self.now();
        let permit = self.permit_webhook(viewer, id).await?;
        let secrets = secrets_in_force(&self.data_keys, &permit.row, now)?;
        let body = json!({ "type": TEST, "timestamp": now, "data": {} }).to_string().into_bytes();
        let message_id = format!("msg_test_{}", self.ids.next(now).simple());
        let message = SignedMessage::new(message_id, now, body, &secrets);
        let outcome = self.webhook_client.send(&permit.row.url, &message).await;
        let tx = self.store.begin().await?;
        let before = self.lock_permitted_webhook(&tx, &permit).await?;
        let row = Health::of(&before).after(outcome, self.now()).of_webhook(before.clone());
        tx.save_webhook(&before, &row).await?;
        self.commit(tx).await?;
        Ok(row)
    }
}
