//! Scheduled and queued jobs: enqueueing, taking and counting them.

use chrono::{DateTime, Utc};
use entities::job::{self, Column, Entity};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Set,
    sea_query::{Expr, ExprTrait, LockBehavior, LockType, OnConflict},
};
use serde_json::Value;

use crate::{
    domain::jobs::{LEASE, Schedule},
    store::{
        Store, StoreError, Tx,
        batching::batches,
        job_leases::{JobKey, Lease, is},
    },
};

/// Key of a periodic job, the only one of its kind.
const PERIODIC: &str = "";

/// A job that a replica has taken.
#[derive(Clone, Debug)]
pub struct TakenJob {
    /// The lease.
    pub lease: Lease,
    /// When it was due.
    pub due: DateTime<Utc>,
    /// Attempts since its last success, including this one.
    pub attempts: i32,
    /// Its input; null for a periodic job.
    pub payload: Value,
}

/// A job to enqueue.
#[derive(Clone, Debug)]
pub struct NewJob<'a> {
    /// What the job does.
    pub kind: &'a str,
    /// Identifies it within its kind.
    pub key: &'a str,
    /// When it is due.
    pub run_at: DateTime<Utc>,
    /// Its input.
    pub payload: &'a Value,
}

/// Jobs of a kind that need the operator's attention.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobCounts {
    /// The kind, which may be unknown to this version.
    pub kind: String,
    /// Parked jobs.
    pub parked: u64,
    /// Overdue jobs without a holder.
    pub overdue: u64,
}

fn is_due(now: DateTime<Utc>) -> Condition {
    let is_free = Condition::any().add(Column::LeaseUntil.is_null()).add(Column::LeaseUntil.lte(now));
    Condition::all().add(Column::RunAt.lte(now)).add(is_free)
}

fn new_row(kind: &str, key: &str, run_at: DateTime<Utc>, payload: Option<String>) -> job::ActiveModel {
    job::ActiveModel {
        kind: Set(kind.to_owned()),
        key: Set(key.to_owned()),
        run_at: Set(Some(run_at)),
        attempts: Set(0),
        lease_until: Set(None),
        fence: Set(0),
        payload: Set(payload),
        parked_at: Set(None),
    }
}

/// Leaves a job that exists as it is.
fn if_new() -> OnConflict {
    OnConflict::columns([Column::Kind, Column::Key]).do_nothing().to_owned()
}

impl Tx {
    /// Enqueues a job if the transaction commits. Returns whether the job is new.
    ///
    /// A job of the same kind and key that is not done yet is left unchanged.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn enqueue(&self, new: &NewJob<'_>) -> Result<bool, StoreError> {
        self.insert_if_new(new.kind, new.key, new.run_at, Some(new.payload.to_string())).await
    }

    /// Enqueues jobs if the transaction commits, with few statements. Those that are not done yet are left unchanged.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn enqueue_all(&self, new: &[NewJob<'_>]) -> Result<(), StoreError> {
        let rows = new.iter().map(|job| new_row(job.kind, job.key, job.run_at, Some(job.payload.to_string())));
        self.insert_rows(rows.collect(), Some(if_new())).await.map(drop)
    }

    /// Makes jobs of a kind that were parked before a time due again.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unpark_jobs(
        &self,
        kind: &str,
        parked_before: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let again = job::ActiveModel {
            run_at: Set(Some(now)),
            attempts: Set(0),
            parked_at: Set(None),
            ..job::ActiveModel::default()
        };
        let parked = Condition::all().add(Column::Kind.eq(kind)).add(Column::ParkedAt.lt(parked_before));
        Entity::update_many().set(again).filter(parked).exec(self.inner()).await?;
        Ok(())
    }

    async fn insert_if_new(
        &self,
        kind: &str,
        key: &str,
        run_at: DateTime<Utc>,
        payload: Option<String>,
    ) -> Result<bool, StoreError> {
        let insert = Entity::insert(new_row(kind, key, run_at, payload)).on_conflict(if_new());
        Ok(insert.exec_without_returning(self.inner()).await? == 1)
    }

    /// Leases those of the named jobs that are due and free. Each gets a fence that no earlier holder has had.
    async fn take(&self, jobs: &[JobKey], now: DateTime<Utc>) -> Result<Vec<TakenJob>, StoreError> {
        let named = jobs.iter().fold(Condition::any(), |any, job| any.add(is(job)));
        let free = Entity::find().filter(named).filter(is_due(now)).order_by_asc(Column::RunAt);
        let rows = free.lock_with_behavior(LockType::Update, LockBehavior::SkipLocked).all(self.inner()).await?;
        let mut taken = Vec::with_capacity(rows.len());
        for row in rows {
            let (Some(due), attempts) = (row.run_at, row.attempts.saturating_add(1)) else { continue };
            // An invalid payload fails its own job, not those that are taken with it.
            let payload = row.payload.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
            let job = JobKey { kind: row.kind, key: row.key };
            // At least the current time: a job that was done and enqueued again starts with fence 0, and a
            // stopped holder of the first one must not match its fence.
            let lease = Lease { job, fence: Ord::max(row.fence.saturating_add(1), now.timestamp_millis()) };
            let holder = job::ActiveModel {
                fence: Set(lease.fence),
                lease_until: Set(Some(now + LEASE)),
                attempts: Set(attempts),
                ..job::ActiveModel::default()
            };
            Entity::update_many().set(holder).filter(is(&lease.job)).exec(self.inner()).await?;
            taken.push(TakenJob { lease, due, attempts, payload });
        }
        Ok(taken)
    }
}

