//! Scheduled and queued jobs, each a caller of a command.
//!
//! Jobs that write shared data are rows of the table `jobs`: votes, budgets, normalization, retention, old events, the
//! erasure and re-encryption of personal data, and webhooks.
//! One replica at a time runs each ([`runner`]), and its transactions are fenced ([`crate::app::job_queue`]).
//! [`registry`] is the only place where a kind is registered.
//!
//! Loops that maintain the state of one replica run on every replica and have no row ([`local`]): rate limits, the clock,
//! histograms, and the caches of regions, token revocations and signing keys.

mod counts;
mod local;
mod registry;
mod runner;

use std::sync::Arc;

use chrono::TimeDelta;

pub use registry::{JobRun, Registry};
pub use runner::Runner;

use crate::{
    app::{
        App,
        job_queue::JobError,
        reads::StoreError,
        receptions::SETTLE_JOB,
        retention::RetentionPolicy,
        webhooks::{DELIVERY_JOB, DeliveryRun, StoredIssueEvents},
    },
    auth::Authenticator,
    feed::Bus,
    lifecycle::Lifecycle,
};

const SECOND: TimeDelta = TimeDelta::seconds(1);
const MINUTE: TimeDelta = TimeDelta::minutes(1);
const HOUR: TimeDelta = TimeDelta::hours(1);
/// Period of renormalising rows that older replicas wrote.
const NORMALIZATION_PERIOD: TimeDelta = TimeDelta::seconds(10);

/// Webhooks that a replica serves at once. Their runs wait for receivers most of the time.
const WEBHOOKS_AT_ONCE: usize = 200;

/// Runs the job of a webhook.
async fn deliver(run: JobRun) -> Result<(), JobError> {
    let id = run.payload.get("webhook").cloned().unwrap_or_default();
    let webhook = serde_json::from_value(id).map_err(|error| JobError::Failed(error.into()))?;
    let is_stopping = || run.lifecycle.is_draining();
    let delivery = DeliveryRun { lease: &run.lease, webhook, events: &StoredIssueEvents, is_stopping: &is_stopping };
    run.app.deliver_webhook(&delivery).await
}

/// Returns every kind of job with its period and command.
fn registry(policy: &RetentionPolicy) -> Registry {
    let (policy, topics, applicants) = (policy.clone(), policy.topics.clone(), policy.applicants);
    Registry::default()
        .every(SECOND, "votes", |run| async move { run.app.publish_vote_counts(&run.lease).await })
        .every(SECOND, "budgets", |run| async move { run.app.check_budgets(&run.lease).await })
        .every(NORMALIZATION_PERIOD, "normalization", |run| async move { run.app.renormalize(&run.lease).await })
        .every(MINUTE, "retention", move |run| {
            let policy = policy.clone();
            async move { run.app.apply_retention(&run.lease, &policy).await }
        })
        .every(MINUTE, "data-keys", |run| async move {
            run.app.reencrypt_applicants(&run.lease).await?;
            run.app.reencrypt_webhooks(&run.lease).await
        })
        .every(SECOND, "webhook-dispatch", |run| async move { run.app.dispatch_webhooks(&run.lease).await })
        .queued_apart(WEBHOOKS_AT_ONCE, DELIVERY_JOB, deliver)
        .every(
            HOUR,
            "old-applicants",
            move |run| async move { run.app.erase_old_applicants(&run.lease, applicants).await },
        )
        .every(HOUR, "old-events", move |run| {
            let topics = topics.clone();
            async move { run.app.delete_old_events(&run.lease, &topics).await }
        })
        .every(HOUR, "old-deliveries", |run| async move { run.app.delete_old_deliveries(&run.lease).await })
        .queued(SETTLE_JOB, |run| async move {
            let id = run.payload.get("reception").cloned().unwrap_or_default();
            let id = serde_json::from_value(id).map_err(|error| JobError::Failed(error.into()))?;
            run.app.settle_reception(&run.lease, id).await
        })
}

/// Starts the jobs of the table and the loops of this replica.
///
/// # Errors
/// When the database fails.
pub async fn start(
    lifecycle: &Lifecycle,
    app: &Arc<App>,
    auth: &Arc<Authenticator>,
    bus: &Arc<dyn Bus>,
    policy: &RetentionPolicy,
) -> Result<(), StoreError> {
    let registry = registry(policy);
    let runner = Runner::new(lifecycle, app, registry.clone());
    runner.register().await?;
    lifecycle.spawn_until_drain("jobs", runner.run());
    lifecycle.spawn("job counts", counts::count_jobs(Arc::clone(app), registry));
    local::start(lifecycle, app, auth, bus);
    Ok(())
}
