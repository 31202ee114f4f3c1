//! Takes due jobs and runs them.
//!
//! Every second a replica reads in one query which jobs are due and free. A frequent job stays with its
//! holder, which only renews the lease. Other jobs are released after each run.

use std::{collections::HashSet, panic::AssertUnwindSafe, sync::Arc, time::Instant};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::FutureExt as _;
use parking_lot::Mutex;
use tokio::task::JoinSet;
use tracing::Instrument as _;

use crate::{
    app::{
        App,
        job_queue::{JobError, JobKey, Lease, TakenJob},
        reads::StoreError,
    },
    clock::sleep,
    domain::jobs::{AfterFailure, RENEWAL, Schedule, next_run},
    jobs::registry::{JobKind, JobRun, Registry},
    lifecycle::Lifecycle,
    telemetry::SPANS,
};

/// Interval between two polls for due jobs.
const POLL: TimeDelta = TimeDelta::seconds(1);
/// Queued jobs of the kinds that share slots that a replica runs at once, since they share the pool of writing connections.
const QUEUED_AT_ONCE: usize = 4;
/// Pause before a retry if the database could not record the outcome.
const UNRECORDED_PAUSE: TimeDelta = TimeDelta::seconds(1);

/// Runs the jobs of a registry on one replica.
pub struct Runner {
    app: Arc<App>,
    lifecycle: Lifecycle,
    registry: Registry,
    /// Jobs that this replica holds.
    held: Mutex<HashSet<JobKey>>,
}

/// Marks a job as held by this replica until it is dropped.
struct HeldMark(Arc<Runner>, JobKey);

impl Drop for HeldMark {
    fn drop(&mut self) {
        self.0.held.lock().remove(&self.1);
    }
}

impl Runner {
    /// Creates a runner.
    #[must_use]
    pub fn new(lifecycle: &Lifecycle, app: &Arc<App>, registry: Registry) -> Arc<Self> {
        Arc::new(Self { app: Arc::clone(app), lifecycle: lifecycle.clone(), registry, held: Mutex::default() })
    }

