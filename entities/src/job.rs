//! Scheduled and queued jobs.

use sea_orm::entity::prelude::*;

/// One row of `jobs`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "jobs")]
pub struct Model {
    /// What the job does. Replicas ignore kinds that they do not know.
    #[sea_orm(primary_key, auto_increment = false)]
    pub kind: String,
    /// Identifies the job within its kind; empty for a periodic job.
    #[sea_orm(primary_key, auto_increment = false)]
    pub key: String,
    /// When it is due; `None` if it is parked until the operator restarts it.
    pub run_at: Option<DateTimeUtc>,
    /// Attempts since its last success.
    pub attempts: i32,
    /// When the holder's lease expires; `None` if no replica holds it.
    pub lease_until: Option<DateTimeUtc>,
    /// Raised for every holder, who may write only while the row has its number.
    pub fence: i64,
    /// Input of a queued job, as JSON.
    pub payload: Option<String>,
    /// When it was parked for failing too often.
    pub parked_at: Option<DateTimeUtc>,
}

/// Rows are joined by hand, in the store.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
