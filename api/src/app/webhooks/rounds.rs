//! Rounds of a run: each takes the lines whose heads are due, sends each line in order and several lines at once, and saves
//! what became of them.
//!
//! If a round ends before it has saved that, the same messages are sent again, with the same ids.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicBool, Ordering},
};

use chrono::{DateTime, TimeDelta, Utc};
use entities::{ids::WebhookId, webhook, webhook_delivery};
use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    app::{
        App,
        webhooks::{
            events::IssueEvents,
            health::{Health, error_of},
            secrets::secrets_in_force,
        },
    },
    domain::{
        audit::{AuditActor, WEBHOOK_DISABLED},
        policy::WebhookOwner,
        webhooks::{Attempt, MAX_IN_FLIGHT, Progress, message_id, message_type, spread},
    },
    store::job_leases::{JobError, Lease},
    webhooks::{DeliveryOutcome, SignedMessage, SigningSecret},
};

/// Lines of a round.
const LINES: u64 = 128;
/// Lines of a round to a receiver that fails.
const PROBES: u64 = 8;
/// Deliveries of a round, beside the heads.
const FOLLOWERS: u64 = 256;
/// Time after which a round begins no more attempts, so that what became of its deliveries is saved soon. The first
/// attempts, as many as are in flight at once, are made even later, so that each round sends something.
const ROUND_SPAN: TimeDelta = TimeDelta::seconds(2);

/// How long an event waits whose issue cannot be shown: a later version may have written it in a way that this one does not
/// know.
const UNSHOWN_PAUSE: TimeDelta = TimeDelta::minutes(1);

/// An attempt that was made: the delivery after it, and what became of it.
struct Attempted {
    delivery: webhook_delivery::Model,
    outcome: DeliveryOutcome,
    attempt: Attempt,
    at: DateTime<Utc>,
}

/// What a round has sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// Nothing was due.
    Nothing,
    /// What was due cannot be sent yet.
    PutOff,
    /// The receiver has taken something.
    Some,
    /// All attempts have failed.
    AllFailed,
}

/// What became of a round.
struct Outcome {
    attempted: Vec<Attempted>,
    /// Heads whose issues cannot be shown.
    unshown: Vec<webhook_delivery::Model>,
}

/// What the messages of a round are made of.
struct Round<'a> {
    webhook: &'a webhook::Model,
    owner: &'a WebhookOwner,
    secrets: Vec<SigningSecret>,
    views: HashMap<Uuid, Value>,
    ends_at: DateTime<Utc>,
    /// Whether the receiver has said that it wants nothing more now.
    is_refused: AtomicBool,
}

/// A run of the job of a webhook.
pub struct DeliveryRun<'a> {
    /// The lease of the job.
    pub lease: &'a Lease,
    /// The webhook.
    pub webhook: WebhookId,
    /// Where events come from.
    pub events: &'a dyn IssueEvents,
    /// Whether to end early, because the service shuts down.
    pub is_stopping: &'a (dyn Fn() -> bool + Send + Sync),
}

impl App {
    /// Sends the lines that are due: few at a time to a receiver that fails, so that one that is down costs little.
    pub(super) async fn send_round(
        &self,
        run: &DeliveryRun<'_>,
        row: &webhook::Model,
        owner: &WebhookOwner,
    ) -> Result<Sent, JobError> {
        let now = self.now();
        let limit = if row.failing_since.is_some() { PROBES } else { LINES };
        let due = self.store.due_deliveries(row.id, now, limit).await?;
        if due.is_empty() {
            return Ok(Sent::Nothing);
        }
        let issues: Vec<Uuid> = due.iter().map(|head| head.issue_id).collect();
        let followers = self.store.lines(row.id, &issues, FOLLOWERS).await?;
        let secrets = secrets_in_force(&self.data_keys, row, now).map_err(|error| JobError::Failed(Box::new(error)))?;
        let views = run.events.views(self, owner, &issues).await?;
        let (due, unshown): (Vec<_>, Vec<_>) = due.into_iter().partition(|head| views.contains_key(&head.issue_id));
        let some_due = !due.is_empty();
        let (ends_at, is_refused) = (now + ROUND_SPAN, AtomicBool::new(false));
        let round = Round { webhook: row, owner, secrets, views, ends_at, is_refused };
        let lines = lines(due, followers).into_iter().enumerate();
        let sending = stream::iter(lines).map(|(place, line)| self.send_line(run, &round, (place, line)));
        let attempted: Vec<Attempted> = sending.buffer_unordered(MAX_IN_FLIGHT).concat().await;
        let have_all_failed = attempted.iter().all(|one| error_of(one.outcome).is_some());
        self.save_round(run, &round, Outcome { attempted, unshown }).await?;
        Ok(match (some_due, have_all_failed) {
            (false, _) => Sent::PutOff,
            (true, true) => Sent::AllFailed,
            (true, false) => Sent::Some,
        })
    }

    /// Sends the deliveries of a line in order, up to the first that has to wait. The line has a place among those of the
    /// round.
    async fn send_line(
        &self,
        run: &DeliveryRun<'_>,
        round: &Round<'_>,
        (place, line): (usize, Vec<webhook_delivery::Model>),
    ) -> Vec<Attempted> {
        let mut attempted = Vec::with_capacity(line.len());
        for delivery in line {
            let is_first = place < MAX_IN_FLIGHT && attempted.is_empty();
            let is_late = self.now() >= round.ends_at && !is_first;
            if is_late || round.is_refused.load(Ordering::Relaxed) || (run.is_stopping)() {
                break;
            }
            let one = self.attempt(round, delivery).await;
            if one.attempt.ends_round() {
                round.is_refused.store(true, Ordering::Relaxed);
            }
            let waits = one.delivery.next_attempt_at.is_some();
            attempted.push(one);
            if waits {
                break;
            }
        }
        attempted
    }

