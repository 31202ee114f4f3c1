//! Comments. Lists are filtered by the viewer's scope, which becomes SQL in one function.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use entities::{
    comment::{self, Column},
    enums::{CommentKind, CommentState, MeetingPhase, Stored},
    ids::{BroadcastId, CommentId, MeetingId},
    meeting,
};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, EntityTrait, FromQueryResult, IntoActiveModel, JoinType, Order,
    QueryFilter, QueryOrder, QuerySelect, QueryTrait, Statement,
    sea_query::{Expr, ExprTrait},
};

use crate::{
    domain::{
        comment::{PUBLIC_STATES, can_be_merge_target},
        policy::CommentScope,
    },
    store::{
        Store, StoreError, Tx,
        batching::padded,
        keyset::{PageRequest, PageSlice},
        search::contains,
    },
};

/// Order of a list of comments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CommentOrder {
    /// Oldest first.
    #[default]
    Oldest,
    /// Newest first.
    Newest,
    /// Most votes first, then oldest first.
    MostVoted,
}

/// Filter of a list of comments. All given conditions must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommentFilter {
    /// Any of these states.
    pub states: Option<Vec<CommentState>>,
    /// Any of these kinds.
    pub kinds: Option<Vec<CommentKind>>,
    /// Normalised terms that the body or the author name must all contain.
    pub words: Vec<String>,
    /// A label.
    pub label: Option<String>,
    /// The order.
    pub order: CommentOrder,
}

/// A comment with the host of its meeting.
#[derive(Clone, Debug, FromQueryResult)]
pub struct CommentWithHost {
    /// The comment.
    #[sea_orm(nested)]
    pub comment: comment::Model,
    /// Code of the host.
    pub host_code: String,
}

/// Sort key of a comment in a list: votes, used only when sorting by votes, and feed position.
pub type CommentCursor = (i32, i64);

impl Tx {
    /// Returns the comments with these ids in any order. Comments in an unknown state are left out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn comments_by_id(&self, ids: &[CommentId]) -> Result<Vec<comment::Model>, StoreError> {
        let rows =
            comment::Entity::find().filter(Column::Id.is_in(padded(ids.iter().copied()))).all(self.inner()).await?;
        Ok(known_states(rows))
    }

    /// Returns the selected comment of a meeting.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn selected_comment(&self, meeting: MeetingId) -> Result<Option<comment::Model>, StoreError> {
        Ok(selected_query(meeting).one(self.inner()).await?)
    }

    /// Returns the comments of a broadcast with these ids on its platform.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn imported(&self, broadcast: BroadcastId, ids: &[String]) -> Result<Vec<comment::Model>, StoreError> {
        Ok(comment::Entity::find()
            .filter(Column::BroadcastId.eq(broadcast))
            .filter(Column::ExternalId.is_in(padded(ids.iter().cloned())))
            .all(self.inner())
            .await?)
    }

    /// Returns when these authors last posted at a meeting.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn last_posts(
        &self,
        meeting: MeetingId,
        authors: &[String],
    ) -> Result<HashMap<String, DateTime<Utc>>, StoreError> {
        let newest = comment::Entity::find()
            .select_only()
            .column(Column::AuthorKey)
            .column_as(Column::PostedAt.max(), "newest")
            .filter(Column::MeetingId.eq(meeting))
            .filter(Column::AuthorKey.is_in(padded(authors)))
            .group_by(Column::AuthorKey);
        let rows: Vec<(String, DateTime<Utc>)> = newest.into_tuple().all(self.inner()).await?;
        Ok(rows.into_iter().collect())
    }

    /// Returns author and body of earlier posts with these digests.
    ///
    /// Leaves out withdrawn posts, and posts merged into comments that can no longer be answered.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn find_posted(
        &self,
        digests: impl Iterator<Item = i64>,
    ) -> Result<HashSet<(String, String)>, StoreError> {
        let said = comment::Entity::find()
            .select_only()
            .columns([Column::AuthorKey, Column::Body, Column::MergedInto])
            .filter(Column::SaidDigest.is_in(padded(digests)))
            .filter(Column::AuthorKey.is_not_null())
            .filter(Column::State.ne(CommentState::Withdrawn));
        let rows: Vec<(String, String, Option<CommentId>)> = said.into_tuple().all(self.inner()).await?;
        let targets: Vec<CommentId> = rows.iter().filter_map(|(.., into)| *into).collect();
        let into = if targets.is_empty() { Vec::new() } else { self.comments_by_id(&targets).await? };
        let gone = |id| into.iter().any(|row| row.id == id && !can_be_merge_target(row.state));
        let said = rows.into_iter().filter(|(.., into)| !into.is_some_and(gone));
        Ok(said.map(|(author, body, _)| (author, body)).collect())
    }

    /// Inserts comments.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn insert_comments(&self, rows: Vec<comment::Model>) -> Result<(), StoreError> {
        self.insert_rows(rows.into_iter().map(|row| row.into_active_model().reset_all()).collect(), None).await?;
        Ok(())
    }
}

