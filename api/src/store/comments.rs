//! Comments. A list read takes the viewer's scope, which becomes SQL in one function.

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
    PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Statement,
    sea_query::{Expr, ExprTrait},
};

use crate::{
    domain::{
        comment::{PUBLIC_STATES, can_be_merge_target},
        policy::CommentScope,
    },
    store::{
        Store, StoreError, Tx,
        batching::{batches, padded},
        keyset::{PageRequest, PageSlice},
        normalization::contains,
    },
};

/// In which order comments are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CommentOrder {
    /// As they were posted.
    #[default]
    Oldest,
    /// The other way round.
    Newest,
    /// The most wanted first, then as they were posted.
    MostVoted,
}

/// Which comments are wanted. Every part that is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommentFilter {
    /// In one of these states.
    pub states: Option<Vec<CommentState>>,
    /// Of one of these kinds.
    pub kinds: Option<Vec<CommentKind>>,
    /// Normalised terms, each of which stands in the body or the author's name.
    pub words: Vec<String>,
    /// With this label.
    pub label: Option<String>,
    /// In which order.
    pub order: CommentOrder,
}

/// A comment, with whose akim holds its meeting.
#[derive(Clone, Debug, FromQueryResult)]
pub struct CommentWithHost {
    /// The comment.
    #[sea_orm(nested)]
    pub comment: comment::Model,
    /// Code of the unit.
    pub host_code: String,
}

/// Sort key of a comment in a list: its votes (used only where they are the order) and its first position.
pub type CommentCursor = (i32, i64);

impl Tx {
    /// The comments with these ids, in no order. One in a state of a later version is not there.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn comments_by_id(&self, ids: &[CommentId]) -> Result<Vec<comment::Model>, StoreError> {
        let rows = comment::Entity::find().filter(Column::Id.is_in(ids.iter().copied())).all(self.inner()).await?;
        Ok(known(rows))
    }

    /// The comment that is being answered at a meeting.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn selected_comment(&self, meeting: MeetingId) -> Result<Option<comment::Model>, StoreError> {
        let selected = comment::Entity::find()
            .filter(Column::MeetingId.eq(meeting))
            .filter(Column::State.eq(CommentState::Selected));
        Ok(selected.one(self.inner()).await?)
    }

    /// The comments that were imported from a broadcast under these platform identities.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn imported(&self, broadcast: BroadcastId, ids: &[String]) -> Result<Vec<comment::Model>, StoreError> {
        Ok(comment::Entity::find()
            .filter(Column::BroadcastId.eq(broadcast))
            .filter(Column::ExternalId.is_in(ids.iter().cloned()))
            .all(self.inner())
            .await?)
    }

    /// When these authors last posted at a meeting.
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

    /// What was said, by whom, under these digests, and was neither taken back nor joined to what is gone.
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
        let joined: Vec<CommentId> = rows.iter().filter_map(|(.., into)| *into).collect();
        let into = if joined.is_empty() { Vec::new() } else { self.comments_by_id(&joined).await? };
        let gone = |id| into.iter().any(|row| row.id == id && !can_be_merge_target(row.state));
        let said = rows.into_iter().filter(|(.., into)| !into.is_some_and(gone));
        Ok(said.map(|(author, body, _)| (author, body)).collect())
    }

    /// Adds comments.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn insert_comments(&self, rows: Vec<comment::Model>) -> Result<(), StoreError> {
        for batch in batches(&rows) {
            let rows = batch.iter().map(|row| row.clone().into_active_model().reset_all());
            comment::Entity::insert_many(rows).exec_without_returning(self.inner()).await?;
        }
        Ok(())
    }
}

