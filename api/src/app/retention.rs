//! How long events, idempotency keys and notes of deletions are kept.

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    app::{App, isolation::run_isolated, questions::DELETION_RETENTION},
    domain::feed::{FeedName, Retention},
    feed::Topics,
    store::job_leases::{JobError, Lease},
};

/// How long idempotency keys are remembered.
const KEYS_LAST: TimeDelta = TimeDelta::days(7);

/// How long the events of the feeds are kept.
#[derive(Clone)]
pub struct Retain {
    /// The topics. Feeds of a topic that only a later version knows are left to it.
    pub topics: Topics,
    /// How many events a feed keeps whose topic does not say.
    pub events: i64,
}

impl App {
    /// Deletes what is kept no longer. Each feed is trimmed by itself.
    ///
    /// # Errors
    /// When the lease is lost or the database fails.
    pub async fn apply_retention(&self, lease: &Lease, retain: &Retain) -> Result<(), JobError> {
        for (topic, Retention { events, .. }) in retain.topics.retention() {
            let events = events.unwrap_or(retain.events);
            for feed in self.store.long_feeds(topic, events).await?.iter().filter(|feed| retain.topics.contains(feed)) {
                run_isolated("retention", feed, self.keep_events(lease, feed, events)).await?;
            }
        }
        let tx = self.store.begin_fenced(lease).await?;
        tx.delete_idempotency_keys(self.now() - KEYS_LAST).await?;
        tx.delete_old_deletions(self.now() - DELETION_RETENTION).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn keep_events(&self, lease: &Lease, feed: &FeedName, keep: i64) -> Result<(), JobError> {
        let tx = self.store.begin_fenced(lease).await?;
        let head = tx.lock_feed(feed).await?;
        tx.forget_events(feed, head - keep).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Deletes the events that are older than their topic keeps them. It looks at the oldest event of every feed of such a topic.
    ///
    /// # Errors
    /// When the lease is lost or the database fails.
    pub async fn forget_old_events(&self, lease: &Lease, topics: &Topics) -> Result<(), JobError> {
        for (topic, Retention { age, .. }) in topics.retention() {
            let Some(age) = age else { continue };
            let before = self.now() - age;
            for feed in self.store.old_feeds(topic, before).await?.iter().filter(|feed| topics.contains(feed)) {
                run_isolated("retention", feed, self.forget_events(lease, feed, before)).await?;
            }
        }
        Ok(())
    }

    async fn forget_events(&self, lease: &Lease, feed: &FeedName, before: DateTime<Utc>) -> Result<(), JobError> {
        let tx = self.store.begin_fenced(lease).await?;
        tx.lock_feed(feed).await?;
        if let Some(last) = tx.last_event_before(feed, before).await? {
            tx.forget_events(feed, last).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}