impl Store {
    /// Returns the comments with these ids, without a visibility check. Comments in an unknown state are left out.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn comments_by_id(&self, ids: &[CommentId]) -> Result<Vec<comment::Model>, StoreError> {
        let rows =
            comment::Entity::find().filter(Column::Id.is_in(padded(ids.iter().copied()))).all(self.reader()).await?;
        Ok(known_states(rows))
    }

    /// Returns the comments with these ids and their hosts, for a visibility check.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn comments_with_host(&self, ids: &[CommentId]) -> Result<Vec<CommentWithHost>, StoreError> {
        let meeting = comment::Entity::belongs_to(meeting::Entity).from(Column::MeetingId).to(meeting::Column::Id);
        Ok(comment::Entity::find()
            .column(meeting::Column::HostCode)
            .join(JoinType::InnerJoin, meeting.into())
            .filter(Column::Id.is_in(padded(ids.iter().copied())))
            .filter(meeting::Column::Phase.is_in(MeetingPhase::ALL.iter().copied()))
            .into_model::<CommentWithHost>()
            .all(self.reader())
            .await?)
    }

    /// Returns a page of a meeting's comments that a scope and a filter allow.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn comments(
        &self,
        meeting: MeetingId,
        scope: &CommentScope,
        filter: &CommentFilter,
        request: &PageRequest<CommentCursor>,
    ) -> Result<PageSlice<comment::Model>, StoreError> {
        Ok(request.slice(page_query(meeting, scope, filter, request).all(self.reader()).await?))
    }

    /// Returns the statement behind [`Store::comments`], to explain its plan.
    #[must_use]
    pub fn comments_statement(
        &self,
        meeting: MeetingId,
        scope: &CommentScope,
        filter: &CommentFilter,
        request: &PageRequest<CommentCursor>,
    ) -> Statement {
        page_query(meeting, scope, filter, request).build(self.reader().get_database_backend())
    }

    /// Returns the statement behind [`Tx::selected_comment`], to explain its plan.
    #[must_use]
    pub fn selected_comment_statement(&self, meeting: MeetingId) -> Statement {
        selected_query(meeting).build(self.reader().get_database_backend())
    }

    /// Returns a page of an author's comments, newest first, in any known state.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn comments_of(
        &self,
        author: &str,
        request: &PageRequest<CommentId>,
    ) -> Result<PageSlice<comment::Model>, StoreError> {
        Ok(request.slice(author_query(author, request).all(self.reader()).await?))
    }

    /// Returns the statement of [`Store::comments_of`].
    #[must_use]
    pub fn comments_of_statement(&self, author: &str, request: &PageRequest<CommentId>) -> Statement {
        author_query(author, request).build(self.reader().get_database_backend())
    }

    /// Counts an author's comments, up to [`MAX_COUNT`](crate::store::MAX_COUNT).
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count_comments_of(&self, author: &str) -> Result<u64, StoreError> {
        self.count(by_author(author)).await
    }

    /// Counts the comments of a meeting that a scope and a filter allow, up to
    /// [`MAX_COUNT`](crate::store::MAX_COUNT).
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count_comments(
        &self,
        meeting: MeetingId,
        scope: &CommentScope,
        filter: &CommentFilter,
    ) -> Result<u64, StoreError> {
        self.count(filtered_query(meeting, scope, filter)).await
    }
}

fn selected_query(meeting: MeetingId) -> sea_orm::Select<comment::Entity> {
    // Literal SQL, because a bound value would not match the partial index.
    comment::Entity::find().filter(Column::MeetingId.eq(meeting)).filter(Expr::cust("state = 'SELECTED'"))
}