impl Store {
    /// The comments with these ids, whoever may see them: for the feed, and for acts that check. One in a state of a later version is
    /// not there.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn comments_by_id(&self, ids: &[CommentId]) -> Result<Vec<comment::Model>, StoreError> {
        let rows = comment::Entity::find().filter(Column::Id.is_in(ids.iter().copied())).all(self.reader()).await?;
        Ok(known(rows))
    }

    /// The comments with these ids and the hosts of their meetings, on which depends who may see them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn comments_with_host(&self, ids: &[CommentId]) -> Result<Vec<CommentWithHost>, StoreError> {
        let meeting = comment::Entity::belongs_to(meeting::Entity).from(Column::MeetingId).to(meeting::Column::Id);
        Ok(comment::Entity::find()
            .column(meeting::Column::HostCode)
            .join(JoinType::InnerJoin, meeting.into())
            .filter(Column::Id.is_in(ids.iter().copied()))
            .filter(meeting::Column::Phase.is_in(MeetingPhase::ALL.iter().copied()))
            .into_model::<CommentWithHost>()
            .all(self.reader())
            .await?)
    }

    /// A request on the comments of a meeting that a scope and a filter let through.
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
        Ok(request.slice(page(meeting, scope, filter, request).all(self.reader()).await?))
    }

    /// The statement behind [`Store::comments`], for whoever asks the database how it runs it.
    #[must_use]
    pub fn comments_statement(
        &self,
        meeting: MeetingId,
        scope: &CommentScope,
        filter: &CommentFilter,
        request: &PageRequest<CommentCursor>,
    ) -> Statement {
        page(meeting, scope, filter, request).build(self.reader().get_database_backend())
    }

    /// How many comments of a meeting a scope and a filter let through.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count_comments(
        &self,
        meeting: MeetingId,
        scope: &CommentScope,
        filter: &CommentFilter,
    ) -> Result<u64, StoreError> {
        Ok(wanted(meeting, scope, filter).count(self.reader()).await?)
    }
}

fn known(mut rows: Vec<comment::Model>) -> Vec<comment::Model> {
    rows.retain(|row| row.state.is_known());
    rows
}

fn page(
    meeting: MeetingId,
    scope: &CommentScope,
    filter: &CommentFilter,
    request: &PageRequest<CommentCursor>,
) -> sea_orm::Select<comment::Entity> {
    let mut query = wanted(meeting, scope, filter);
    if let Some(cursor) = request.after {
        query = query.filter(beyond(filter.order, cursor, true));
    }
    if let Some(cursor) = request.before {
        query = query.filter(beyond(filter.order, cursor, false));
    }
    let rising = (filter.order == CommentOrder::Newest) == request.backward;
    let direction = if rising { Order::Asc } else { Order::Desc };
    if filter.order == CommentOrder::MostVoted {
        query = query.order_by(Expr::cust(FEWER_VOTES), direction.clone());
    }
    query.order_by(Column::PostedSeq, direction).limit(request.query_limit())
}

/// By what the most wanted come first, in the words of the index that is read for it.
const FEWER_VOTES: &str = "-votes";

/// The one place where a scope becomes SQL; `CommentScope::allows` says the same of a row.
fn scoped(scope: &CommentScope) -> Condition {
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

fn wanted(meeting: MeetingId, scope: &CommentScope, filter: &CommentFilter) -> sea_orm::Select<comment::Entity> {
    let words = filter.words.iter().fold(Condition::all(), |all, word| all.add(contains(Column::Search, word)));
    // Labels are a JSON array of strings, so a whole label stands between its quotes.
    let label = filter.label.as_ref().and_then(|label| serde_json::to_string(label).ok());
    let label = label.map(|label| contains(Column::Labels, &label));
    let filters = Condition::all()
        .add_option(filter.states.as_ref().map(|states| Column::State.is_in(states.iter().copied())))
        .add_option(filter.kinds.as_ref().map(|kinds| Column::Kind.is_in(kinds.iter().copied())))
        .add_option(label)
        .add(words);
    comment::Entity::find().filter(Column::MeetingId.eq(meeting)).filter(scoped(scope)).filter(filters)
}

fn beyond(order: CommentOrder, (votes, seq): CommentCursor, after: bool) -> Condition {
    match order {
        CommentOrder::Oldest | CommentOrder::Newest => {
            let rising = (order == CommentOrder::Oldest) == after;
            Condition::all().add(if rising { Column::PostedSeq.gt(seq) } else { Column::PostedSeq.lt(seq) })
        }
        CommentOrder::MostVoted => {
            // One comparison of rows, so that a page begins at its place in the index however many have the same votes. SQLite
            // begins there by the votes, which are said apart for it.
            let row = Expr::tuple([Expr::cust(FEWER_VOTES), Expr::col((comment::Entity, Column::PostedSeq))]);
            let fewer = -i64::from(votes);
            let place = Expr::tuple([Expr::value(fewer), Expr::value(seq)]);
            let bound = Expr::cust(FEWER_VOTES);
            let (bound, beyond) =
                if after { (bound.gte(fewer), row.gt(place)) } else { (bound.lte(fewer), row.lt(place)) };
            Condition::all().add(bound).add(beyond)
        }
    }
}
