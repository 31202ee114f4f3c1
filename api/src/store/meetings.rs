//! Meetings and their broadcasts.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use entities::{
    blocked_words, broadcast,
    enums::{MeetingOrigin, MeetingPhase, Stored},
    ids::{BroadcastId, MeetingId},
    kato::KatoCode,
    meeting::{self, Column},
    muted_author,
};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, EntityTrait, IntoActiveModel, Iterable, JoinType,
    QueryFilter, QueryOrder, QuerySelect, QueryTrait, Statement,
    sea_query::{Expr, ExprTrait, IntoCondition, IntoIden, Query},
};

use crate::store::{
    Store, StoreError, Tx,
    batching::padded,
    changes::{keep_unknown, with_changes},
    keyset::{PageRequest, PageSlice},
    search::{SearchedPage, TextSearch},
    subtree::within,
};

/// Filter of a list of meetings. All given conditions must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MeetingFilter {
    /// Held in this unit or below it.
    pub region: Option<KatoCode>,
    /// Held by the akim of this unit.
    pub host: Option<KatoCode>,
    /// Any of these phases.
    pub phases: Option<Vec<MeetingPhase>>,
    /// From the calendar or outside it.
    pub origin: Option<MeetingOrigin>,
    /// Planned to start at this time or later.
    pub from: Option<DateTime<Utc>>,
    /// Planned to start before this time.
    pub until: Option<DateTime<Utc>>,
    /// Normalised terms that the titles or the venue must all contain.
    pub words: Vec<String>,
}

/// Column of `meetings` that older replicas read the blocked words from.
const LEGACY_WORDS: &str = "blocked_words";
/// An empty list of blocked words.
const NO_WORDS: &str = "[]";

/// The state of a meeting that decides whether authors may post.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostingState {
    /// The phase.
    pub phase: MeetingPhase,
    /// Planned start.
    pub planned_start: DateTime<Utc>,
    /// Whether the meeting accepts comments.
    pub accepting_comments: bool,
    /// End of the mute of each author who was ever muted.
    pub muted: HashMap<String, DateTime<Utc>>,
}

/// Sort key of a meeting in a list: planned start and id.
pub type MeetingCursor = (DateTime<Utc>, MeetingId);

impl Tx {
    /// Locks a meeting until the end of the transaction and returns it. Meetings in an unknown phase are left out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lock_meeting(&self, id: MeetingId) -> Result<Option<meeting::Model>, StoreError> {
        let row = meeting::Entity::find_by_id(id).lock_exclusive().one(self.inner()).await?;
        Ok(row.filter(|row| row.phase.is_known()))
    }

    /// Inserts a meeting.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn insert_meeting(&self, row: meeting::Model) -> Result<(), StoreError> {
        let words = row.blocked_words.clone().unwrap_or_else(|| NO_WORDS.to_owned());
        let row = row.into_active_model();
        let (mut columns, mut values) = (vec![LEGACY_WORDS.into_iden()], vec![Expr::value(words)]);
        for column in Column::iter() {
            if let Some(value) = row.get(column).into_value() {
                columns.push(column.into_iden());
                values.push(column.save_as(Expr::val(value)));
            }
        }
        let mut insert = Query::insert();
        let insert = insert.into_table(meeting::Entity).columns(columns).values(values);
        let insert = insert.map_err(|_| StoreError::Corrupt("columns of a meeting"))?.to_owned();
        self.inner().execute(&insert).await?;
        Ok(())
    }

    /// Updates the changed columns of a meeting, except its blocked words.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn save_meeting(&self, before: &meeting::Model, after: &meeting::Model) -> Result<(), StoreError> {
        let changed = with_changes(before.clone().into_active_model(), &after.clone().into_active_model());
        meeting::Entity::update_many().set(changed).filter(Column::Id.eq(after.id)).exec(self.inner()).await?;
        Ok(())
    }

    /// Returns the blocked words of a meeting as a JSON array.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn blocked_words(&self, id: MeetingId) -> Result<String, StoreError> {
        let row = blocked_words::Entity::find_by_id(id).one(self.inner()).await?;
        Ok(row.map_or_else(|| NO_WORDS.to_owned(), |row| row.words))
    }

    /// Writes the blocked words of a meeting to the column of older replicas. Triggers copy them to their table.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn save_blocked_words(&self, id: MeetingId, words: &str) -> Result<(), StoreError> {
        meeting::Entity::update_many()
            .col_expr(LEGACY_WORDS, Expr::value(words))
            .filter(Column::Id.eq(id))
            .exec(self.inner())
            .await?;
        Ok(())
    }

    /// Updates only the newest receipt number of a meeting.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn save_last_receipt(&self, id: MeetingId, last_receipt: i32) -> Result<(), StoreError> {
        meeting::Entity::update_many()
            .col_expr(Column::LastReceipt, Expr::value(last_receipt))
            .filter(Column::Id.eq(id))
            .exec(self.inner())
            .await?;
        Ok(())
    }

    /// Returns the broadcasts of a meeting, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn broadcasts(&self, meeting: MeetingId) -> Result<Vec<broadcast::Model>, StoreError> {
        Ok(broadcast::Entity::find()
            .filter(broadcast::Column::MeetingId.eq(meeting))
            .order_by_asc(broadcast::Column::Ordinal)
            .all(self.inner())
            .await?)
    }

    /// Inserts a broadcast.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn insert_broadcast(&self, row: broadcast::Model) -> Result<(), StoreError> {
        broadcast::Entity::insert(row.into_active_model().reset_all()).exec_without_returning(self.inner()).await?;
        Ok(())
    }

    /// Updates a broadcast.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn save_broadcast(&self, row: broadcast::Model) -> Result<(), StoreError> {
        let mut row = row.into_active_model().reset_all();
        keep_unknown(&mut row.platform);
        row.update(self.inner()).await?;
        Ok(())
    }
}

