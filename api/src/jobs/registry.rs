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
}

type Outcome = Pin<Box<dyn Future<Output = Result<(), JobError>> + Send>>;

/// A kind of job.
#[derive(Clone)]
pub(in crate::jobs) struct JobKind {
    pub(in crate::jobs) name: &'static str,
    pub(in crate::jobs) schedule: Schedule,
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
        self.with(name, Schedule::Every(period), command)
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
        self.with(name, Schedule::Queued, command)
    }

    fn with<F>(
        mut self,
        name: &'static str,
        schedule: Schedule,
        command: impl Fn(JobRun) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<(), JobError>> + Send + 'static,
    {
        let command: Arc<dyn Fn(JobRun) -> Outcome + Send + Sync> = Arc::new(move |run| Box::pin(command(run)));
        self.0.insert(name, JobKind { name, schedule, command });
        self
    }

    pub(in crate::jobs) fn kinds(&self) -> impl Iterator<Item = &JobKind> {
        self.0.values()
    }

    pub(in crate::jobs) fn kind(&self, name: &str) -> Option<&JobKind> {
        self.0.get(name)
    }
}
