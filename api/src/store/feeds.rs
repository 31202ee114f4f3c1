//! The event logs. Positions are taken under the lock of the counter's row, so that they follow commit order.

use chrono::{DateTime, Utc};
use entities::{feed, feed_event};
use sea_orm::{
    ColumnTrait, EntityTrait, ExprTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Set, sea_query::Expr,
};

use crate::{
    domain::feed::{Audience, Event, EventKind, FeedName, NewEvent},
    store::{Poke, Store, StoreError, Tx, batching::batches},
};

/// Where a feed stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Position of the newest event.
    pub head: i64,
    /// Events up to and including this position are gone.
    pub kept_after: i64,
}

impl Tx {
    /// Begins a feed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn create_feed(&self, name: &FeedName) -> Result<(), StoreError> {
        let row = feed::ActiveModel { name: Set(name.key()), head: Set(0), kept_after: Set(0) };
        feed::Entity::insert(row).exec_without_returning(self.inner()).await?;
        Ok(())
    }

    /// Locks a feed's counter and gives the position of its newest event.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lock_feed(&self, name: &FeedName) -> Result<i64, StoreError> {
        let row = feed::Entity::find_by_id(name.key()).lock_exclusive().one(self.inner()).await?;
        Ok(row.ok_or(StoreError::Corrupt("feed"))?.head)
    }

    /// Appends events and gives the position of the first. The feed stays locked until the end of the transaction.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn record(&mut self, name: FeedName, at: DateTime<Utc>, events: &[NewEvent]) -> Result<i64, StoreError> {
        let count = i64::try_from(events.len()).map_err(|_| StoreError::Corrupt("count of events"))?;
        if count == 0 {
            return self.lock_feed(&name).await;
        }
        let counters = feed::Entity::update_many()
            .col_expr(feed::Column::Head, Expr::col(feed::Column::Head).add(count))
            .filter(feed::Column::Name.eq(name.key()))
            .exec_with_returning(self.inner())
            .await?;
        let head = counters.first().ok_or(StoreError::Corrupt("feed"))?.head;
        let key = name.key();
        let mut seqs = head - count + 1..;
        for batch in batches(events) {
            let rows = batch.iter().zip(seqs.by_ref()).map(|(event, seq)| feed_event::ActiveModel {
                feed: Set(key.clone()),
                seq: Set(seq),
                at: Set(at),
                subject: Set(event.subject),
                kind: Set(event.kind.as_str().to_owned()),
                public_kind: Set(event.public_kind.map(|kind| kind.as_str().to_owned())),
                audience: Set(event.audience.as_str().map(str::to_owned)),
                actor: Set(event.actor.clone()),
            });
            feed_event::Entity::insert_many(rows).exec_without_returning(self.inner()).await?;
        }
        self.grew(Poke { feed: name, seq: head });
        Ok(head - count + 1)
    }

    /// Forgets all but the newest `keep` events of a feed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn trim_feed(&self, name: &FeedName, keep: i64) -> Result<(), StoreError> {
        let key = name.key();
        let Some(row) = feed::Entity::find_by_id(key.as_str()).lock_exclusive().one(self.inner()).await? else {
            return Ok(());
        };
        let kept_after = Ord::max(row.head - keep, row.kept_after);
        if kept_after == row.kept_after {
            return Ok(());
        }
        feed::Entity::update_many()
            .col_expr(feed::Column::KeptAfter, Expr::value(kept_after))
            .filter(feed::Column::Name.eq(key.as_str()))
            .exec(self.inner())
            .await?;
        feed_event::Entity::delete_many()
            .filter(feed_event::Column::Feed.eq(key))
            .filter(feed_event::Column::Seq.lte(kept_after))
            .exec(self.inner())
            .await?;
        Ok(())
    }
}

impl Store {
    /// Where a feed stands; none when there is no such feed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn feed_extent(&self, name: &FeedName) -> Result<Option<Extent>, StoreError> {
        let row = feed::Entity::find_by_id(name.key()).one(self.reader()).await?;
        Ok(row.map(|row| Extent { head: row.head, kept_after: row.kept_after }))
    }

    /// The newest positions of several feeds, in one query.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn feed_heads(&self, names: &[FeedName]) -> Result<Vec<(FeedName, i64)>, StoreError> {
        let mut heads = Vec::with_capacity(names.len());
        for chunk in names.chunks(500) {
            let rows = feed::Entity::find()
                .filter(feed::Column::Name.is_in(chunk.iter().map(FeedName::key)))
                .all(self.reader())
                .await?;
            heads.extend(rows.into_iter().filter_map(|row| Some((FeedName::from_key(&row.name)?, row.head))));
        }
        Ok(heads)
    }

    /// At most `limit` events after position `after`, in order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn feed_page(&self, name: &FeedName, after: i64, limit: u64) -> Result<Vec<Event>, StoreError> {
        let rows = feed_event::Entity::find()
            .filter(feed_event::Column::Feed.eq(name.key()))
            .filter(feed_event::Column::Seq.gt(after))
            .order_by_asc(feed_event::Column::Seq)
            .limit(limit)
            .all(self.reader())
            .await?;
        Ok(rows.iter().map(event).collect())
    }

    /// The feeds that hold more than `keep` events. How long those of a later version are kept is for that one to say.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn long_feeds(&self, keep: i64) -> Result<Vec<FeedName>, StoreError> {
        let rows = feed::Entity::find()
            .filter(Expr::col(feed::Column::Head).sub(Expr::col(feed::Column::KeptAfter)).gt(keep))
            .all(self.reader())
            .await?;
        Ok(rows.iter().filter_map(|row| FeedName::from_key(&row.name)).collect())
    }

    /// How many events are kept over all feeds.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count_events(&self) -> Result<u64, StoreError> {
        Ok(feed_event::Entity::find().count(self.reader()).await?)
    }
}

fn event(row: &feed_event::Model) -> Event {
    let audience = Audience::parse(row.audience.as_deref());
    let public_kind = row.public_kind.as_deref().filter(|_| audience == Audience::Everyone);
    Event {
        seq: row.seq,
        at: row.at,
        subject: row.subject,
        kind: EventKind::parse(&row.kind),
        public_kind: public_kind.map(EventKind::parse),
        audience,
    }
}