impl Store {
    /// Returns the state that decides whether these authors may post at a meeting, without a lock.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn posting_state(&self, id: MeetingId, authors: &[String]) -> Result<Option<PostingState>, StoreError> {
        let mute = meeting::Entity::belongs_to(muted_author::Entity)
            .from(Column::Id)
            .to(muted_author::Column::MeetingId)
            .on_condition({
                let authors = padded(authors.iter().cloned());
                move |_, mutes| {
                    Expr::col((mutes, muted_author::Column::AuthorKey)).is_in(authors.clone()).into_condition()
                }
            });
        type StateRow = (MeetingPhase, DateTime<Utc>, bool, Option<String>, Option<DateTime<Utc>>);
        let rows: Vec<StateRow> = meeting::Entity::find()
            .select_only()
            .columns([Column::Phase, Column::PlannedStart, Column::AcceptingComments])
            .columns([muted_author::Column::AuthorKey, muted_author::Column::Until])
            .join(JoinType::LeftJoin, mute.into())
            .filter(Column::Id.eq(id))
            .into_tuple()
            .all(self.reader())
            .await?;
        let Some((phase, planned_start, accepting_comments, ..)) = rows.first().cloned() else { return Ok(None) };
        if !phase.is_known() {
            return Ok(None);
        }
        let muted = rows.into_iter().filter_map(|(.., author, until)| author.zip(until)).collect();
        Ok(Some(PostingState { phase, planned_start, accepting_comments, muted }))
    }

    /// Returns the blocked words of those meetings that ever had any.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn blocked_words_of(&self, meetings: &[MeetingId]) -> Result<Vec<blocked_words::Model>, StoreError> {
        Ok(blocked_words::Entity::find()
            .filter(blocked_words::Column::MeetingId.is_in(padded(meetings.iter().copied())))
            .all(self.reader())
            .await?)
    }

    /// Returns the meetings with these ids in any order. Meetings in an unknown phase are left out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn meetings_by_id(&self, ids: &[MeetingId]) -> Result<Vec<meeting::Model>, StoreError> {
        let mut rows =
            meeting::Entity::find().filter(Column::Id.is_in(padded(ids.iter().copied()))).all(self.reader()).await?;
        rows.retain(|row| row.phase.is_known());
        Ok(rows)
    }

    /// Returns a page of the meetings that a filter allows, earliest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn meetings(
        &self,
        filter: &MeetingFilter,
        request: &PageRequest<MeetingCursor>,
    ) -> Result<PageSlice<meeting::Model>, StoreError> {
        let page = searched_page(filter, request);
        let rows = if filter.words.is_empty() {
            page.by_reading(self.engine(), None).all(self.reader()).await?
        } else {
            self.searched_page(&page).await?
        };
        Ok(request.slice(rows))
    }

    /// Returns the statements that [`Store::meetings`] may run, to explain their plans: in order, and by the index.
    #[must_use]
    pub fn meetings_statements(
        &self,
        filter: &MeetingFilter,
        request: &PageRequest<MeetingCursor>,
    ) -> (Statement, Option<Statement>) {
        let page = searched_page(filter, request);
        let in_order = page.by_reading(self.engine(), None).build(self.reader().get_database_backend());
        (in_order, page.by_index(self.engine()))
    }

    /// Counts the meetings that a filter allows, up to [`MAX_COUNT`](crate::store::MAX_COUNT).
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count_meetings(&self, filter: &MeetingFilter) -> Result<u64, StoreError> {
        let rows = meeting::Entity::find().filter(place_and_time(filter)).filter(other_conditions(filter));
        self.count_searched(rows, text_search(filter)).await
    }

    /// Returns the broadcasts of several meetings, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn broadcasts_of(&self, meetings: &[MeetingId]) -> Result<Vec<broadcast::Model>, StoreError> {
        Ok(broadcast::Entity::find()
            .filter(broadcast::Column::MeetingId.is_in(padded(meetings.iter().copied())))
            .order_by_asc(broadcast::Column::MeetingId)
            .order_by_asc(broadcast::Column::Ordinal)
            .all(self.reader())
            .await?)
    }

    /// Returns the broadcasts with these ids in any order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn broadcasts_by_id(&self, ids: &[BroadcastId]) -> Result<Vec<broadcast::Model>, StoreError> {
        Ok(broadcast::Entity::find()
            .filter(broadcast::Column::Id.is_in(padded(ids.iter().copied())))
            .all(self.reader())
            .await?)
    }
}