    async fn attempt(&self, round: &Round<'_>, delivery: webhook_delivery::Model) -> Attempted {
        // Lines without a view are not sent.
        let view = round.views.get(&delivery.issue_id);
        let body = json!({
            "type": message_type(&delivery.kind),
            "timestamp": delivery.at,
            "data": { "seq": delivery.seq, "issue": view },
        });
        let id = message_id(delivery.webhook_id.0, delivery.seq, delivery.at);
        let message = SignedMessage::new(id, self.now(), body.to_string().into_bytes(), &round.secrets);
        let outcome = self.webhook_client.send(&round.webhook.url, &message).await;
        let at = self.now();
        metrics::counter!("kezdesu_webhook_attempts_total", "outcome" => error_of(outcome).unwrap_or("DELIVERED"))
            .increment(1);
        let attempt = match outcome {
            DeliveryOutcome::Delivered { .. } => Attempt::Delivered,
            DeliveryOutcome::Gone => Attempt::Gone,
            DeliveryOutcome::Failed { retry_after, .. } => Attempt::Failed { wait: retry_after },
        };
        Attempted { delivery: after_attempt(delivery, (attempt, outcome), at), outcome, attempt, at }
    }

    /// Saves what became of a round, unless a replay has begun meanwhile.
    async fn save_round(
        &self,
        run: &DeliveryRun<'_>,
        round: &Round<'_>,
        Outcome { mut attempted, unshown }: Outcome,
    ) -> Result<(), JobError> {
        if attempted.is_empty() && unshown.is_empty() {
            return Ok(());
        }
        let id = round.webhook.id;
        let tx = self.store.begin_fenced(run.lease).await?;
        let Some(locked) = tx.lock_webhook(id).await? else { return Ok(()) };
        if locked.generation != round.webhook.generation {
            return Ok(());
        }
        if locked.url != round.webhook.url {
            // What the former receiver failed at is for the new one to take.
            attempted.retain(|one| one.attempt == Attempt::Delivered);
        }
        let now = self.now();
        let mut row = with_health(locked.clone(), &attempted);
        let over = attempted.iter().filter(|one| one.delivery.next_attempt_at.is_none());
        let over: Vec<Uuid> = over.map(|one| one.delivery.issue_id).collect();
        let wished = attempted.iter().filter_map(|one| one.attempt.not_before(one.at)).max();
        let later = Some(now + UNSHOWN_PAUSE);
        let put_off = unshown.into_iter().map(|head| webhook_delivery::Model { next_attempt_at: later, ..head });
        let changed = attempted.into_iter().map(|one| one.delivery).chain(put_off);
        tx.save_attempts(changed.collect()).await?;
        tx.advance_lines(id, &unique(over), now).await?;
        if let Some(until) = wished {
            tx.put_off_deliveries(id, until).await?;
        }
        row.due_at = tx.next_attempt_at(id).await?;
        tx.save_webhook(&locked, &row).await?;
        if locked.active && !row.active {
            self.record_webhook_entry(&tx, (round.owner, id), (WEBHOOK_DISABLED, AuditActor::Service), now).await?;
        }
        self.commit(tx).await?;
        Ok(())
    }
}

/// Returns a webhook after attempts. A receiver that is gone gets nothing more until a person activates the webhook.
fn with_health(row: webhook::Model, attempted: &[Attempted]) -> webhook::Model {
    let is_gone = |one: &&Attempted| one.attempt == Attempt::Gone;
    let gone = attempted.iter().find(is_gone);
    let health = attempted.iter().chain(gone).fold(Health::of(&row), |health, one| health.after(one.outcome, one.at));
    let active = row.active && gone.is_none();
    health.of_webhook(webhook::Model { active, ..row })
}

/// Returns a delivery after an attempt.
fn after_attempt(
    delivery: webhook_delivery::Model,
    (attempt, outcome): (Attempt, DeliveryOutcome),
    now: DateTime<Utc>,
) -> webhook_delivery::Model {
    let status = match outcome {
        DeliveryOutcome::Delivered { status } => Some(status),
        DeliveryOutcome::Gone => Some(410),
        DeliveryOutcome::Failed { status, .. } => status,
    };
    let webhook_delivery::Model { state, attempts, next_attempt_at, retry_until, .. } = delivery;
    let random = spread(delivery.webhook_id.0, delivery.seq, attempts);
    let progress = Progress { state, attempts, next_attempt_at, retry_until }.after(attempt, random, now);
    webhook_delivery::Model {
        state: progress.state,
        attempts: progress.attempts,
        next_attempt_at: progress.next_attempt_at,
        last_status: status.map(i32::from),
        last_error: error_of(outcome).map(str::to_owned),
        ..delivery
    }
}

/// Groups deliveries into lines: each head with the deliveries of its issue that follow, in order.
fn lines(
    heads: Vec<webhook_delivery::Model>,
    followers: Vec<webhook_delivery::Model>,
) -> Vec<Vec<webhook_delivery::Model>> {
    let mut lines: Vec<_> = heads.into_iter().map(|head| vec![head]).collect();
    let places: HashMap<Uuid, usize> =
        lines.iter().enumerate().filter_map(|(place, line)| Some((line.first()?.issue_id, place))).collect();
    for delivery in followers {
        let line = places.get(&delivery.issue_id).and_then(|place| lines.get_mut(*place));
        // The heads are among the followers.
        if let Some(line) = line.filter(|line| line.last().is_some_and(|last| last.seq < delivery.seq)) {
            line.push(delivery);
        }
    }
    lines
}

fn unique(mut issues: Vec<Uuid>) -> Vec<Uuid> {
    issues.sort_unstable();
    issues.dedup();
    issues
}
