//! Changes a webhook.

use entities::{ids::WebhookId, webhook};

use crate::{
    app::{
        App, CommandError,
        input::check_version,
        webhooks::{checked_kinds, health::Health},
    },
    domain::{audit::WEBHOOK_CHANGED, viewer::Viewer},
};

/// Changes of a webhook. What is `None` stays.
#[derive(Clone, Debug)]
pub struct UpdateWebhook {
    /// The webhook.
    pub webhook: WebhookId,
    /// URL of the receiver.
    pub url: Option<String>,
    /// Kinds of events that it is about.
    pub kinds: Option<Vec<String>>,
    /// Whether events are sent. `true` also tries a receiver that has failed again at once.
    pub active: Option<bool>,
    /// Version that the caller has read.
    pub version: Option<i32>,
}

impl App {
    /// Changes the receiver, the kinds of events, or whether events are sent. Those from a time when the webhook was not
    /// active are sent once it is.
    ///
    /// Another receiver, and one that is activated, is tried at once, however long earlier failures would have delayed it.
    ///
    /// # Errors
    /// Rejected when a field breaks a rule, or the webhook has changed.
    pub async fn update_webhook(
        &self,
        viewer: &Viewer,
        command: UpdateWebhook,
    ) -> Result<webhook::Model, CommandError> {
        let now = self.now();
        let permit = self.permit_webhook(viewer, command.webhook).await?;
        let kinds = command.kinds.as_deref().map(checked_kinds).transpose()?;
        let url = match &command.url {
            Some(url) => Some(self.checked_url(url).await?),
            None => None,
        };
        let tx = self.store.begin().await?;
        let before = self.lock_permitted_webhook(&tx, &permit).await?;
        check_version(before.version, command.version)?;
        let mut row = before.clone();
        row.url = url.unwrap_or(row.url);
        row.kinds = kinds.or(row.kinds);
        row.active = command.active.unwrap_or(row.active);
        let is_activated = command.active == Some(true) && (!before.active || before.last_error.is_some());
        if row == before && !is_activated {
            return Ok(row);
        }
        if is_activated || row.url != before.url {
            tx.hasten_deliveries(row.id, now).await?;
            row.due_at = tx.next_attempt_at(row.id).await?;
            row = Health::default().of_webhook(row);
        }
        row.version = row.version.saturating_add(1);
        tx.save_webhook(&before, &row).await?;
        self.record_webhook_change(&tx, (&permit.owner, row.id), (WEBHOOK_CHANGED, permit.subject), now).await?;
        self.commit(tx).await?;
        Ok(row)
    }
}