impl Store {
    /// Creates missing rows of periodic jobs, and corrects those that a wrong clock has moved into the future.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn register_periodic(
        &self,
        kinds: &[(&'static str, Schedule)],
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let tx = self.begin().await?;
        for (kind, schedule) in kinds {
            tx.insert_if_new(kind, PERIODIC, now, None).await?;
            let put_off = Condition::any()
                .add(Column::RunAt.gt(schedule.horizon(now)))
                .add(Column::RunAt.is_null())
                .add(Column::LeaseUntil.gt(now + LEASE * 2));
            let at_once =
                job::ActiveModel { run_at: Set(Some(now)), lease_until: Set(None), ..job::ActiveModel::default() };
            let periodic = JobKey { kind: (*kind).to_owned(), key: PERIODIC.to_owned() };
            Entity::update_many().set(at_once).filter(is(&periodic)).filter(put_off).exec(tx.inner()).await?;
        }
        tx.commit().await.map(drop)
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
        now: DateTime<Utc>,
    ) -> Result<Vec<TakenJob>, StoreError> {
        // Read without a lock first, so that a poll that finds nothing writes nothing.
        let due = Entity::find()
            .select_only()
            .columns([Column::Kind, Column::Key])
            .filter(Column::Kind.is_in(kinds.iter().copied()))
            .filter(is_due(now))
            .order_by_asc(Column::RunAt)
            .limit(u64::try_from(limit.saturating_add(except.len())).unwrap_or(u64::MAX));
        let due: Vec<(String, String)> = due.into_tuple().all(self.reader()).await?;
        let mut due: Vec<_> = due.into_iter().map(|(kind, key)| JobKey { kind, key }).collect();
        due.retain(|job| !except.contains(job));
        due.truncate(limit);
        if due.is_empty() {
            return Ok(Vec::new());
        }
        let tx = self.begin().await?;
        let mut taken = Vec::with_capacity(due.len());
        for part in batches(&due) {
            taken.extend(tx.take(part, now).await?);
        }
        tx.commit().await?;
        Ok(taken)
    }

    /// Counts parked jobs, and free jobs that were due at `overdue`, by kind.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn job_counts(&self, overdue: DateTime<Utc>, now: DateTime<Utc>) -> Result<Vec<JobCounts>, StoreError> {
        let is_overdue = is_due(now).add(Column::RunAt.lte(overdue));
        let parked = self.count_by_kind(Condition::all().add(Column::ParkedAt.is_not_null())).await?;
        let mut counts: Vec<_> =
            parked.into_iter().map(|(kind, parked)| JobCounts { kind, parked, overdue: 0 }).collect();
        for (kind, overdue) in self.count_by_kind(is_overdue).await? {
            match counts.iter_mut().find(|counts| counts.kind == kind) {
                Some(counts) => counts.overdue = overdue,
                None => counts.push(JobCounts { kind, parked: 0, overdue }),
            }
        }
        Ok(counts)
    }

    async fn count_by_kind(&self, which: Condition) -> Result<Vec<(String, u64)>, StoreError> {
        let counts =
            Entity::find().select_only().column(Column::Kind).column_as(Expr::col(Column::Key).count(), "jobs");
        let counts: Vec<(String, i64)> =
            counts.filter(which).group_by(Column::Kind).into_tuple().all(self.reader()).await?;
        Ok(counts.into_iter().map(|(kind, jobs)| (kind, u64::try_from(jobs).unwrap_or_default())).collect())
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use serde_json::json;

    use super::*;
    use crate::store::job_leases::JobError;

    const KINDS: [&str; 1] = ["remind"];

    async fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::connect(&format!("sqlite://{}", dir.path().join("test.db").display()), 2).await.unwrap();
        store.migrate().await.unwrap();
        (dir, store)
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(1_000_000 + seconds)
    }

    /// Runs a command that enqueues a job and commits, or fails.
    async fn enqueue(store: &Store, payload: &Value, commits: bool) -> bool {
        let tx = store.begin().await.unwrap();
        tx.revoke_tokens("somebody", at(0)).await.unwrap();
        let new = tx.enqueue(&NewJob { kind: "remind", key: "a", run_at: at(0), payload }).await.unwrap();
        if commits {
            tx.commit().await.unwrap();
        }
        new
    }

