//! The event logs. Positions are taken under the lock of the counter's row, so that they follow commit order.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use entities::{feed, feed_event};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, ExprTrait, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait as _, Select, Set, Statement,
    sea_query::{Expr, JoinType, OnConflict, Query, SimpleExpr},
};
use uuid::Uuid;

use crate::{
    domain::feed::{Audience, EventFilter, FeedName, NewEvent},
    store::{FeedAdvanced, Store, StoreError, Tx, batching::batches},
};

/// The positions of the events that a feed holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// Position of the newest event.
    pub head: i64,
    /// Events up to and including this position are gone.
    pub kept_after: i64,
}

/// A stored event. Its topic knows the kinds.
#[derive(Clone, Debug)]
pub struct StoredEvent {
    /// Position in the feed.
    pub seq: i64,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// What changed.
    pub subject: Uuid,
    /// How, for those who may see everything of the feed.
    pub kind: String,
    /// How, for everyone else; `None` hides the event from them.
    pub public_kind: Option<String>,
    /// Whom it is for.
    pub audience: Audience,
    /// The agency that was responsible at the event.
    pub agency: Option<Uuid>,
    /// Code of the unit that it is about.
    pub region: Option<String>,
}

/// A range of positions.
#[derive(Clone, Copy, Debug)]
pub struct EventRange {
    /// The position after which it starts.
    pub after: i64,
    /// The last position.
    pub through: i64,
    /// Maximum number of events.
    pub limit: usize,
}

impl Tx {
    /// Creates a feed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn create_feed(&self, name: &FeedName) -> Result<(), StoreError> {
        let row = feed::ActiveModel { name: Set(name.as_str().to_owned()), head: Set(0), kept_after: Set(0) };
        feed::Entity::insert(row).exec_without_returning(self.inner()).await?;
        Ok(())
    }

    /// Locks a feed's counter, and returns the position of its newest event.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lock_feed(&self, name: &FeedName) -> Result<i64, StoreError> {
        let row = feed::Entity::find_by_id(name.as_str()).lock_exclusive().one(self.inner()).await?;
        Ok(row.ok_or(StoreError::Corrupt("feed"))?.head)
    }

    /// Appends events, and returns the position of the first. The feed stays locked until the end of the transaction.
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
            .filter(feed::Column::Name.eq(name.as_str()))
            .exec_with_returning(self.inner())
            .await?;
        let head = counters.first().ok_or(StoreError::Corrupt("feed"))?.head;
        let rows: Vec<_> = events.iter().zip(head - count + 1..).map(|(event, seq)| (&name, seq, event)).collect();
        self.insert_events(at, &rows).await?;
        self.advance(FeedAdvanced { feed: name, seq: head });
        Ok(head - count + 1)
    }

    /// Appends events to several feeds, and creates those that do not exist. Locks the feeds in the order of their names until the end
    /// of the transaction.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn record_each(
        &mut self,
        at: DateTime<Utc>,
        events: Vec<(FeedName, NewEvent)>,
    ) -> Result<(), StoreError> {
        if events.is_empty() {
            return Ok(());
        }
        let mut feeds: BTreeMap<FeedName, Vec<NewEvent>> = BTreeMap::new();
        for (feed, event) in events {
            feeds.entry(feed).or_default().push(event);
        }
        let mut heads: HashMap<String, i64> = HashMap::new();
        let counts: Vec<_> = feeds.iter().map(|(feed, events)| (feed.as_str().to_owned(), events.len())).collect();
        for batch in batches(&counts) {
            let rows = batch.iter().map(|(name, count)| feed::ActiveModel {
                name: Set(name.clone()),
                head: Set(i64::try_from(*count).unwrap_or(i64::MAX)),
                kept_after: Set(0),
            });
            let raised = Expr::col((feed::Entity, feed::Column::Head)).add(Expr::col(("excluded", feed::Column::Head)));
            let conflict = OnConflict::column(feed::Column::Name).value(feed::Column::Head, raised).to_owned();
            let insert = feed::Entity::insert_many(rows).on_conflict(conflict);
            heads.extend(insert.exec_with_returning(self.inner()).await?.into_iter().map(|row| (row.name, row.head)));
        }
        let mut rows = Vec::new();
        for (feed, events) in &feeds {
            let head = *heads.get(feed.as_str()).ok_or(StoreError::Corrupt("feed"))?;
            let count = i64::try_from(events.len()).map_err(|_| StoreError::Corrupt("count of events"))?;
            rows.extend(events.iter().zip(head - count + 1..).map(|(event, seq)| (feed, seq, event)));
            self.advance(FeedAdvanced { feed: feed.clone(), seq: head });
        }
        self.insert_events(at, &rows).await
    }

    async fn insert_events(&self, at: DateTime<Utc>, events: &[(&FeedName, i64, &NewEvent)]) -> Result<(), StoreError> {
        let rows = events.iter().map(|(feed, seq, event)| event_row(feed, *seq, at, event));
        self.insert_rows(rows.collect(), None).await?;
        Ok(())
    }

    /// Returns the position of a feed's newest event from before a moment.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn last_event_before(&self, name: &FeedName, at: DateTime<Utc>) -> Result<Option<i64>, StoreError> {
        let last = feed_event::Entity::find()
            .select_only()
            .column_as(feed_event::Column::Seq.max(), "last")
            .filter(feed_event::Column::Feed.eq(name.as_str()))
            .filter(feed_event::Column::At.lt(at))
            .into_tuple::<Option<i64>>()
            .one(self.inner())
            .await?;
        Ok(last.flatten())
    }

    /// Deletes the events of a locked feed up to and including a position.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_events(&self, name: &FeedName, last: i64) -> Result<(), StoreError> {
        feed::Entity::update_many()
            .col_expr(feed::Column::KeptAfter, Expr::value(last))
            .filter(feed::Column::Name.eq(name.as_str()))
            .filter(feed::Column::KeptAfter.lt(last))
            .exec(self.inner())
            .await?;
        feed_event::Entity::delete_many()
            .filter(feed_event::Column::Feed.eq(name.as_str()))
            .filter(feed_event::Column::Seq.lte(last))
            .exec(self.inner())
            .await?;
        Ok(())
    }
}

