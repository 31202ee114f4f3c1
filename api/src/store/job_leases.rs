//! Leases of jobs, and the fence that every write of a holder checks.
//!
//! Other replicas leave a job alone until its lease expires. A holder may not notice that, for example if its process was
//! stopped. So every transaction of a run locks the job's row and compares the fence ([`Store::begin_fenced`]).
//! The job's row is the first in the lock order.

use chrono::{DateTime, Utc};
use entities::job::{self, Column, Entity};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, PaginatorTrait, QueryFilter, QuerySelect, Set, UpdateMany,
    sea_query::{Expr, Func},
};

use crate::{
    domain::jobs::LEASE,
    store::{Store, StoreError, Tx},
};

/// Identifies a job.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobKey {
    /// What the job does.
    pub kind: String,
    /// Identifies it within its kind; empty for a periodic job.
    pub key: String,
}

/// A replica's right to run a job until another replica takes it over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    pub(in crate::store) job: JobKey,
    pub(in crate::store) fence: i64,
}

impl Lease {
    /// The job.
    #[must_use]
    pub const fn job(&self) -> &JobKey {
        &self.job
    }
}

/// Why a run of a job failed.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// Another replica has taken the job over, so the write was rejected.
    #[error("the lease is lost")]
    LeaseLost,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The job itself failed.
    #[error("the job failed")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl JobError {
    /// Returns whether the rest of the run would fail too.
    #[must_use]
    pub fn ends_run(&self) -> bool {
        match self {
            Self::LeaseLost => true,
            Self::Store(error) => error.is_unreachable(),
            Self::Failed(_) => false,
        }
    }

    /// Returns the error and its causes for a log.
    #[must_use]
    pub fn chain(&self) -> String {
        match self {
            Self::LeaseLost => self.to_string(),
            Self::Store(error) => error.chain(),
            Self::Failed(cause) => format!("{self}: {cause}"),
        }
    }
}

pub(in crate::store) fn is(job: &JobKey) -> Condition {
    Condition::all().add(Column::Kind.eq(job.kind.as_str())).add(Column::Key.eq(job.key.as_str()))
}

fn is_held_by(lease: &Lease) -> Condition {
    is(&lease.job).add(Column::Fence.eq(lease.fence))
}

/// A row without changes, to be filled with those of an update.
fn unchanged() -> job::ActiveModel {
    job::ActiveModel::default()
}

impl Tx {
    /// Deletes a queued job in the transaction of its last write, so that the write happens once.
    ///
    /// Call it last: a command that enqueues the same job may wait for it.
    ///
    /// # Errors
    /// When the lease is lost or the database fails.
    pub async fn finish_job(&self, lease: &Lease) -> Result<(), JobError> {
        let deleted = Entity::delete_many().filter(is_held_by(lease)).exec(self.inner()).await;
        if deleted.map_err(StoreError::from)?.rows_affected == 0 { Err(JobError::LeaseLost) } else { Ok(()) }
    }
}

impl Store {
    /// Begins a writing transaction of a run. It locks the job's row, so that the job is not taken over before it ends.
    ///
    /// # Errors
    /// When the lease is lost or the database fails.
    pub async fn begin_fenced(&self, lease: &Lease) -> Result<Tx, JobError> {
        let tx = self.begin().await?;
        let row = Entity::find().select_only().column(Column::Fence).filter(is_held_by(lease)).lock_exclusive();
        let row = row.into_tuple::<i64>().one(tx.inner()).await.map_err(StoreError::from)?;
        if row.is_none() { Err(JobError::LeaseLost) } else { Ok(tx) }
    }

    /// Renews a lease.
    ///
    /// # Errors
    /// When the lease is lost or the database fails.
    pub async fn renew_lease(&self, lease: &Lease, now: DateTime<Utc>) -> Result<(), JobError> {
        let renewed = job::ActiveModel { lease_until: Set(Some(now + LEASE)), ..unchanged() };
        self.change(lease, Entity::update_many().set(renewed)).await
    }

    /// Records the success of a job whose holder keeps its lease.
    ///
    /// # Errors
    /// When the lease is lost or the database fails.
    pub async fn confirm_job(&self, lease: &Lease, now: DateTime<Utc>) -> Result<(), JobError> {
        let lease_until = Set(Some(now + LEASE));
        let confirmed = job::ActiveModel { attempts: Set(0), parked_at: Set(None), lease_until, ..unchanged() };
        self.change(lease, Entity::update_many().set(confirmed)).await
    }

    /// Releases a periodic job after its success.
    ///
    /// # Errors
    /// When the lease is lost or the database fails.
    pub async fn reschedule_job(&self, lease: &Lease, next: DateTime<Utc>) -> Result<(), JobError> {
        let done = job::ActiveModel { attempts: Set(0), parked_at: Set(None), ..released(lease, Some(next)) };
        self.change(lease, Entity::update_many().set(done)).await
    }

    /// Releases a job that is not done, for any replica to run at `at`.
    ///
    /// # Errors
    /// When the lease is lost or the database fails.
    pub async fn retry_job(&self, lease: &Lease, attempts: i32, at: DateTime<Utc>) -> Result<(), JobError> {
        let again = job::ActiveModel { attempts: Set(attempts), ..released(lease, Some(at)) };
        self.change(lease, Entity::update_many().set(again)).await
    }

    /// Releases a job as parked. It runs again at `next`, if given.
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
        let parked = job::ActiveModel { attempts: Set(attempts), ..released(lease, next) };
        let since = Func::coalesce([Expr::col(Column::ParkedAt), Expr::value(now)]);
        self.change(lease, Entity::update_many().set(parked).col_expr(Column::ParkedAt, since.into())).await
    }

    /// Deletes a queued job that is done, unless its last transaction has deleted it.
    ///
    /// # Errors
    /// When the lease is lost or the database fails.
    pub async fn complete_job(&self, lease: &Lease) -> Result<(), JobError> {
        let tx = self.begin().await?;
        match tx.finish_job(lease).await {
            Ok(()) => Ok(tx.commit().await.map(drop)?),
            Err(JobError::LeaseLost) => {
                let others = Entity::find().filter(is(&lease.job)).count(tx.inner()).await.map_err(StoreError::from)?;
                if others == 0 { Ok(()) } else { Err(JobError::LeaseLost) }
            }
            Err(error) => Err(error),
        }
    }

    async fn change(&self, lease: &Lease, update: UpdateMany<Entity>) -> Result<(), JobError> {
        let tx = self.begin().await?;
        let updated = update.filter(is_held_by(lease)).exec(tx.inner()).await;
        if updated.map_err(StoreError::from)?.rows_affected == 0 {
            return Err(JobError::LeaseLost);
        }
        Ok(tx.commit().await.map(drop)?)
    }
}

/// A free row. The fence is raised, so that the former holder's writes are rejected.
fn released(lease: &Lease, run_at: Option<DateTime<Utc>>) -> job::ActiveModel {
    job::ActiveModel {
        run_at: Set(run_at),
        lease_until: Set(None),
        fence: Set(lease.fence.saturating_add(1)),
        ..unchanged()
    }
}
