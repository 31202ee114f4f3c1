//! Deletes deliveries that are no longer kept.

use chrono::{DateTime, TimeDelta, Utc};
use entities::{ids::WebhookId, webhook};

use crate::{
    app::{App, isolation::run_isolated, webhooks::health::Health},
    domain::issue_events::issue_feed,
    store::job_leases::{JobError, Lease},
};

/// How long deliveries are kept that have succeeded. Others are kept as long as their events.
const DELIVERED_RETENTION: TimeDelta = TimeDelta::days(30);
/// Webhooks that are read at once.
const WEBHOOKS_AT_ONCE: u64 = 500;
/// Deliveries that one transaction deletes because they are old.
const BATCH: u64 = 1_000;
/// Transactions for one webhook in one run of the job.
const MAX_BATCHES: usize = 100;

/// Which deliveries are no longer kept.
#[derive(Clone, Copy)]
struct Limits {
    /// Those of events up to and including this position, which are deleted themselves.
    last_deleted: i64,
    /// Those that have succeeded, from before this moment.
    delivered_before: DateTime<Utc>,
}

impl App {
    /// Deletes deliveries that succeeded long ago, and those of events that are no longer kept. A failure for one webhook does
    /// not affect others.
    ///
    /// # Errors
    /// When the lease is lost or the database fails.
    pub async fn delete_old_deliveries(&self, lease: &Lease) -> Result<(), JobError> {
        let last_deleted = self.store.feed_extent(&issue_feed()).await?.kept_after;
        let limits = Limits { last_deleted, delivered_before: self.now() - DELIVERED_RETENTION };
        let mut after: Option<WebhookId> = None;
        loop {
            let ids = self.store.webhook_ids(after, WEBHOOKS_AT_ONCE).await?;
            let Some(last) = ids.last() else { return Ok(()) };
            after = Some(*last);
            for id in ids {
                run_isolated("old-deliveries", id.0, self.delete_old_deliveries_of(lease, id, limits)).await?;
            }
        }
    }

    async fn delete_old_deliveries_of(&self, lease: &Lease, id: WebhookId, limits: Limits) -> Result<(), JobError> {
        if self.store.has_deliveries_through(id, limits.last_deleted).await? {
            self.delete_deliveries_without_events(lease, id, limits.last_deleted).await?;
        }
        for _ in 0..MAX_BATCHES {
            let last = self.store.last_delivered_before(id, limits.delivered_before, BATCH).await?;
            let Some(last) = last else { break };
            let tx = self.store.begin_fenced(lease).await?;
            if tx.lock_webhook(id).await?.is_none() {
                break;
            }
            tx.delete_delivered(id, last).await?;
            self.commit(tx).await?;
        }
        Ok(())
    }

    /// Deletes the deliveries of events that are deleted. What follows those that waited is due.
    async fn delete_deliveries_without_events(&self, lease: &Lease, id: WebhookId, last: i64) -> Result<(), JobError> {
        let tx = self.store.begin_fenced(lease).await?;
        let Some(before) = tx.lock_webhook(id).await? else { return Ok(()) };
        let waited = tx.delete_deliveries_through(id, last).await?;
        tx.advance_lines(id, &waited, self.now()).await?;
        let due_at = tx.next_attempt_at(id).await?;
        let mut after = webhook::Model { due_at, ..before.clone() };
        if !waited.is_empty() {
            tracing::warn!(webhook = %id.0, "events were deleted before they were sent");
            after = Health::of(&before).with_deleted_events().of_webhook(after);
        }
        tx.save_webhook(&before, &after).await?;
        self.commit(tx).await?;
        Ok(())
    }
}
