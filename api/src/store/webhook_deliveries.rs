//! Deliveries of events to webhooks. They are written under the lock of their webhook.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use entities::{
    enums::DeliveryState,
    ids::WebhookId,
    webhook_delivery::{ActiveModel, Column, Entity, Model},
};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait, EntityTrait, IntoActiveModel as _, QueryFilter, QueryOrder, QuerySelect,
    Select, Set,
    sea_query::{Alias, Expr, ExprTrait as _, OnConflict, Query, SimpleExpr},
};
use uuid::Uuid;

use crate::store::{
    Store, StoreError, Tx,
    batching::{batches, padded},
    keyset::{PageRequest, PageSlice},
};

/// Alias of an earlier delivery of the same line.
const EARLIER: &str = "earlier";

/// Selects waiting deliveries. Literal SQL, because a bound value would not match the partial index.
fn is_waiting() -> SimpleExpr {
    Expr::cust("webhook_deliveries.state = 'WAITING'")
}

/// Selects the deliveries of a webhook in these states, or all of them.
fn listed(id: WebhookId, states: Option<&[DeliveryState]>) -> Select<Entity> {
    let all = Entity::find().filter(Column::WebhookId.eq(id));
    match states {
        Some(states) => all.filter(Column::State.is_in(states.iter().copied())),
        None => all,
    }
}

impl Tx {
    /// Adds deliveries to a locked webhook. Those that exist stay as they are.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_deliveries(&self, rows: Vec<Model>) -> Result<(), StoreError> {
        let rows = rows.into_iter().map(|row| row.into_active_model().reset_all()).collect();
        let known = OnConflict::columns([Column::WebhookId, Column::Seq]).do_nothing().to_owned();
        self.insert_rows::<ActiveModel>(rows, Some(known)).await.map(drop)
    }

    /// Returns those of the issues that have a waiting delivery.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn issues_that_wait(&self, id: WebhookId, issues: &[Uuid]) -> Result<HashSet<Uuid>, StoreError> {
        let waiting = Entity::find()
            .select_only()
            .column(Column::IssueId)
            .distinct()
            .filter(Column::WebhookId.eq(id))
            .filter(Column::IssueId.is_in(padded(issues.iter().copied())))
            .filter(is_waiting());
        Ok(waiting.into_tuple::<Uuid>().all(self.inner()).await?.into_iter().collect())
    }

    /// Saves what attempts have changed of deliveries.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn save_attempts(&self, rows: Vec<Model>) -> Result<(), StoreError> {
        let rows = rows.into_iter().map(|row| row.into_active_model().reset_all()).collect();
        // The rows exist, so each conflicts: one statement for all of them. Other columns stay as they are.
        let fields = [Column::State, Column::Attempts, Column::LastStatus, Column::LastError, Column::NextAttemptAt];
        let exists = OnConflict::columns([Column::WebhookId, Column::Seq]).update_columns(fields).to_owned();
        self.insert_rows::<ActiveModel>(rows, Some(exists)).await.map(drop)
    }

    /// Makes the first waiting delivery of each issue due.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn advance_lines(&self, id: WebhookId, issues: &[Uuid], now: DateTime<Utc>) -> Result<(), StoreError> {
        for batch in batches(issues) {
            let due = ActiveModel { next_attempt_at: Set(Some(now)), ..<ActiveModel as Default>::default() };
            let earlier = |column: Column| Expr::col((Alias::new(EARLIER), column));
            let own = |column: Column| Expr::col((Entity, column));
            let first = Query::select()
                .expr(earlier(Column::Seq).min())
                .from_as(Entity, Alias::new(EARLIER))
                .and_where(earlier(Column::WebhookId).eq(id))
                .and_where(earlier(Column::IssueId).eq(own(Column::IssueId)))
                .and_where(Expr::cust("earlier.state = 'WAITING'"))
                .to_owned();
            Entity::update_many()
                .set(due)
                .filter(Column::WebhookId.eq(id))
                .filter(Column::IssueId.is_in(batch.iter().copied()))
                .filter(is_waiting())
                .filter(Column::NextAttemptAt.is_null())
                .filter(own(Column::Seq).eq(SimpleExpr::SubQuery(None, Box::new(first.into()))))
                .exec(self.inner())
                .await?;
        }
        Ok(())
    }

    /// Makes the deliveries of a locked webhook due now that would be due later.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn hasten_deliveries(&self, id: WebhookId, now: DateTime<Utc>) -> Result<(), StoreError> {
        let at_once = ActiveModel { next_attempt_at: Set(Some(now)), ..<ActiveModel as Default>::default() };
        let later = Column::WebhookId.eq(id).and(Column::NextAttemptAt.gt(now));
        Entity::update_many().set(at_once).filter(later).exec(self.inner()).await?;
        Ok(())
    }

    /// Puts off the deliveries of a locked webhook that are due before a time.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn put_off_deliveries(&self, id: WebhookId, until: DateTime<Utc>) -> Result<(), StoreError> {
        let later = ActiveModel { next_attempt_at: Set(Some(until)), ..<ActiveModel as Default>::default() };
        let earlier = Column::WebhookId.eq(id).and(Column::NextAttemptAt.lt(until));
        Entity::update_many().set(later).filter(earlier).exec(self.inner()).await?;
        Ok(())
    }

    /// Returns when the earliest delivery of a webhook is due, if one waits.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn next_attempt_at(&self, id: WebhookId) -> Result<Option<DateTime<Utc>>, StoreError> {
        let first = Entity::find()
            .select_only()
            .column(Column::NextAttemptAt)
            .filter(Column::WebhookId.eq(id))
            .filter(Column::NextAttemptAt.is_not_null())
            .order_by_asc(Column::NextAttemptAt)
            .limit(1);
        Ok(first.into_tuple::<Option<DateTime<Utc>>>().one(self.inner()).await?.flatten())
    }

    /// Deletes what was delivered to a locked webhook up to and including a position.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_delivered(&self, id: WebhookId, last: i64) -> Result<(), StoreError> {
        let delivered = Column::WebhookId.eq(id).and(Column::State.eq(DeliveryState::Delivered));
        Entity::delete_many().filter(delivered).filter(Column::Seq.lte(last)).exec(self.inner()).await?;
        Ok(())
    }

    /// Deletes all deliveries of a locked webhook up to and including a position. Returns the issues of those that waited.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_deliveries_through(&self, id: WebhookId, last: i64) -> Result<Vec<Uuid>, StoreError> {
        let those = Column::WebhookId.eq(id).and(Column::Seq.lte(last));
        let waiting = Entity::find().select_only().column(Column::IssueId).distinct().filter(those.clone());
        let issues = waiting.filter(is_waiting()).into_tuple::<Uuid>().all(self.inner()).await?;
        Entity::delete_many().filter(those).exec(self.inner()).await?;
        Ok(issues)
    }

    /// Deletes the deliveries of a locked webhook after a position, for a replay.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_deliveries_after(&self, id: WebhookId, seq: i64) -> Result<(), StoreError> {
        let later = Column::WebhookId.eq(id).and(Column::Seq.gt(seq));
        Entity::delete_many().filter(later).exec(self.inner()).await?;
        Ok(())
    }
}

