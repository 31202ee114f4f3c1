//! The kinds of jobs: when each runs, and its command.

use std::{collections::BTreeMap, pin::Pin, sync::Arc};

use chrono::TimeDelta;
use serde_json::Value;

use crate::{
    app::{
        App,
        job_queue::{JobError, Lease},
    },
    domain::jobs::Schedule,
    lifecycle::Lifecycle,
};

/// The input of a command for one run.
#[derive(Clone)]
pub struct JobRun {
    /// The application.
    pub app: Arc<App>,
    /// The lease, by which the command begins every transaction of the run.
    pub lease: Lease,
    /// Payload of a queued job; null for a periodic one.
    pub payload: Value,
    /// Tells when the service shuts down. Long runs end then.
    pub lifecycle: Lifecycle,
}

type Outcome = Pin<Box<dyn Future<Output = Result<(), JobError>> + Send>>;

/// A kind of job.
#[derive(Clone)]
pub(in crate::jobs) struct JobKind {
    pub(in crate::jobs) name: &'static str,
    pub(in crate::jobs) schedule: Schedule,
    /// Runs of queued jobs of this kind that a replica has at once; `None`: they share slots with other kinds.
    pub(in crate::jobs) own_slots: Option<usize>,
    pub(in crate::jobs) command: Arc<dyn Fn(JobRun) -> Outcome + Send + Sync>,
}

/// The kinds of jobs that a replica runs. It ignores others.
#[derive(Clone, Default)]
pub struct Registry(BTreeMap<&'static str, JobKind>);

impl Registry {
    /// Adds a periodic job, which one replica runs once a period.
    #[must_use]
    pub fn every<F>(
        self,
        period: TimeDelta,
        name: &'static str,
        command: impl Fn(JobRun) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<(), JobError>> + Send + 'static,
    {
        self.with(name, (Schedule::Every(period), None), command)
    }

    /// Adds a kind of queued jobs, which commands enqueue in their transactions.
    ///
    /// A run may be repeated if its holder dies. Writes that must happen once belong in one transaction that finishes
    /// the job.
    #[must_use]
    pub fn queued<F>(self, name: &'static str, command: impl Fn(JobRun) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), JobError>> + Send + 'static,
    {
        self.with(name, (Schedule::Queued, None), command)
    }

    /// Adds a kind of queued jobs that wait for others most of the time, so that many run at once, and other kinds do
    /// not wait for them.
    #[must_use]
    pub fn queued_apart<F>(
        self,
        at_once: usize,
        name: &'static str,
        command: impl Fn(JobRun) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<(), JobError>> + Send + 'static,
    {
        self.with(name, (Schedule::Queued, Some(at_once)), command)
    }

    fn with<F>(
        mut self,
        name: &'static str,
        (schedule, own_slots): (Schedule, Option<usize>),
        command: impl Fn(JobRun) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<(), JobError>> + Send + 'static,
    {
        let command: Arc<dyn Fn(JobRun) -> Outcome + Send + Sync> = Arc::new(move |run| Box::pin(command(run)));
        self.0.insert(name, JobKind { name, schedule, own_slots, command });
        self
    }

    pub(in crate::jobs) fn kinds(&self) -> impl Iterator<Item = &JobKind> {
        self.0.values()
    }

    /// Returns the kinds of queued jobs that share slots, with the number of these: `shared`, and those with slots of
    /// their own.
    pub(in crate::jobs) fn queues(&self, shared: usize) -> Vec<(Vec<&'static str>, usize)> {
        let queued = || self.kinds().filter(|kind| kind.schedule == Schedule::Queued);
        let sharing = queued().filter(|kind| kind.own_slots.is_none()).map(|kind| kind.name).collect();
        let apart = queued().filter_map(|kind| Some((vec![kind.name], kind.own_slots?)));
        std::iter::once((sharing, shared)).chain(apart).collect()
    }

    pub(in crate::jobs) fn kind(&self, name: &str) -> Option<&JobKind> {
        self.0.get(name)
    }
}
