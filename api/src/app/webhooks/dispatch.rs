//! Enqueues the jobs of webhooks that have something to do.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use entities::ids::WebhookId;
use serde_json::{Value, json};

use crate::{
    app::{
        App,
        webhooks::{deliver::DELIVERY_JOB, events::EventPlace},
    },
    domain::issue_events::issue_feed,
    store::{
        StoreError,
        feeds::{Extent, StoredEvent},
        job_leases::{JobError, Lease},
        jobs::NewJob,
        webhooks::WebhookWork,
    },
};

/// Time after which a parked job is tried again. Parked deliveries are not affected.
const UNPARKED_AFTER: TimeDelta = TimeDelta::hours(1);
/// Newest events that are compared with the webhooks before any of them is woken.
const LOOKED_AT: i64 = 500;

/// The newest events of the feed.
struct Newest {
    /// Position after which they begin.
    after: i64,
    events: Vec<StoredEvent>,
}

impl Newest {
    /// Returns whether a webhook can skip all events that it has not looked through.
    fn are_skipped_by(&self, webhook: &WebhookWork) -> bool {
        let place = EventPlace::of(webhook.agency.as_deref(), webhook.region.as_deref());
        let mut new = self.events.iter().filter(|event| event.seq > webhook.position);
        self.after <= webhook.position && place.is_some_and(|place| !new.any(|event| place.concerns(event)))
    }
}

impl App {
    /// Enqueues a job for each active webhook with events about its place or a delivery that is due. The others skip the
    /// events, many webhooks with one statement.
    ///
    /// It looks at what is left to do, so it does not matter when a job ends, or whether one is enqueued already.
    ///
    /// # Errors
    /// When the lease is lost or the database fails.
    pub async fn dispatch_webhooks(&self, lease: &Lease) -> Result<(), JobError> {
        let now = self.now();
        let extent = self.store.feed_extent(&issue_feed()).await?;
        let webhooks = self.store.webhooks_with_work(extent.head, now).await?;
        if webhooks.is_empty() {
            return Ok(());
        }
        let newest = self.newest_events(extent, &webhooks).await?;
        let mut skipping: BTreeMap<i64, Vec<WebhookId>> = BTreeMap::new();
        let mut jobs: Vec<(String, Value)> = Vec::new();
        for webhook in webhooks {
            if !webhook.is_due && newest.are_skipped_by(&webhook) {
                skipping.entry(webhook.position).or_default().push(webhook.id);
            } else {
                jobs.push((webhook.id.0.simple().to_string(), json!({ "webhook": webhook.id })));
            }
        }
        let tx = self.store.begin_fenced(lease).await?;
        for (position, ids) in skipping {
            tx.skip_events(&ids, position, extent.head).await?;
        }
        tx.unpark_jobs(DELIVERY_JOB, now - UNPARKED_AFTER, now).await?;
        let new = jobs.iter().map(|(key, payload)| NewJob { kind: DELIVERY_JOB, key, run_at: now, payload });
        tx.enqueue_all(&new.collect::<Vec<_>>()).await?;
        self.commit(tx).await?;
        Ok(())
    }

    /// Reads the newest events, as far as webhooks have not looked through them.
    async fn newest_events(&self, extent: Extent, webhooks: &[WebhookWork]) -> Result<Newest, StoreError> {
        let Extent { head, kept_after } = extent;
        let first = webhooks.iter().map(|webhook| webhook.position).min().unwrap_or(head);
        let after = first.max(kept_after).max(head.saturating_sub(LOOKED_AT));
        let count = u64::try_from(head.saturating_sub(after)).unwrap_or_default();
        if count == 0 {
            return Ok(Newest { after, events: Vec::new() });
        }
        let mut events = self.store.feed_page(&issue_feed(), after, count).await?;
        events.retain(|event| event.seq <= head);
        Ok(Newest { after, events })
    }
}
