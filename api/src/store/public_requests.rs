//! Requests that people send in before a meeting.

use entities::{
    enums::RequestChannel,
    ids::{MeetingId, RequestId},
    issue_source,
    kato::KatoCode,
    public_request::{self, Column, Entity},
};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait, Condition, EntityTrait, IntoActiveModel as _, QueryFilter, QueryOrder,
    QuerySelect,
    sea_query::{Expr, ExprTrait as _, OnConflict, Query},
};

use crate::store::{
    Store, StoreError, Tx,
    batching::padded,
    keyset::{PageRequest, PageSlice},
    search::contains,
    subtree::within,
};

/// Filter of a list of requests. All given conditions must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestFilter {
    /// For this meeting.
    pub meeting: Option<MeetingId>,
    /// About this unit or one below it.
    pub region: Option<KatoCode>,
    /// By this channel.
    pub channel: Option<RequestChannel>,
    /// Whether no issue was raised from them.
    pub unassigned: bool,
    /// Normalised terms that the text must contain.
    pub words: Vec<String>,
    /// In or below any of these units; `None` for all.
    pub units: Option<Vec<KatoCode>>,
    /// Pseudonym of the person who sent them.
    pub person: Option<String>,
}

impl Tx {
    /// Inserts requests. Returns how many were not recorded before, by their ids in the channel.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn insert_requests(&self, rows: Vec<public_request::Model>) -> Result<u64, StoreError> {
        let rows = rows.into_iter().map(|row| row.into_active_model().reset_all()).collect();
        self.insert_rows::<public_request::ActiveModel>(rows, Some(OnConflict::new().do_nothing().to_owned())).await
    }

    /// Returns which ids of a channel are recorded for a meeting.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn recorded_requests(
        &self,
        meeting: MeetingId,
        external_ids: &[String],
    ) -> Result<Vec<(RequestChannel, String)>, StoreError> {
        let rows = Entity::find()
            .filter(Column::MeetingId.eq(meeting))
            .filter(Column::ExternalId.is_in(padded(external_ids.iter().cloned())))
            .all(self.inner())
            .await?;
        Ok(rows.into_iter().filter_map(|row| Some((row.channel, row.external_id?))).collect())
    }

    /// Returns requests by id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn requests(&self, ids: &[RequestId]) -> Result<Vec<public_request::Model>, StoreError> {
        Ok(Entity::find().filter(Column::Id.is_in(padded(ids.iter().copied()))).all(self.inner()).await?)
    }
}

impl Store {
    /// Returns requests by id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn requests_by_id(&self, ids: &[RequestId]) -> Result<Vec<public_request::Model>, StoreError> {
        Ok(Entity::find().filter(Column::Id.is_in(padded(ids.iter().copied()))).all(self.reader()).await?)
    }

    /// Returns a page of the requests that a filter allows, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn public_requests(
        &self,
        filter: &RequestFilter,
        request: &PageRequest<RequestId>,
    ) -> Result<PageSlice<public_request::Model>, StoreError> {
        let rows = Entity::find()
            .filter(allowed(filter))
            .filter(Condition::all().add_option(request.after.map(|id| Column::Id.gt(id))))
            .order_by_asc(Column::Id)
            .limit(request.query_limit());
        Ok(request.slice(rows.all(self.reader()).await?))
    }

    /// Counts the requests that a filter allows, up to [`crate::store::counts::MAX_COUNT`].
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count_requests(&self, filter: &RequestFilter) -> Result<u64, StoreError> {
        self.count(Entity::find().filter(allowed(filter))).await
    }
}

fn allowed(filter: &RequestFilter) -> Condition {
    let units = filter
        .units
        .as_ref()
        .map(|units| units.iter().fold(Condition::any(), |any, unit| any.add(within(Column::RegionCode, *unit))));
    let unassigned = filter.unassigned.then(|| {
        let raised = Query::select()
            .column(issue_source::Column::SourceId)
            .from(issue_source::Entity)
            .and_where(Expr::col((issue_source::Entity, issue_source::Column::SourceId)).equals((Entity, Column::Id)))
            .to_owned();
        Expr::exists(raised).not()
    });
    Condition::all()
        .add_option(filter.meeting.map(|meeting| Column::MeetingId.eq(meeting)))
        .add_option(filter.region.map(|unit| within(Column::RegionCode, unit)))
        .add_option(filter.channel.map(|channel| Column::Channel.eq(channel)))
        .add_option(filter.person.as_ref().map(|person| Column::Person.eq(person)))
        .add_option(units)
        .add_option(unassigned)
        .add(filter.words.iter().fold(Condition::all(), |all, word| all.add(contains(Column::Search, word))))
}