fn by_author(author: &str) -> sea_orm::Select<comment::Entity> {
    let known = Column::State.is_in(CommentState::ALL.iter().copied());
    comment::Entity::find().filter(Column::AuthorKey.eq(author)).filter(known)
}

/// Ids rise with time, so that they order comments by age.
fn author_query(author: &str, request: &PageRequest<CommentId>) -> sea_orm::Select<comment::Entity> {
    let mut query = by_author(author);
    if let Some(cursor) = request.after {
        query = query.filter(Column::Id.lt(cursor));
    }
    query.order_by_desc(Column::Id).limit(request.query_limit())
}

fn known_states(mut rows: Vec<comment::Model>) -> Vec<comment::Model> {
    rows.retain(|row| row.state.is_known());
    rows
}

fn page_query(
    meeting: MeetingId,
    scope: &CommentScope,
    filter: &CommentFilter,
    request: &PageRequest<CommentCursor>,
) -> sea_orm::Select<comment::Entity> {
    let mut query = filtered_query(meeting, scope, filter);
    if let Some(cursor) = request.after {
        query = query.filter(keyset_condition(filter.order, cursor, true));
    }
    if let Some(cursor) = request.before {
        query = query.filter(keyset_condition(filter.order, cursor, false));
    }
    let rising = (filter.order == CommentOrder::Newest) == request.backward;
    let direction = if rising { Order::Asc } else { Order::Desc };
    if filter.order == CommentOrder::MostVoted {
        query = query.order_by(Expr::cust(NEGATED_VOTES), direction.clone());
    }
    query.order_by(Column::PostedSeq, direction).limit(request.query_limit())
}

/// Sort expression for most votes first, in the form that its index uses.
const NEGATED_VOTES: &str = "-votes";

/// Turns a scope into SQL. `CommentScope::allows` is the same rule for one row.
pub(in crate::store) fn scope_condition(scope: &CommentScope) -> Condition {
    let public = Column::State.is_in(PUBLIC_STATES);
    let known = Column::State.is_in(CommentState::ALL.iter().copied());
    match scope {
        CommentScope::Everything => Condition::all().add(known),
        CommentScope::PublicAndOwn(author) => {
            Condition::any().add(public).add(Column::AuthorKey.eq(author.as_str()).and(known))
        }
        CommentScope::PublicOnly => Condition::all().add(public),
    }
}

fn filtered_query(
    meeting: MeetingId,
    scope: &CommentScope,
    filter: &CommentFilter,
) -> sea_orm::Select<comment::Entity> {
    let words = filter.words.iter().fold(Condition::all(), |all, word| all.add(contains(Column::Search, word)));
    // Labels are a JSON array of strings, so a label is matched with its quotes.
    let label = filter.label.as_ref().and_then(|label| serde_json::to_string(label).ok());
    let label = label.map(|label| contains(Column::Labels, &label));
    let filters = Condition::all()
        .add_option(filter.states.as_ref().map(|states| Column::State.is_in(states.iter().copied())))
        .add_option(filter.kinds.as_ref().map(|kinds| Column::Kind.is_in(kinds.iter().copied())))
        .add_option(label)
        .add(words);
    comment::Entity::find().filter(Column::MeetingId.eq(meeting)).filter(scope_condition(scope)).filter(filters)
}

fn keyset_condition(order: CommentOrder, (votes, seq): CommentCursor, after: bool) -> Condition {
    match order {
        CommentOrder::Oldest | CommentOrder::Newest => {
            let rising = (order == CommentOrder::Oldest) == after;
            Condition::all().add(if rising { Column::PostedSeq.gt(seq) } else { Column::PostedSeq.lt(seq) })
        }
        CommentOrder::MostVoted => {
            // One row comparison, so that a page starts at its place in the index even if many comments have the same
            // votes. SQLite finds that place only with the separate bound on the votes.
            let row = Expr::tuple([Expr::cust(NEGATED_VOTES), Expr::col((comment::Entity, Column::PostedSeq))]);
            let fewer = -i64::from(votes);
            let place = Expr::tuple([Expr::value(fewer), Expr::value(seq)]);
            let bound = Expr::cust(NEGATED_VOTES);
            let (bound, beyond) =
                if after { (bound.gte(fewer), row.gt(place)) } else { (bound.lte(fewer), row.lt(place)) };
            Condition::all().add(bound).add(beyond)
        }
    }
}
