//! Deletes events, idempotency keys and noted deletions that are no longer kept.

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    app::{App, isolation::run_isolated, questions::DELETION_RETENTION},
    domain::feed::{FeedName, Retention},
    feed::Topics,
    store::job_leases::{JobError, Lease},
};

/// How long idempotency keys are kept.
const IDEMPOTENCY_KEY_RETENTION: TimeDelta = TimeDelta::days(7);

/// How long the events of feeds are kept.
#[derive(Clone)]
pub struct RetentionPolicy {
    /// The topics. Feeds of an unknown topic or scope are left to the later version that knows it.
    pub topics: Topics,
    /// Number of events per feed if its topic does not say.
    pub default_events: i64,
    /// How long the personal data of applicants is kept after the end of a reception.
    pub applicants: TimeDelta,
}

/// The events of a feed to keep.
#[derive(Clone, Copy)]
enum Keep {
    /// The newest ones, so many.
    Newest(i64),
    /// Those from this time on.
    Since(DateTime<Utc>),
}

impl App {
    /// Deletes surplus events, idempotency keys and noted deletions. A failure for one feed does not affect others.
    ///
    /// # Errors
    /// When the lease is lost or the database fails.
    pub async fn apply_retention(&self, lease: &Lease, policy: &RetentionPolicy) -> Result<(), JobError> {
        for (topic, Retention { events, .. }) in policy.topics.retention() {
            let newest = events.unwrap_or(policy.default_events);
            let feeds = self.store.long_feeds(topic, newest).await?;
            self.trim_feeds(lease, &policy.topics, feeds, Keep::Newest(newest)).await?;
        }
        let tx = self.store.begin_fenced(lease).await?;
        tx.delete_idempotency_keys(self.now() - IDEMPOTENCY_KEY_RETENTION).await?;
        tx.delete_old_deletions(self.now() - DELETION_RETENTION).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Deletes events that are older than their topic keeps them. Looks at the oldest event of every feed of such a topic.
    ///
    /// # Errors
    /// When the lease is lost or the database fails.
    pub async fn delete_old_events(&self, lease: &Lease, topics: &Topics) -> Result<(), JobError> {
        for (topic, Retention { age, .. }) in topics.retention() {
            let Some(age) = age else { continue };
            let since = self.now() - age;
            let feeds = self.store.old_feeds(topic, since).await?;
            self.trim_feeds(lease, topics, feeds, Keep::Since(since)).await?;
        }
        Ok(())
    }

    async fn trim_feeds(
        &self,
        lease: &Lease,
        topics: &Topics,
        feeds: Vec<FeedName>,
        keep: Keep,
    ) -> Result<(), JobError> {
        for feed in feeds.iter().filter(|feed| topics.contains(feed)) {
            run_isolated("retention", feed, self.trim_feed(lease, feed, keep)).await?;
        }
        Ok(())
    }

    async fn trim_feed(&self, lease: &Lease, feed: &FeedName, keep: Keep) -> Result<(), JobError> {
        let tx = self.store.begin_fenced(lease).await?;
        let head = tx.lock_feed(feed).await?;
        let last = match keep {
            Keep::Newest(count) => Some(head - count),
            Keep::Since(since) => tx.last_event_before(feed, since).await?,
        };
        if let Some(last) = last {
            tx.delete_events(feed, last).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}
