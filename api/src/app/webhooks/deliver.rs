//! Delivers events to one webhook: a run of its job.
//!
//! A run looks through a part of the feed and sends what is due ([`super::rounds`]), until nothing is left to do.

use chrono::TimeDelta;
use entities::{webhook, webhook_delivery};
use uuid::Uuid;

use crate::{
    app::{
        App,
        webhooks::{
            events::EventPage,
            health::Health,
            kinds_of,
            rounds::{DeliveryRun, Sent},
        },
    },
    domain::webhooks::{Progress, heads},
    store::job_leases::JobError,
};

/// The kind of the jobs of webhooks.
pub const DELIVERY_JOB: &str = "webhooks";

/// Events that one transaction adds as deliveries.
const EXPANDED_AT_ONCE: usize = 500;
/// Time after which a run ends, so that other webhooks have their turn.
const RUN_SPAN: TimeDelta = TimeDelta::seconds(20);

impl App {
    /// Delivers what is due, round by round, until nothing is, or others should have their turn.
    ///
    /// # Errors
    /// When the lease is lost, the database fails, or the secret cannot be read.
    pub async fn deliver_webhook(&self, run: &DeliveryRun<'_>) -> Result<(), JobError> {
        let ends_at = self.now() + RUN_SPAN;
        while !(run.is_stopping)() && self.now() < ends_at {
            let row = self.store.webhooks_by_id(&[run.webhook]).await?.pop();
            let Some(row) = row.filter(|row| row.active) else { break };
            let owner = self.webhook_owner(&row)?;
            let expanded = self.expand(run, &row).await?;
            match self.send_round(run, &row, &owner).await? {
                Sent::Nothing if !expanded => break,
                // The receiver is probably down: the next run tries again, a little later.
                Sent::AllFailed => break,
                Sent::Nothing | Sent::PutOff | Sent::Some => {}
            }
        }
        Ok(())
    }

    /// Adds a part of the feed as deliveries. Returns whether there was any.
    async fn expand(&self, run: &DeliveryRun<'_>, row: &webhook::Model) -> Result<bool, JobError> {
        let EventPage { mut events, through, has_gap } = run.events.page(self, row, EXPANDED_AT_ONCE).await?;
        if through <= row.position {
            return Ok(false);
        }
        if let Some(kinds) = kinds_of(row) {
            events.retain(|event| kinds.contains(&event.kind.as_str()));
        }
        let now = self.now();
        let tx = self.store.begin_fenced(run.lease).await?;
        let Some(locked) = tx.lock_webhook(row.id).await? else { return Ok(false) };
        if (locked.generation, locked.position) != (row.generation, row.position) {
            return Ok(true);
        }
        let issues: Vec<Uuid> = events.iter().map(|event| event.issue).collect();
        let waiting = tx.issues_that_wait(row.id, &issues).await?;
        let heads = heads(&issues, |issue| waiting.contains(issue));
        let new = events.into_iter().zip(heads).map(|(event, is_head)| {
            let progress = Progress::new(is_head, now);
            webhook_delivery::Model {
                webhook_id: row.id,
                seq: event.seq,
                issue_id: event.issue,
                kind: event.kind,
                at: event.at,
                state: progress.state,
                attempts: progress.attempts,
                last_status: None,
                last_error: None,
                next_attempt_at: progress.next_attempt_at,
                retry_until: progress.retry_until,
                created_at: now,
            }
        });
        tx.add_deliveries(new.collect()).await?;
        let due_at = tx.next_attempt_at(row.id).await?;
        let mut after = webhook::Model { position: through, due_at, ..locked.clone() };
        if has_gap {
            tracing::warn!(webhook = %row.id.0, "events were deleted before they were sent");
            after = Health::of(&locked).with_deleted_events().of_webhook(after);
        }
        tx.save_webhook(&locked, &after).await?;
        self.commit(tx).await?;
        Ok(true)
    }
}
