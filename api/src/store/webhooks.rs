//! Webhooks.

use chrono::{DateTime, Utc};
use entities::{
    ids::WebhookId,
    webhook::{ActiveModel, Column, Entity, Model},
};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait, Condition, EntityTrait, IntoActiveModel as _, PaginatorTrait, QueryFilter,
    QueryOrder, QuerySelect, Set,
    sea_query::{LockBehavior, LockType, OnConflict},
};

use crate::{
    domain::policy::{WebhookOwner, WebhookScope},
    store::{
        Store, StoreError, Tx,
        batching::{batches, padded},
        changes::with_changes,
    },
};

/// The table, to which encrypted secrets are bound.
pub const TABLE: &str = "webhooks";

/// The columns of [`WebhookWork`].
type WorkRow = (WebhookId, Option<String>, Option<String>, i64, Option<DateTime<Utc>>);

/// A webhook that may have something to do.
#[derive(Clone, Debug)]
pub struct WebhookWork {
    /// The webhook.
    pub id: WebhookId,
    /// Code of the agency that owns it.
    pub agency: Option<String>,
    /// Code of the unit whose events it is about.
    pub region: Option<String>,
    /// Position up to which it has looked through the feed.
    pub position: i64,
    /// Whether a delivery is due.
    pub is_due: bool,
}

fn is_owned_by(owner: &WebhookOwner) -> Condition {
    match owner {
        WebhookOwner::Agency(code) => Condition::all().add(Column::Agency.eq(code)),
        WebhookOwner::Akimat(scope) => {
            Condition::all().add(Column::Agency.is_null()).add(Column::RegionCode.eq(scope.host.as_str()))
        }
    }
}

/// Selects the webhooks of a scope: all of [`crate::domain::policy::ManageWebhook`], as a condition.
fn is_within(scope: &WebhookScope) -> Condition {
    match scope {
        WebhookScope::Everything => Condition::all(),
        WebhookScope::Own { agencies, regions } => {
            let akimat = regions.iter().fold(Condition::any(), |any, region| {
                any.add(Column::RegionCode.like(format!("{}%", region.prefix())))
            });
            let agencies = Column::Agency.is_in(agencies.iter().map(String::as_str));
            let of_akimat = Condition::all().add(Column::Agency.is_null()).add(akimat);
            // An empty condition would select every webhook.
            Condition::any().add(agencies).add_option((!regions.is_empty()).then_some(of_akimat))
        }
    }
}

impl Tx {
    /// Inserts a webhook.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn insert_webhook(&self, row: Model) -> Result<(), StoreError> {
        Entity::insert(row.into_active_model().reset_all()).exec_without_returning(self.inner()).await?;
        Ok(())
    }

    /// Locks a webhook until the end of the transaction, and returns it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lock_webhook(&self, id: WebhookId) -> Result<Option<Model>, StoreError> {
        Ok(Entity::find_by_id(id).lock_exclusive().one(self.inner()).await?)
    }

    /// Updates the changed columns of a locked webhook.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn save_webhook(&self, before: &Model, after: &Model) -> Result<(), StoreError> {
        if before == after {
            return Ok(());
        }
        let changed = with_changes(before.clone().into_active_model(), &after.clone().into_active_model());
        Entity::update_many().set(changed).filter(Column::Id.eq(after.id)).exec(self.inner()).await?;
        Ok(())
    }

    /// Moves webhooks from one position in the feed to a later one. Those that are elsewhere by now stay there.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn skip_events(&self, ids: &[WebhookId], from: i64, to: i64) -> Result<(), StoreError> {
        for batch in batches(ids) {
            let moved = ActiveModel { position: Set(to), ..<ActiveModel as Default>::default() };
            let there = Entity::update_many().set(moved).filter(Column::Position.eq(from));
            there.filter(Column::Id.is_in(batch.iter().copied())).exec(self.inner()).await?;
        }
        Ok(())
    }

    /// Deletes a webhook with its deliveries. Returns whether there was one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_webhook(&self, id: WebhookId) -> Result<bool, StoreError> {
        Ok(Entity::delete_by_id(id).exec(self.inner()).await?.rows_affected == 1)
    }

    /// Counts the webhooks of an owner.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count_webhooks(&self, owner: &WebhookOwner) -> Result<u64, StoreError> {
        Ok(Entity::find().filter(is_owned_by(owner)).count(self.inner()).await?)
    }

    /// Locks and returns some webhooks whose secrets are encrypted with one of these keys. Locked ones are skipped.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lock_webhooks_of_keys(
        &self,
        key_ids: &[String],
        after: Option<WebhookId>,
        limit: u64,
    ) -> Result<Vec<Model>, StoreError> {
        let mut query = Entity::find().filter(Column::KeyId.is_in(padded(key_ids.iter().cloned())));
        if let Some(after) = after {
            query = query.filter(Column::Id.gt(after));
        }
        let some = query.order_by_asc(Column::Id).limit(limit);
        Ok(some.lock_with_behavior(LockType::Update, LockBehavior::SkipLocked).all(self.inner()).await?)
    }

    /// Replaces the encrypted secrets of locked webhooks.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn replace_encrypted_secrets(&self, rows: Vec<Model>) -> Result<(), StoreError> {
        let rows = rows.into_iter().map(|row| row.into_active_model().reset_all()).collect();
        // The rows exist, so each conflicts: one statement for all of them. Other columns stay as they are.
        let fields = [Column::KeyId, Column::Secret, Column::PreviousSecret];
        let exists = OnConflict::column(Column::Id).update_columns(fields).to_owned();
        self.insert_rows::<ActiveModel>(rows, Some(exists)).await.map(drop)
    }
}

