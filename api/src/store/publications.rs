//! Editions of publications, and where else they were placed.

use chrono::{DateTime, Utc};
use entities::{
    enums::PublicationKind,
    ids::{MeetingId, PublicationId},
    kato::KatoCode,
    publication::{Column, Entity, Model},
    publication_content, publication_placement, publication_series,
};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait, Condition, ConnectionTrait, EntityTrait, IntoActiveModel as _, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect, Select, Set, sea_query::OnConflict,
};

use crate::store::{
    Store, StoreError, Tx,
    batching::padded,
    keyset::{PageRequest, PageSlice},
    subtree::within,
};

/// Filter of a list of publications. All given conditions must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PublicationFilter {
    /// Any of these kinds.
    pub kinds: Option<Vec<PublicationKind>>,
    /// About this unit or one below it.
    pub region: Option<KatoCode>,
    /// About this body.
    pub agency: Option<String>,
    /// About this meeting.
    pub meeting: Option<MeetingId>,
    /// Published at this time or later.
    pub from: Option<DateTime<Utc>>,
    /// Published before this time.
    pub until: Option<DateTime<Utc>>,
}

impl Tx {
    /// Locks a series until the end of the transaction, and returns its newest edition.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lock_series(&self, series: &str) -> Result<Option<Model>, StoreError> {
        use publication_series::{ActiveModel, Column, Entity};
        let known = OnConflict::column(Column::Series).do_nothing().to_owned();
        let row = ActiveModel { series: Set(series.to_owned()) };
        self.insert_rows(vec![row], Some(known)).await?;
        Entity::find_by_id(series).lock_exclusive().one(self.inner()).await?;
        newest(self.inner(), series).await
    }

    /// Inserts an edition with its bytes.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn insert_publication(&self, row: Model, content: Vec<u8>) -> Result<(), StoreError> {
        let content = publication_content::Model { publication_id: row.id, content };
        Entity::insert(row.into_active_model().reset_all()).exec_without_returning(self.inner()).await?;
        let content = content.into_active_model().reset_all();
        publication_content::Entity::insert(content).exec_without_returning(self.inner()).await?;
        Ok(())
    }

    /// Returns an edition.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn publication(&self, id: PublicationId) -> Result<Option<Model>, StoreError> {
        Ok(Entity::find_by_id(id).one(self.inner()).await?)
    }

    /// Locks an edition until the end of the transaction, and returns it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lock_publication(&self, id: PublicationId) -> Result<Option<Model>, StoreError> {
        Ok(Entity::find_by_id(id).lock_exclusive().one(self.inner()).await?)
    }

    /// Records placements, each once. Returns how many were not recorded before.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn insert_placements(&self, rows: Vec<publication_placement::Model>) -> Result<u64, StoreError> {
        use publication_placement::{ActiveModel, Column};
        let rows = rows.into_iter().map(|row| row.into_active_model().reset_all()).collect();
        let known = OnConflict::columns([Column::PublicationId, Column::Digest]).do_nothing().to_owned();
        self.insert_rows::<ActiveModel>(rows, Some(known)).await
    }

    /// Counts the placements of an edition.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count_placements(&self, id: PublicationId) -> Result<u64, StoreError> {
        use publication_placement::{Column, Entity};
        Ok(Entity::find().filter(Column::PublicationId.eq(id)).count(self.inner()).await?)
    }
}

impl Store {
    /// Returns the newest edition of a series.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn newest_edition(&self, series: &str) -> Result<Option<Model>, StoreError> {
        newest(self.reader(), series).await
    }

    /// Returns editions by id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn publications_by_id(&self, ids: &[PublicationId]) -> Result<Vec<Model>, StoreError> {
        Ok(known().filter(Column::Id.is_in(padded(ids.iter().copied()))).all(self.reader()).await?)
    }

    /// Returns the published bytes of an edition.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn publication_content(&self, id: PublicationId) -> Result<Option<Vec<u8>>, StoreError> {
        let row = publication_content::Entity::find_by_id(id).one(self.reader()).await?;
        Ok(row.map(|row| row.content))
    }

    /// Returns a page of the editions that a filter selects, newest first. The list is read forwards only.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn publications(
        &self,
        filter: &PublicationFilter,
        request: &PageRequest<PublicationId>,
    ) -> Result<PageSlice<Model>, StoreError> {
        let rows = selected(filter).filter(Condition::all().add_option(request.after.map(|id| Column::Id.lt(id))));
        let rows = rows.order_by_desc(Column::Id).limit(request.query_limit());
        Ok(request.slice(rows.all(self.reader()).await?))
    }

    /// Counts the editions that a filter selects, up to [`crate::store::counts::MAX_COUNT`].
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count_publications(&self, filter: &PublicationFilter) -> Result<u64, StoreError> {
        self.count(selected(filter)).await
    }

    /// Returns the editions about meetings, newest first, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn publications_of(&self, meetings: &[MeetingId], limit: u64) -> Result<Vec<Model>, StoreError> {
        let of = Column::MeetingId.is_in(padded(meetings.iter().copied()));
        Ok(known().filter(of).order_by_desc(Column::Id).limit(limit).all(self.reader()).await?)
    }

    /// Returns where else editions were placed, by time.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn placements(&self, ids: &[PublicationId]) -> Result<Vec<publication_placement::Model>, StoreError> {
        use publication_placement::{Column, Entity};
        let rows = Entity::find().filter(Column::PublicationId.is_in(padded(ids.iter().copied())));
        let rows = rows.order_by_asc(Column::PublicationId).order_by_asc(Column::PlacedAt);
        Ok(rows.order_by_asc(Column::Digest).all(self.reader()).await?)
    }
}

/// Selects the editions of known kinds. Those that only a later version knows are in no list.
fn known() -> Select<Entity> {
    Entity::find().filter(Column::Kind.is_in(PublicationKind::ALL.iter().copied()))
}

fn selected(filter: &PublicationFilter) -> Select<Entity> {
    let conditions = Condition::all()
        .add_option(filter.kinds.as_ref().map(|kinds| Column::Kind.is_in(kinds.iter().copied())))
        .add_option(filter.region.map(|unit| within(Column::RegionCode, unit)))
        .add_option(filter.agency.as_ref().map(|agency| Column::Agency.eq(agency)))
        .add_option(filter.meeting.map(|meeting| Column::MeetingId.eq(meeting)))
        .add_option(filter.from.map(|from| Column::PublishedAt.gte(from)))
        .add_option(filter.until.map(|until| Column::PublishedAt.lt(until)));
    known().filter(conditions)
}

async fn newest(connection: &impl ConnectionTrait, series: &str) -> Result<Option<Model>, StoreError> {
    let editions = Entity::find().filter(Column::Series.eq(series)).order_by_desc(Column::Edition);
    Ok(editions.one(connection).await?)
}
