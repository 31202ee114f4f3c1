//! Enqueues the jobs of webhooks that have something to do.

use chrono::TimeDelta;
use serde_json::json;

use crate::{
    app::{App, webhooks::deliver::DELIVERY_JOB},
    domain::issue_events::issue_feed,
    store::{
        job_leases::{JobError, Lease},
        jobs::NewJob,
    },
};

/// Time after which a parked job is tried again. Parked deliveries are not affected.
const UNPARKED_AFTER: TimeDelta = TimeDelta::hours(1);

impl App {
    /// Enqueues a job for each active webhook with events to look through or a delivery that is due.
    ///
    /// It looks at what is left to do, so it does not matter when a job ends, or whether one is enqueued already.
    ///
    /// # Errors
    /// When the lease is lost or the database fails.
    pub async fn dispatch_webhooks(&self, lease: &Lease) -> Result<(), JobError> {
        let now = self.now();
        let head = self.store.feed_extent(&issue_feed()).await?.head;
        let webhooks = self.store.webhooks_with_work(head, now).await?;
        if webhooks.is_empty() {
            return Ok(());
        }
        let tx = self.store.begin_fenced(lease).await?;
        tx.unpark_jobs(DELIVERY_JOB, now - UNPARKED_AFTER, now).await?;
        for id in webhooks {
            let payload = json!({ "webhook": id });
            let key = id.0.simple().to_string();
            tx.enqueue(&NewJob { kind: DELIVERY_JOB, key: &key, run_at: now, payload: &payload }).await?;
        }
        self.commit(tx).await?;
        Ok(())
    }
}