impl Store {
    /// Returns webhooks by their ids, in any order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhooks_by_id(&self, ids: &[WebhookId]) -> Result<Vec<Model>, StoreError> {
        let query = Entity::find().filter(Column::Id.is_in(padded(ids.iter().copied())));
        Ok(query.all(self.reader()).await?)
    }

    /// Returns the ids of webhooks after one, in order, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_ids(&self, after: Option<WebhookId>, limit: u64) -> Result<Vec<WebhookId>, StoreError> {
        let mut query = Entity::find().select_only().column(Column::Id).order_by_asc(Column::Id).limit(limit);
        if let Some(after) = after {
            query = query.filter(Column::Id.gt(after));
        }
        Ok(query.into_tuple().all(self.reader()).await?)
    }

    /// Returns the webhooks of a scope, oldest first, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhooks_within(&self, scope: &WebhookScope, limit: u64) -> Result<Vec<Model>, StoreError> {
        let query = Entity::find().filter(is_within(scope)).order_by_asc(Column::Id).limit(limit);
        Ok(query.all(self.reader()).await?)
    }

    /// Returns the active webhooks that may have something to do: events of the feed up to `head` to look through, or a
    /// delivery that is due.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhooks_with_work(&self, head: i64, now: DateTime<Utc>) -> Result<Vec<WebhookWork>, StoreError> {
        let work = Condition::any().add(Column::Position.lt(head)).add(Column::DueAt.lte(now));
        let columns = [Column::Id, Column::Agency, Column::RegionCode, Column::Position, Column::DueAt];
        let query = Entity::find().select_only().columns(columns).filter(Column::Active.eq(true)).filter(work);
        let rows: Vec<WorkRow> = query.order_by_asc(Column::Id).into_tuple().all(self.reader()).await?;
        let work = rows.into_iter().map(|(id, agency, region, position, due_at)| {
            let is_due = due_at.is_some_and(|due_at| due_at <= now);
            WebhookWork { id, agency, region, position, is_due }
        });
        Ok(work.collect())
    }

    /// Returns whether any webhook's secrets are encrypted with one of these keys.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn has_webhooks_of_keys(&self, key_ids: &[String]) -> Result<bool, StoreError> {
        let one = Entity::find().select_only().column(Column::Id).filter(Column::KeyId.is_in(key_ids)).limit(1);
        Ok(one.into_tuple::<WebhookId>().one(self.reader()).await?.is_some())
    }

    /// Returns the id of a key that encrypts a webhook's secrets and is none of these, if there is one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unknown_webhook_key(&self, key_ids: &[String]) -> Result<Option<String>, StoreError> {
        let other = Entity::find().select_only().column(Column::KeyId).filter(Column::KeyId.is_not_in(key_ids));
        Ok(other.limit(1).into_tuple::<String>().one(self.reader()).await?)
    }
}