fn searched_page<'a>(
    filter: &'a MeetingFilter,
    request: &PageRequest<MeetingCursor>,
) -> SearchedPage<'a, meeting::Entity, MeetingCursor, TextSearch<'a, Column>> {
    let cursors = Condition::all()
        .add_option(request.after.map(|key| before(key, true)))
        .add_option(request.before.map(|key| before(key, false)));
    SearchedPage {
        rows: meeting::Entity::find().filter(place_and_time(filter)).filter(cursors),
        key: &[Column::PlannedStart, Column::Id],
        descending: request.backward,
        before,
        rest: other_conditions(filter),
        search: text_search(filter),
        limit: request.query_limit(),
    }
}

fn text_search(filter: &MeetingFilter) -> TextSearch<'_, Column> {
    TextSearch { column: Column::Search, words: &filter.words }
}

/// Returns the condition for meetings before a key in the order of a list, or in its reverse. The bound on the start
/// alone is where a scan of an index begins.
fn before((start, id): MeetingCursor, backward: bool) -> Condition {
    let (bound, beyond, further) = if backward {
        (Column::PlannedStart.gte(start), Column::PlannedStart.gt(start), Column::Id.gt(id))
    } else {
        (Column::PlannedStart.lte(start), Column::PlannedStart.lt(start), Column::Id.lt(id))
    };
    Condition::all().add(bound).add(Condition::any().add(beyond).add(further))
}

/// Conditions that indexes in the order of the list answer.
fn place_and_time(filter: &MeetingFilter) -> Condition {
    Condition::all()
        .add_option(filter.region.map(|unit| within(Column::RegionCode, unit)))
        .add_option(filter.host.map(|code| Column::HostCode.eq(code.as_str())))
        .add_option(filter.from.map(|from| Column::PlannedStart.gte(from)))
        .add_option(filter.until.map(|until| Column::PlannedStart.lt(until)))
}

fn other_conditions(filter: &MeetingFilter) -> Condition {
    Condition::all()
        // Meetings in an unknown phase are in no list.
        .add(Column::Phase.is_in(filter.phases.as_deref().unwrap_or(MeetingPhase::ALL).iter().copied()))
        .add_option(filter.origin.map(|origin| Column::Origin.eq(origin)))
}
