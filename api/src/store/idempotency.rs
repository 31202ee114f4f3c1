//! First results of creating mutations. The key is claimed in the transaction of the act, before anything is locked.

use chrono::{DateTime, Utc};
use entities::idempotency_key;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Set, sea_query::OnConflict};
use uuid::Uuid;

use crate::store::{StoreError, Tx};

/// A caller's wish that an act happen once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Once {
    /// The caller.
    pub subject: String,
    /// Name of the mutation.
    pub operation: &'static str,
    /// The caller's key.
    pub key: String,
    /// SHA-256 of the input, in hex.
    pub digest: String,
}

/// What a claim found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// The key is this act's.
    Ours,
    /// The act was done before and made this.
    Done(Uuid),
    /// The key was used with another input.
    Reused,
}

impl Tx {
    /// Claims a key for an act that will make `result`. A claim under way elsewhere is waited for.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn claim(&self, once: &Once, result: Uuid, now: DateTime<Utc>) -> Result<Claim, StoreError> {
        let row = idempotency_key::ActiveModel {
            subject: Set(once.subject.clone()),
            operation: Set(once.operation.to_owned()),
            key: Set(once.key.clone()),
            input_digest: Set(once.digest.clone()),
            result: Set(result),
            created_at: Set(now),
        };
        let key = [idempotency_key::Column::Subject, idempotency_key::Column::Operation, idempotency_key::Column::Key];
        let written = idempotency_key::Entity::insert(row)
            .on_conflict(OnConflict::columns(key).do_nothing().to_owned())
            .exec_without_returning(self.inner())
            .await?;
        if written > 0 {
            return Ok(Claim::Ours);
        }
        let id = (once.subject.clone(), once.operation.to_owned(), once.key.clone());
        let first = idempotency_key::Entity::find_by_id(id).one(self.inner()).await?;
        let first = first.ok_or(StoreError::Corrupt("idempotency key"))?;
        Ok(if first.input_digest == once.digest { Claim::Done(first.result) } else { Claim::Reused })
    }

    /// Forgets keys that were claimed before `moment`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_keys(&self, moment: DateTime<Utc>) -> Result<(), StoreError> {
        idempotency_key::Entity::delete_many()
            .filter(idempotency_key::Column::CreatedAt.lt(moment))
            .exec(self.inner())
            .await?;
        Ok(())
    }
}