    async fn take(store: &Store, now: DateTime<Utc>) -> Vec<TakenJob> {
        store.take_jobs(&KINDS, &[], 10, now).await.unwrap()
    }

    #[tokio::test]
    async fn enqueues_a_job_only_if_the_command_commits() {
        let (_dir, store) = store().await;
        assert!(enqueue(&store, &json!({}), false).await);
        assert!(take(&store, at(0)).await.is_empty());
        assert!(enqueue(&store, &json!({ "to": 1 }), true).await);
        assert!(!enqueue(&store, &json!({ "to": 2 }), true).await, "it is enqueued already");
        assert!(take(&store, at(-1)).await.is_empty(), "it is not due");
        let taken = take(&store, at(0)).await;
        let [job] = &taken[..] else { panic!("{taken:?}") };
        assert_eq!((job.attempts, job.due, &job.payload), (1, at(0), &json!({ "to": 1 })));
        assert!(take(&store, at(4)).await.is_empty(), "it is held");
        assert!(store.take_jobs(&["other"], &[], 10, at(9)).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn rejects_every_write_of_a_former_holder() {
        let (_dir, store) = store().await;
        enqueue(&store, &json!({}), true).await;
        let first = take(&store, at(0)).await.remove(0).lease;
        drop(store.begin_fenced(&first).await.unwrap());
        store.renew_lease(&first, at(3)).await.unwrap();
        assert!(take(&store, at(7)).await.is_empty());
        let second = take(&store, at(8)).await.remove(0);
        assert_eq!(second.attempts, 2);
        assert!(matches!(store.begin_fenced(&first).await, Err(JobError::LeaseLost)));
        for refused in [
            store.renew_lease(&first, at(9)).await,
            store.confirm_job(&first, at(9)).await,
            store.reschedule_job(&first, at(9)).await,
            store.retry_job(&first, 1, at(9)).await,
            store.park_job(&first, 1, at(9), None).await,
            store.complete_job(&first).await,
        ] {
            assert!(matches!(refused, Err(JobError::LeaseLost)), "{refused:?}");
        }
        store.complete_job(&second.lease).await.unwrap();
        // A new job under the same key does not match an old lease.
        enqueue(&store, &json!({}), true).await;
        let third = take(&store, at(9)).await.remove(0).lease;
        assert!(matches!(store.begin_fenced(&first).await, Err(JobError::LeaseLost)));
        store.begin_fenced(&third).await.unwrap();
    }

    #[tokio::test]
    async fn a_settled_job_has_no_holder() {
        let (_dir, store) = store().await;
        enqueue(&store, &json!({}), true).await;
        let lease = take(&store, at(0)).await.remove(0).lease;
        store.retry_job(&lease, 1, at(1)).await.unwrap();
        assert!(matches!(store.begin_fenced(&lease).await, Err(JobError::LeaseLost)));
        let lease = take(&store, at(1)).await.remove(0).lease;
        store.park_job(&lease, 2, at(1), None).await.unwrap();
        assert!(take(&store, at(1_000_000)).await.is_empty());
        let counts = store.job_counts(at(1), at(2)).await.unwrap();
        assert_eq!(counts, [JobCounts { kind: "remind".to_owned(), parked: 1, overdue: 0 }]);
    }

    #[tokio::test]
    async fn finishes_a_job_only_if_its_transaction_commits() {
        let (_dir, store) = store().await;
        enqueue(&store, &json!({}), true).await;
        let lease = take(&store, at(0)).await.remove(0).lease;
        let tx = store.begin_fenced(&lease).await.unwrap();
        tx.finish_job(&lease).await.unwrap();
        drop(tx);
        let tx = store.begin_fenced(&lease).await.unwrap();
        tx.finish_job(&lease).await.unwrap();
        tx.commit().await.unwrap();
        store.complete_job(&lease).await.unwrap();
        assert!(take(&store, at(9)).await.is_empty());
    }

    #[tokio::test]
    async fn corrects_a_periodic_job_that_a_wrong_clock_has_moved() {
        let (_dir, store) = store().await;
        let kinds = [("remind", Schedule::Every(TimeDelta::minutes(1)))];
        store.register_periodic(&kinds, at(0) + TimeDelta::days(365)).await.unwrap();
        assert!(take(&store, at(0)).await.is_empty());
        store.register_periodic(&kinds, at(0)).await.unwrap();
        let lease = take(&store, at(0)).await.remove(0).lease;
        store.reschedule_job(&lease, at(60)).await.unwrap();
        store.register_periodic(&kinds, at(1)).await.unwrap();
        assert!(take(&store, at(59)).await.is_empty(), "a correct one is unchanged");
        let overdue = store.job_counts(at(120), at(180)).await.unwrap();
        assert_eq!(overdue, [JobCounts { kind: "remind".to_owned(), parked: 0, overdue: 1 }]);
    }
}
