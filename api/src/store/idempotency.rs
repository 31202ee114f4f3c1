//! First results of creating mutations. The key is claimed in the transaction of the act, before anything is locked.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use entities::idempotency_key;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, Set, sea_query::OnConflict};
use uuid::Uuid;

use crate::store::{Store, StoreError, Tx, shapes::parts};

/// A caller's wish that an act happen once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Once {
    /// The caller.
    pub subject: String,
    /// Name of the mutation.
    pub operation: &'static str,
    /// The caller's key.
    pub key: String,
    /// Digest of the input's canonical JSON, after its version.
    pub digest: String,
    /// Digest of the input as earlier releases made it. They run beside this one during an upgrade, and their keys last a week:
    /// the next release leaves it out.
    pub former_digest: String,
}

impl Once {
    /// Whether a stored claim was for the same input.
    fn is_input_of(&self, row: &idempotency_key::Model) -> bool {
        match &row.canonical_digest {
            Some(digest) => *digest == self.digest,
            None => row.input_digest == self.former_digest,
        }
    }
}

const KEY: [idempotency_key::Column; 3] =
    [idempotency_key::Column::Subject, idempotency_key::Column::Operation, idempotency_key::Column::Key];

fn is(once: &Once) -> Condition {
    Condition::all()
        .add(idempotency_key::Column::Subject.eq(once.subject.as_str()))
        .add(idempotency_key::Column::Operation.eq(once.operation))
        .add(idempotency_key::Column::Key.eq(once.key.as_str()))
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
        let claims = self.claim_all(&[(once.clone(), result, now)]).await?;
        claims.get(once).copied().ok_or(StoreError::Corrupt("idempotency key"))
    }

    /// Claims several keys, no two the same, each for what its act will make. In the order of the keys, so that two who claim
    /// the same ones do not wait for each other.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn claim_all(&self, claims: &[(Once, Uuid, DateTime<Utc>)]) -> Result<HashMap<Once, Claim>, StoreError> {
        let mut claims: Vec<_> = claims.iter().collect();
        claims.sort_by(|(a, ..), (b, ..)| (&a.subject, &a.key).cmp(&(&b.subject, &b.key)));
        if claims.is_empty() {
            return Ok(HashMap::new());
        }
        let mut written = 0;
        for part in parts(&claims) {
            let rows = part.iter().map(|(once, result, now)| idempotency_key::ActiveModel {
                subject: Set(once.subject.clone()),
                operation: Set(once.operation.to_owned()),
                key: Set(once.key.clone()),
                input_digest: Set(once.former_digest.clone()),
                canonical_digest: Set(Some(once.digest.clone())),
                result: Set(*result),
                created_at: Set(*now),
            });
            written += idempotency_key::Entity::insert_many(rows)
                .on_conflict(OnConflict::columns(KEY).do_nothing().to_owned())
                .exec_without_returning(self.inner())
                .await?;
        }
        let ours = |(once, ..): &&(Once, Uuid, DateTime<Utc>)| (once.clone(), Claim::Ours);
        if usize::try_from(written).is_ok_and(|written| written == claims.len()) {
            return Ok(claims.iter().map(ours).collect());
        }
        let keys = claims.iter().fold(Condition::any(), |any, (once, ..)| any.add(is(once)));
        let rows = idempotency_key::Entity::find().filter(keys).all(self.inner()).await?;
        let found = |(once, result, _): &&(Once, Uuid, DateTime<Utc>)| {
            let same = |row: &&idempotency_key::Model| row.subject == once.subject && row.key == once.key;
            let row = rows.iter().find(same).ok_or(StoreError::Corrupt("idempotency key"))?;
            let claim = match row {
                row if row.result == *result => Claim::Ours,
                row if once.is_input_of(row) => Claim::Done(row.result),
                _ => Claim::Reused,
            };
            Ok((once.clone(), claim))
        };
        claims.iter().map(found).collect()
    }

    /// Gives up claims of acts that were refused.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn release(&self, claims: &[(Once, Uuid)]) -> Result<(), StoreError> {
        if claims.is_empty() {
            return Ok(());
        }
        // Only where the claim is this act's: a repeat that was refused leaves the first alone.
        let each = |(once, result): &(Once, Uuid)| is(once).add(idempotency_key::Column::Result.eq(*result));
        let keys = claims.iter().fold(Condition::any(), |any, claim| any.add(each(claim)));
        idempotency_key::Entity::delete_many().filter(keys).exec(self.inner()).await?;
        Ok(())
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

impl Store {
    /// Whether any of these keys is claimed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn any_claimed(&self, keys: &[Once]) -> Result<bool, StoreError> {
        for part in parts(keys) {
            let any = part.iter().fold(Condition::any(), |any, once| any.add(is(once)));
            if idempotency_key::Entity::find().filter(any).one(self.reader()).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
