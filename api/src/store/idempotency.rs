//! Idempotency keys of creating mutations, claimed in the mutation's transaction before any lock is taken.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use entities::idempotency_key;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, Set, sea_query::OnConflict};
use uuid::Uuid;

use crate::store::{Store, StoreError, Tx, batching::batches};

/// A caller's idempotency key with a digest of the input it belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IdempotencyKey {
    /// The caller.
    pub subject: String,
    /// Name of the mutation.
    pub operation: &'static str,
    /// The caller's key.
    pub key: String,
    /// Digest of the input's canonical JSON, prefixed with the version of the canonical form.
    pub digest: String,
    /// Digest of the input as earlier releases compute it. Those releases run beside this one during an upgrade, and
    /// keys are kept for a week, so the next release can drop it.
    pub former_digest: String,
}

impl IdempotencyKey {
    /// Returns whether a stored claim belongs to the same input.
    fn has_input_of(&self, row: &idempotency_key::Model) -> bool {
        match &row.canonical_digest {
            Some(digest) => *digest == self.digest,
            None => row.input_digest == self.former_digest,
        }
    }
}

const KEY_COLUMNS: [idempotency_key::Column; 3] =
    [idempotency_key::Column::Subject, idempotency_key::Column::Operation, idempotency_key::Column::Key];

fn is_key(key: &IdempotencyKey) -> Condition {
    Condition::all()
        .add(idempotency_key::Column::Subject.eq(key.subject.as_str()))
        .add(idempotency_key::Column::Operation.eq(key.operation))
        .add(idempotency_key::Column::Key.eq(key.key.as_str()))
}

/// Result of claiming a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyClaim {
    /// The key was free, and this command now holds it.
    New,
    /// An earlier call with the same input created this object.
    Repeat(Uuid),
    /// The key was used with another input.
    OtherInput,
}

impl Tx {
    /// Claims a key for a command that will create `result`. Waits for a concurrent claim of the same key.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn claim_one(
        &self,
        key: &IdempotencyKey,
        result: Uuid,
        now: DateTime<Utc>,
    ) -> Result<KeyClaim, StoreError> {
        let claims = self.claim_idempotency_keys(&[(key.clone(), result, now)]).await?;
        claims.get(key).copied().ok_or(StoreError::Corrupt("idempotency key"))
    }

    /// Claims several distinct keys, each with the result its command will create.
    ///
    /// Inserts in key order, so that two transactions with the same keys cannot deadlock.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn claim_idempotency_keys(
        &self,
        claims: &[(IdempotencyKey, Uuid, DateTime<Utc>)],
    ) -> Result<HashMap<IdempotencyKey, KeyClaim>, StoreError> {
        let mut claims: Vec<_> = claims.iter().collect();
        claims.sort_by(|(a, ..), (b, ..)| (&a.subject, &a.key).cmp(&(&b.subject, &b.key)));
        if claims.is_empty() {
            return Ok(HashMap::new());
        }
        let rows = claims.iter().map(|(key, result, now)| idempotency_key::ActiveModel {
            subject: Set(key.subject.clone()),
            operation: Set(key.operation.to_owned()),
            key: Set(key.key.clone()),
            input_digest: Set(key.former_digest.clone()),
            canonical_digest: Set(Some(key.digest.clone())),
            result: Set(*result),
            created_at: Set(*now),
        });
        let skip_claimed = OnConflict::columns(KEY_COLUMNS).do_nothing().to_owned();
        let written = self.insert_rows(rows.collect(), Some(skip_claimed)).await?;
        let ours = |(key, ..): &&(IdempotencyKey, Uuid, DateTime<Utc>)| (key.clone(), KeyClaim::New);
        if usize::try_from(written).is_ok_and(|written| written == claims.len()) {
            return Ok(claims.iter().map(ours).collect());
        }
        let keys = claims.iter().fold(Condition::any(), |any, (key, ..)| any.add(is_key(key)));
        let rows = idempotency_key::Entity::find().filter(keys).all(self.inner()).await?;
        let found = |(key, result, _): &&(IdempotencyKey, Uuid, DateTime<Utc>)| {
            let same = |row: &&idempotency_key::Model| row.subject == key.subject && row.key == key.key;
            let row = rows.iter().find(same).ok_or(StoreError::Corrupt("idempotency key"))?;
            let claim = match row {
                row if row.result == *result => KeyClaim::New,
                row if key.has_input_of(row) => KeyClaim::Repeat(row.result),
                _ => KeyClaim::OtherInput,
            };
            Ok((key.clone(), claim))
        };
        claims.iter().map(found).collect()
    }

    /// Releases claims of rejected commands.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn release_idempotency_keys(&self, claims: &[(IdempotencyKey, Uuid)]) -> Result<(), StoreError> {
        if claims.is_empty() {
            return Ok(());
        }
        // Matches the result too, so that a rejected repeat keeps the first call's claim.
        let each =
            |(key, result): &(IdempotencyKey, Uuid)| is_key(key).add(idempotency_key::Column::Result.eq(*result));
        let keys = claims.iter().fold(Condition::any(), |any, claim| any.add(each(claim)));
        idempotency_key::Entity::delete_many().filter(keys).exec(self.inner()).await?;
        Ok(())
    }

    /// Deletes keys that were claimed before `moment`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_idempotency_keys(&self, moment: DateTime<Utc>) -> Result<(), StoreError> {
        idempotency_key::Entity::delete_many()
            .filter(idempotency_key::Column::CreatedAt.lt(moment))
            .exec(self.inner())
            .await?;
        Ok(())
    }
}

impl Store {
    /// Returns whether any of these keys is claimed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn any_claimed(&self, keys: &[IdempotencyKey]) -> Result<bool, StoreError> {
        for batch in batches(keys) {
            let any = batch.iter().fold(Condition::any(), |any, key| any.add(is_key(key)));
            if idempotency_key::Entity::find().filter(any).one(self.reader()).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
