//! The queue of jobs, as the runner of a replica uses it: taking jobs, and recording how their runs ended.

use chrono::{DateTime, TimeDelta, Utc};

pub use crate::store::{
    job_leases::{JobError, JobKey, Lease},
    jobs::{JobCounts, TakenJob},
};
use crate::{app::App, domain::jobs::Schedule, store::StoreError};

impl App {
    /// Creates missing periodic jobs, and corrects those that a wrong clock has moved into the future.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn register_periodic_jobs(&self, kinds: &[(&'static str, Schedule)]) -> Result<(), StoreError> {
        self.store.register_periodic(kinds, self.now()).await
    }

    /// Leases at most `limit` jobs of these kinds that are due and free, the oldest first, except those in `except`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn take_jobs(
        &self,
        kinds: &[&'static str],
        except: &[JobKey],
        limit: usize,
    ) -> Result<Vec<TakenJob>, StoreError> {
        self.store.take_jobs(kinds, except, limit, self.now()).await
    }

    /// Renews the lease of a running job.
    ///
    /// # Errors
    /// When the lease is lost or the database fails.
    pub async fn renew_lease(&self, lease: &Lease) -> Result<(), JobError> {
        self.store.renew_lease(lease, self.now()).await
    }

    /// Records the success of a job whose holder keeps its lease.
    ///
    /// # Errors
    /// When the lease is lost or the database fails.
    pub async fn confirm_job(&self, lease: &Lease) -> Result<(), JobError> {
        self.store.confirm_job(lease, self.now()).await
    }

    /// Deletes a queued job that is done, unless its last transaction has deleted it.
    ///
    /// # Errors
    /// When the lease is lost or the database fails.
    pub async fn complete_job(&self, lease: &Lease) -> Result<(), JobError> {
        self.store.complete_job(lease).await
    }

    /// Releases a periodic job after its success. It runs again at `next`.
    ///
    /// # Errors
    /// When the lease is lost or the database fails.
    pub async fn reschedule_job(&self, lease: &Lease, next: DateTime<Utc>) -> Result<(), JobError> {
        self.store.reschedule_job(lease, next).await
    }

    /// Releases a job that has not succeeded. It runs again at `at`.
    ///
    /// # Errors
    /// When the lease is lost or the database fails.
    pub async fn retry_job(&self, lease: &Lease, attempts: i32, at: DateTime<Utc>) -> Result<(), JobError> {
        self.store.retry_job(lease, attempts, at).await
    }

    /// Releases a job as parked at `now`. It runs again at `next`, if given.
    ///
    /// # Errors
    /// When the lease is lost or the database fails.
    pub async fn park_job(
        &self,
        lease: &Lease,
        attempts: i32,
        now: DateTime<Utc>,
        next: Option<DateTime<Utc>>,
    ) -> Result<(), JobError> {
        self.store.park_job(lease, attempts, now, next).await
    }

    /// Counts parked jobs, and free jobs that have been due for `overdue_after`, by kind.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn job_counts(&self, overdue_after: TimeDelta) -> Result<Vec<JobCounts>, StoreError> {
        let now = self.now();
        self.store.job_counts(now - overdue_after, now).await
    }
}