impl Store {
    /// Returns the heads of lines that are due, the longest due first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn due_deliveries(
        &self,
        id: WebhookId,
        now: DateTime<Utc>,
        limit: u64,
    ) -> Result<Vec<Model>, StoreError> {
        let due = Entity::find().filter(Column::WebhookId.eq(id)).filter(Column::NextAttemptAt.lte(now));
        Ok(due.order_by_asc(Column::NextAttemptAt).order_by_asc(Column::Seq).limit(limit).all(self.reader()).await?)
    }

    /// Returns the waiting deliveries of issues, in the order of positions.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lines(&self, id: WebhookId, issues: &[Uuid], limit: u64) -> Result<Vec<Model>, StoreError> {
        let waiting = Entity::find()
            .filter(Column::WebhookId.eq(id))
            .filter(Column::IssueId.is_in(padded(issues.iter().copied())))
            .filter(is_waiting());
        Ok(waiting.order_by_asc(Column::Seq).limit(limit).all(self.reader()).await?)
    }

    /// Returns the position of the first waiting delivery of a webhook.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn first_waiting(&self, id: WebhookId) -> Result<Option<i64>, StoreError> {
        let first = Entity::find()
            .select_only()
            .column(Column::Seq)
            .filter(Column::WebhookId.eq(id))
            .filter(Column::State.eq(DeliveryState::Waiting))
            .order_by_asc(Column::Seq)
            .limit(1);
        Ok(first.into_tuple().one(self.reader()).await?)
    }

    /// Returns the position of the last of the oldest delivered events of a webhook that are from before a moment. Looks at
    /// `limit` of them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn last_delivered_before(
        &self,
        id: WebhookId,
        moment: DateTime<Utc>,
        limit: u64,
    ) -> Result<Option<i64>, StoreError> {
        let oldest = Entity::find()
            .select_only()
            .columns([Column::Seq, Column::CreatedAt])
            .filter(Column::WebhookId.eq(id))
            .filter(Column::State.eq(DeliveryState::Delivered))
            .order_by_asc(Column::Seq)
            .limit(limit);
        let oldest: Vec<(i64, DateTime<Utc>)> = oldest.into_tuple().all(self.reader()).await?;
        Ok(oldest.into_iter().take_while(|(_, created_at)| *created_at < moment).last().map(|(seq, _)| seq))
    }

    /// Returns whether a webhook has deliveries up to and including a position.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn has_deliveries_through(&self, id: WebhookId, last: i64) -> Result<bool, StoreError> {
        let those = Column::WebhookId.eq(id).and(Column::Seq.lte(last));
        let one = Entity::find().select_only().column(Column::Seq).filter(those).limit(1);
        Ok(one.into_tuple::<i64>().one(self.reader()).await?.is_some())
    }

    /// Counts the deliveries of a webhook in these states, or all of them, up to [`crate::store::counts::MAX_COUNT`].
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count_deliveries(&self, id: WebhookId, states: Option<&[DeliveryState]>) -> Result<u64, StoreError> {
        self.count(listed(id, states)).await
    }

    /// Returns a page of deliveries of a webhook in these states, or all of them, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delivery_page(
        &self,
        id: WebhookId,
        states: Option<&[DeliveryState]>,
        request: &PageRequest<i64>,
    ) -> Result<PageSlice<Model>, StoreError> {
        let mut query = listed(id, states);
        if let Some(after) = request.after {
            query = query.filter(Column::Seq.lt(after));
        }
        if let Some(before) = request.before {
            query = query.filter(Column::Seq.gt(before));
        }
        let ordered = if request.backward { query.order_by_asc(Column::Seq) } else { query.order_by_desc(Column::Seq) };
        Ok(request.slice(ordered.limit(request.query_limit()).all(self.reader()).await?))
    }
}