impl Store {
    /// Returns which events a feed holds. A feed without events may have no row yet.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn feed_extent(&self, name: &FeedName) -> Result<Extent, StoreError> {
        let row = feed::Entity::find_by_id(name.as_str()).one(self.reader()).await?;
        Ok(row.map_or_else(Extent::default, |row| Extent { head: row.head, kept_after: row.kept_after }))
    }

    /// Returns the newest positions of several feeds, in one query.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn feed_heads(&self, names: &[FeedName]) -> Result<Vec<(FeedName, i64)>, StoreError> {
        let mut heads = Vec::with_capacity(names.len());
        for chunk in names.chunks(500) {
            let rows = feed::Entity::find()
                .filter(feed::Column::Name.is_in(chunk.iter().map(FeedName::as_str)))
                .all(self.reader())
                .await?;
            heads.extend(rows.into_iter().map(|row| (FeedName::stored(&row.name), row.head)));
        }
        Ok(heads)
    }

    /// Returns at most `limit` events after a position, in order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn feed_page(&self, name: &FeedName, after: i64, limit: u64) -> Result<Vec<StoredEvent>, StoreError> {
        let rows = feed_event::Entity::find()
            .filter(feed_event::Column::Feed.eq(name.as_str()))
            .filter(feed_event::Column::Seq.gt(after))
            .order_by_asc(feed_event::Column::Seq)
            .limit(limit)
            .all(self.reader())
            .await?;
        Ok(rows.into_iter().map(stored).collect())
    }

    /// Returns the first events of a range that a filter may select, in order: those that it selects, and those of
    /// earlier versions, whose values are not recorded.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn matching_events(
        &self,
        name: &FeedName,
        filter: EventFilter,
        range: EventRange,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        let mut rows = Vec::new();
        for query in matching_queries(name, filter, range) {
            rows.extend(query.all(self.reader()).await?);
        }
        rows.sort_unstable_by_key(|row| row.seq);
        rows.truncate(range.limit);
        Ok(rows.into_iter().map(stored).collect())
    }

    /// Returns the statements of [`Self::matching_events`], for tests of their query plans.
    #[must_use]
    pub fn matching_events_statements(
        &self,
        name: &FeedName,
        filter: EventFilter,
        range: EventRange,
    ) -> Vec<Statement> {
        let build = |query: Select<feed_event::Entity>| query.build(self.reader().get_database_backend());
        matching_queries(name, filter, range).into_iter().map(build).collect()
    }

    /// Lists the feeds of a topic that hold more than `keep` events.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn long_feeds(&self, topic: &str, keep: i64) -> Result<Vec<FeedName>, StoreError> {
        let rows = feed::Entity::find()
            .filter(topic_condition(topic))
            .filter(Expr::col(feed::Column::Head).sub(Expr::col(feed::Column::KeptAfter)).gt(keep))
            .all(self.reader())
            .await?;
        Ok(rows.iter().map(|row| FeedName::stored(&row.name)).collect())
    }

    /// Lists the feeds of a topic whose oldest event is from before a moment.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn old_feeds(&self, topic: &str, before: DateTime<Utc>) -> Result<Vec<FeedName>, StoreError> {
        let oldest = Expr::col((feed::Entity, feed::Column::KeptAfter)).add(1);
        let kept = Condition::all()
            .add(Expr::col((feed_event::Entity, feed_event::Column::Feed)).equals((feed::Entity, feed::Column::Name)))
            .add(Expr::col((feed_event::Entity, feed_event::Column::Seq)).eq(oldest));
        let query = Query::select()
            .column((feed::Entity, feed::Column::Name))
            .from(feed::Entity)
            .join(JoinType::InnerJoin, feed_event::Entity, kept)
            .cond_where(topic_condition(topic))
            .and_where(feed_event::Column::At.lt(before))
            .to_owned();
        let rows = self.reader().query_all(&query).await?;
        rows.iter().map(|row| Ok(FeedName::stored(&row.try_get_by_index::<String>(0)?))).collect()
    }

    /// Counts the events of all feeds.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count_events(&self) -> Result<u64, StoreError> {
        Ok(feed_event::Entity::find().count(self.reader()).await?)
    }
}