    /// Creates the rows of periodic jobs, and initialises the metrics of every kind.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn register(&self) -> Result<(), StoreError> {
        for kind in self.registry.kinds() {
            metrics::counter!("kezdesu_job_runs_total", "kind" => kind.name).increment(0);
            metrics::counter!("kezdesu_job_failures_total", "kind" => kind.name).increment(0);
        }
        let periodic = self.registry.kinds().filter(|kind| kind.schedule != Schedule::Queued);
        let periodic: Vec<_> = periodic.map(|kind| (kind.name, kind.schedule)).collect();
        self.app.register_periodic_jobs(&periodic).await
    }

    /// Runs jobs until draining begins, then finishes running ones and releases the rest.
    ///
    /// If the future is dropped, the leases stay until they expire.
    pub async fn run(self: Arc<Self>) {
        let mut runs = JoinSet::new();
        let mut next_poll = sleep(self.app.clock.as_ref(), POLL);
        let mut has_more = false;
        loop {
            tokio::select! {
                () = self.lifecycle.draining() => break,
                () = &mut next_poll => {}
                // A slot is free for jobs that did not fit.
                Some(_) = runs.join_next(), if has_more => {}
            }
            while runs.try_join_next().is_some() {}
            has_more = match self.poll(&mut runs).await {
                Ok(has_more) => has_more,
                Err(error) => {
                    tracing::warn!(error = error.chain(), "due jobs cannot be taken");
                    false
                }
            };
            next_poll = sleep(self.app.clock.as_ref(), POLL);
        }
        while runs.join_next().await.is_some() {}
    }

    /// Takes and starts due jobs. Returns whether there may be more than free slots.
    async fn poll(self: &Arc<Self>, runs: &mut JoinSet<()>) -> Result<bool, StoreError> {
        let held: Vec<JobKey> = self.held.lock().iter().cloned().collect();
        let periodic = self.registry.kinds().filter(|kind| kind.schedule != Schedule::Queued).map(|kind| kind.name);
        let periodic: Vec<_> = periodic.filter(|name| held.iter().all(|job| job.kind != *name)).collect();
        self.take(&periodic, &held, periodic.len(), runs).await?;
        let mut has_more = false;
        for (kinds, at_once) in self.registry.queues(QUEUED_AT_ONCE) {
            let running = held.iter().filter(|job| kinds.contains(&job.kind.as_str())).count();
            let slots = at_once.saturating_sub(running);
            let taken = self.take(&kinds, &held, slots, runs).await?;
            has_more |= !kinds.is_empty() && taken == slots;
        }
        Ok(has_more)
    }

    async fn take(
        self: &Arc<Self>,
        kinds: &[&'static str],
        held: &[JobKey],
        limit: usize,
        runs: &mut JoinSet<()>,
    ) -> Result<usize, StoreError> {
        if kinds.is_empty() || limit == 0 {
            return Ok(0);
        }
        let taken = self.app.take_jobs(kinds, held, limit).await?;
        let count = taken.len();
        for job in taken {
            let key = job.lease.job().clone();
            let Some(kind) = self.registry.kind(&key.kind).cloned() else { continue };
            self.held.lock().insert(key.clone());
            let mark = HeldMark(Arc::clone(self), key);
            runs.spawn(async move { mark.0.hold(&kind, job).await });
        }
        Ok(count)
    }

    /// Runs a job until it is released or lost.
    async fn hold(&self, kind: &JobKind, taken: TakenJob) {
        let lease = taken.lease.clone();
        let ended = tokio::select! {
            biased;
            ended = self.work(kind, taken) => ended,
            () = self.keep(&lease) => Err(JobError::LeaseLost),
        };
        let key = &lease.job().key;
        match ended {
            Ok(()) => {}
            Err(JobError::LeaseLost) => tracing::info!(job = kind.name, key, "another replica has taken a job over"),
            Err(error) => {
                tracing::warn!(job = kind.name, key, error = error.chain(), "the outcome of a job cannot be recorded");
            }
        }
    }

    /// Renews a lease until it is lost.
    async fn keep(&self, lease: &Lease) {
        let mut pause = RENEWAL;
        loop {
            sleep(self.app.clock.as_ref(), pause).await;
            pause = match self.app.renew_lease(lease).await {
                Ok(()) => RENEWAL,
                Err(JobError::LeaseLost) => return,
                // The run reports what is wrong with the database.
                Err(_) => UNRECORDED_PAUSE,
            };
        }
    }

    async fn work(&self, kind: &JobKind, taken: TakenJob) -> Result<(), JobError> {
        let app = &self.app;
        let (mut attempts, mut due) = (taken.attempts, taken.due);
        let lease = &taken.lease;
        if kind.schedule.is_exhausted(attempts) {
            let error = JobError::Failed("every attempt ended without an outcome".into());
            return self.fail(kind, &taken, (attempts, due), &error).await;
        }
        loop {
            match self.run_once(kind, &taken).await {
                Ok(()) => {
                    let Schedule::Every(period) = kind.schedule else { return app.complete_job(lease).await };
                    due = next_run(due, period, app.clock.now());
                    if !kind.schedule.keeps_lease() || self.lifecycle.is_draining() {
                        return app.reschedule_job(lease, due).await;
                    }
                    attempts = self.confirm(lease, attempts).await?;
                }
                Err(JobError::LeaseLost) => return Err(JobError::LeaseLost),
                Err(error) => match self.fail(kind, &taken, (attempts.max(1), due), &error).await {
                    // The failure is not recorded, so this replica still holds the job.
                    Err(JobError::Store(_)) => due = app.clock.now() + UNRECORDED_PAUSE,
                    ended => return ended,
                },
            }
            tokio::select! {
                () = app.clock.sleep_until(due) => {}
                () = self.lifecycle.draining() => return app.retry_job(lease, attempts, due).await,
            }
        }
    }

    async fn run_once(&self, kind: &JobKind, taken: &TakenJob) -> Result<(), JobError> {
        let run = JobRun {
            app: Arc::clone(&self.app),
            lease: taken.lease.clone(),
            payload: taken.payload.clone(),
            lifecycle: self.lifecycle.clone(),
        };
        let span = tracing::info_span!(target: SPANS, "job", name = kind.name);
        let began = Instant::now();
        // Unwind safe: an unfinished transaction is rolled back.
        let run = AssertUnwindSafe(async { (kind.command)(run).await }).catch_unwind();
        let outcome = run.instrument(span).await.unwrap_or_else(|_| Err(JobError::Failed("it panicked".into())));
        metrics::histogram!("kezdesu_job_seconds", "kind" => kind.name).record(began.elapsed().as_secs_f64());
        metrics::counter!("kezdesu_job_runs_total", "kind" => kind.name).increment(1);
        outcome
    }

    /// Records the first success of a holder, and returns the recorded attempts.
    async fn confirm(&self, lease: &Lease, attempts: i32) -> Result<i32, JobError> {
        if attempts == 0 {
            return Ok(0);
        }
        match self.app.confirm_job(lease).await {
            Ok(()) => Ok(0),
            // Recorded after the next success.
            Err(JobError::Store(_)) => Ok(attempts),
            Err(error) => Err(error),
        }
    }

    /// Releases a failed job for a retry, or parks it.
    async fn fail(
        &self,
        kind: &JobKind,
        taken: &TakenJob,
        (attempts, due): (i32, DateTime<Utc>),
        error: &JobError,
    ) -> Result<(), JobError> {
        metrics::counter!("kezdesu_job_failures_total", "kind" => kind.name).increment(1);
        let now = self.app.clock.now();
        let (job, key, error) = (kind.name, &taken.lease.job().key, error.chain());
        match kind.schedule.after_failure(attempts, due, now) {
            AfterFailure::Retry(at) => {
                tracing::warn!(job, key, attempts, error, %at, "a job failed");
                self.app.retry_job(&taken.lease, attempts, at).await
            }
            AfterFailure::Park(next) => {
                tracing::error!(job, key, attempts, error, ?next, "a job is parked");
                self.app.park_job(&taken.lease, attempts, now, next).await
            }
        }
    }
}
