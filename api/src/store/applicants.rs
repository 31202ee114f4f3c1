//! Applicants: encrypted personal data of registrations. Rows are decrypted in `app/personal_data` only.

use chrono::{DateTime, Utc};
use entities::{
    applicant::{ActiveModel, Column, Entity, Model},
    ids::{ReceptionId, RegistrationId},
};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait, Condition, EntityTrait, ExprTrait as _, IntoActiveModel as _, QueryFilter,
    QueryOrder, QuerySelect, Set,
    sea_query::{LockBehavior, LockType, OnConflict},
};

use crate::store::{
    Store, StoreError, Tx,
    batching::{batches, padded},
};

/// The table, to which encrypted fields are bound.
pub const TABLE: &str = "applicants";

/// A row without changes, to be filled with those of an update.
fn unchanged() -> ActiveModel {
    <ActiveModel as Default>::default()
}

/// Digests by which a person is found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PersonDigests {
    /// Of the phone number.
    pub phone: Option<String>,
    /// Of the individual identification number.
    pub iin: Option<String>,
}

impl Tx {
    /// Inserts applicants.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn insert_applicants(&self, rows: Vec<Model>) -> Result<(), StoreError> {
        self.insert_rows(rows.into_iter().map(|row| row.into_active_model().reset_all()).collect(), None).await?;
        Ok(())
    }

    /// Returns the registrations of a reception with one of these digests, in the order of their ids.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn registrations_of(
        &self,
        reception: ReceptionId,
        digests: &PersonDigests,
    ) -> Result<Vec<RegistrationId>, StoreError> {
        let same = Condition::any()
            .add_option(digests.phone.as_ref().map(|digest| Column::PhoneDigest.eq(digest)))
            .add_option(digests.iin.as_ref().map(|digest| Column::IinDigest.eq(digest)));
        // An empty condition would select every registration.
        if same.is_empty() {
            return Ok(Vec::new());
        }
        Ok(Entity::find()
            .select_only()
            .column(Column::RegistrationId)
            .filter(Column::ReceptionId.eq(reception))
            .filter(same)
            .order_by_asc(Column::RegistrationId)
            .into_tuple()
            .all(self.inner())
            .await?)
    }

    /// Returns the applicants of registrations, except those who are erased, in any order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn applicants(&self, registrations: &[RegistrationId]) -> Result<Vec<Model>, StoreError> {
        Ok(Entity::find()
            .filter(Column::RegistrationId.is_in(padded(registrations.iter().copied())))
            .filter(Column::ErasedAt.is_null())
            .all(self.inner())
            .await?)
    }

    /// Records when a reception ends, from which the retention of its applicants counts.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_reception_end(&self, reception: ReceptionId, ends_at: DateTime<Utc>) -> Result<(), StoreError> {
        let moved = ActiveModel { reception_ends_at: Set(ends_at), ..unchanged() };
        let kept = Column::ReceptionId.eq(reception).and(Column::ErasedAt.is_null());
        Entity::update_many().set(moved).filter(kept).exec(self.inner()).await?;
        Ok(())
    }

    /// Erases the personal data of applicants. Returns how many were not erased yet.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn erase_applicants(
        &self,
        registrations: &[RegistrationId],
        now: DateTime<Utc>,
    ) -> Result<u64, StoreError> {
        let mut erased = 0;
        for batch in batches(registrations) {
            let empty = ActiveModel {
                key_id: Set(None),
                name: Set(None),
                phone: Set(None),
                iin: Set(None),
                phone_digest: Set(None),
                iin_digest: Set(None),
                erased_at: Set(Some(now)),
                ..unchanged()
            };
            let kept = Column::RegistrationId.is_in(batch.iter().copied()).and(Column::ErasedAt.is_null());
            erased += Entity::update_many().set(empty).filter(kept).exec(self.inner()).await?.rows_affected;
        }
        Ok(erased)
    }

    /// Locks and returns some applicants of receptions that ended before a time, skipping locked ones.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lock_old_applicants(&self, before: DateTime<Utc>, limit: u64) -> Result<Vec<Model>, StoreError> {
        let old = Entity::find()
            .filter(Column::ErasedAt.is_null())
            .filter(Column::ReceptionEndsAt.lt(before))
            .order_by_asc(Column::ReceptionEndsAt)
            .limit(limit);
        Ok(old.lock_with_behavior(LockType::Update, LockBehavior::SkipLocked).all(self.inner()).await?)
    }

    /// Locks and returns some applicants after a registration that are encrypted with one of these keys, in the order of
    /// registrations. Locked ones are skipped.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lock_applicants_of_keys(
        &self,
        key_ids: &[String],
        after: Option<RegistrationId>,
        limit: u64,
    ) -> Result<Vec<Model>, StoreError> {
        let mut query = Entity::find().filter(Column::KeyId.is_in(padded(key_ids.iter().cloned())));
        if let Some(after) = after {
            query = query.filter(Column::RegistrationId.gt(after));
        }
        let some = query.order_by_asc(Column::RegistrationId).limit(limit);
        Ok(some.lock_with_behavior(LockType::Update, LockBehavior::SkipLocked).all(self.inner()).await?)
    }

    /// Replaces the encrypted fields of locked applicants.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn replace_encrypted_fields(&self, rows: Vec<Model>) -> Result<(), StoreError> {
        let rows = rows.into_iter().map(|row| row.into_active_model().reset_all()).collect();
        // The rows exist, so each conflicts: one statement for all of them. Other columns stay as they are.
        let fields = [Column::KeyId, Column::Name, Column::Phone, Column::Iin];
        let exists = OnConflict::column(Column::RegistrationId).update_columns(fields).to_owned();
        self.insert_rows::<ActiveModel>(rows, Some(exists)).await.map(drop)
    }
}

impl Store {
    /// Returns the id of a key that encrypts an applicant and is none of these, if there is one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unknown_applicant_key(&self, key_ids: &[String]) -> Result<Option<String>, StoreError> {
        let other = Entity::find()
            .select_only()
            .column(Column::KeyId)
            .filter(Column::KeyId.is_not_null())
            .filter(Column::KeyId.is_not_in(key_ids.iter().cloned()))
            .limit(1);
        Ok(other.into_tuple::<String>().one(self.reader()).await?)
    }

    /// Returns whether any applicant is encrypted with one of these keys.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn has_applicants_of_keys(&self, key_ids: &[String]) -> Result<bool, StoreError> {
        let one = Entity::find()
            .select_only()
            .column(Column::RegistrationId)
            .filter(Column::KeyId.is_in(padded(key_ids.iter().cloned())))
            .limit(1);
        Ok(one.into_tuple::<RegistrationId>().one(self.reader()).await?.is_some())
    }

    /// Returns whether any applicant may be erased, because the reception ended before a time.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn has_old_applicants(&self, before: DateTime<Utc>) -> Result<bool, StoreError> {
        let one = Entity::find()
            .select_only()
            .column(Column::RegistrationId)
            .filter(Column::ErasedAt.is_null())
            .filter(Column::ReceptionEndsAt.lt(before))
            .limit(1);
        Ok(one.into_tuple::<RegistrationId>().one(self.reader()).await?.is_some())
    }
}