/// Selects the feeds of a topic: the one of its name, and those of its scopes.
fn topic_condition(topic: &str) -> Condition {
    Condition::any().add(feed::Column::Name.eq(topic)).add(feed::Column::Name.like(format!("{topic}:%")))
}

/// Selects the events of a range with the filter's value, and those without any value.
///
/// They are two queries because each reads one value of an index, which holds it in the order of positions. One query
/// for both values would sort all matches for each page. Events for which no agency was responsible are known as such.
fn matching_queries(name: &FeedName, filter: EventFilter, range: EventRange) -> Vec<Select<feed_event::Entity>> {
    let conditions: Vec<SimpleExpr> = match filter {
        EventFilter::Within(unit) => {
            let prefix = unit.prefix();
            let has = |value| Expr::cust(format!("substr(coalesce(region_code, ''), 1, {})", prefix.len())).eq(value);
            [prefix, ""].map(has).into()
        }
        EventFilter::OfAgency(agency) => vec![feed_event::Column::Agency.eq(agency)],
    };
    let query = |condition| {
        feed_event::Entity::find()
            // Literal SQL, because bound values would not match the partial index and its expression.
            .filter(Expr::col((feed_event::Entity, feed_event::Column::Feed)).eq(Expr::Constant(name.as_str().into())))
            .filter::<SimpleExpr>(condition)
            .filter(feed_event::Column::Seq.gt(range.after))
            .filter(feed_event::Column::Seq.lte(range.through))
            .order_by_asc(feed_event::Column::Seq)
            .limit(u64::try_from(range.limit).unwrap_or(u64::MAX))
    };
    conditions.into_iter().map(query).collect()
}

fn event_row(feed: &FeedName, seq: i64, at: DateTime<Utc>, event: &NewEvent) -> feed_event::ActiveModel {
    feed_event::ActiveModel {
        feed: Set(feed.as_str().to_owned()),
        seq: Set(seq),
        at: Set(at),
        subject: Set(event.subject),
        kind: Set(event.kind.as_str().to_owned()),
        public_kind: Set(event.public_kind.map(|kind| kind.as_str().to_owned())),
        audience: Set(event.audience.as_str().map(str::to_owned)),
        actor: Set(event.actor.clone()),
        region_code: Set(event.filter_values.region.map(|region| region.to_string())),
        agency: Set(event.filter_values.agency),
    }
}

fn stored(row: feed_event::Model) -> StoredEvent {
    let audience = Audience::parse(row.audience.as_deref());
    StoredEvent {
        seq: row.seq,
        at: row.at,
        subject: row.subject,
        kind: row.kind,
        public_kind: row.public_kind.filter(|_| audience == Audience::Everyone),
        audience,
        agency: row.agency,
        region: row.region_code,
    }
}
