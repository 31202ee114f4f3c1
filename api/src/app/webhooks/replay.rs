//! Sends events again from a position.

use entities::{ids::WebhookId, webhook};

use crate::{
    app::{App, CommandError, Rejection, rejection::Invalid},
    domain::{audit::WEBHOOK_REPLAYED, issue_events::issue_feed, viewer::Viewer},
};

impl App {
    /// Sends all events after a position again, also those that are parked. Their messages have the same ids as before.
    ///
    /// The deliveries are deleted, and created again from the feed. Attempts that are in flight record nothing, since the
    /// generation of the webhook rises.
    ///
    /// # Errors
    /// Rejected when the position is before the registration, or before the events that are kept, or after the newest one.
    pub async fn replay_webhook(
        &self,
        viewer: &Viewer,
        id: WebhookId,
        after: i64,
    ) -> Result<webhook::Model, CommandError> {
        let now = self.now();
        let permit = self.permit_webhook(viewer, id).await?;
        let extent = self.store.feed_extent(&issue_feed()).await?;
        let tx = self.store.begin().await?;
        let before = self.lock_permitted_webhook(&tx, &permit).await?;
        let (min, max) = (before.begins_after.max(extent.kept_after), extent.head.max(before.position));
        if !(min..=max).contains(&after) {
            return Err(Rejection::Invalid { field: "after", why: Invalid::Range { min, max } }.into());
        }
        tx.delete_deliveries_after(id, after).await?;
        let due_at = tx.next_attempt_at(id).await?;
        let generation = before.generation.wrapping_add(1);
        let version = before.version.saturating_add(1);
        let position = before.position.min(after);
        let row = webhook::Model { position, generation, due_at, version, ..before.clone() };
        tx.save_webhook(&before, &row).await?;
        self.record_webhook_change(&tx, (&permit.owner, id), (WEBHOOK_REPLAYED, permit.subject), now).await?;
        self.commit(tx).await?;
        Ok(row)
    }
}
