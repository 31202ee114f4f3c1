//! Stretches of a stage.

use entities::{ids::MeetingId, meeting, stage_segment};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QueryTrait, Statement,
    sea_query::Expr,
};

use crate::store::{Store, StoreError, Tx, changes::keep_unknown};

impl Tx {
    /// The stretches of a meeting, in order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn segments(&self, meeting: MeetingId) -> Result<Vec<stage_segment::Model>, StoreError> {
        Ok(of(meeting).all(self.inner()).await?)
    }

    /// Adds a stretch.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn insert_segment(&self, row: stage_segment::Model) -> Result<(), StoreError> {
        stage_segment::Entity::insert(row.into_active_model().reset_all()).exec_without_returning(self.inner()).await?;
        Ok(())
    }

    /// Writes a stretch as it now is.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn save_segment(&self, row: stage_segment::Model) -> Result<(), StoreError> {
        let mut row = row.into_active_model().reset_all();
        keep_unknown(&mut row.stage);
        row.update(self.inner()).await?;
        Ok(())
    }
}

impl Store {
    /// The stretches of several meetings, in order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn segments_of(&self, meetings: &[MeetingId]) -> Result<Vec<stage_segment::Model>, StoreError> {
        Ok(stage_segment::Entity::find()
            .filter(stage_segment::Column::MeetingId.is_in(meetings.iter().copied()))
            .order_by_asc(stage_segment::Column::MeetingId)
            .order_by_asc(stage_segment::Column::Ordinal)
            .all(self.reader())
            .await?)
    }

    /// Live meetings whose presentation has yet to be recorded as over its budget.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn meetings_within_budget(&self) -> Result<Vec<meeting::Model>, StoreError> {
        Ok(within_budget().all(self.reader()).await?)
    }

    /// The statement behind [`Store::meetings_within_budget`], for whoever asks the database how it runs it.
    #[must_use]
    pub fn meetings_within_budget_statement(&self) -> Statement {
        within_budget().build(self.reader().get_database_backend())
    }
}

fn within_budget() -> sea_orm::Select<meeting::Entity> {
    // In the words of the partial index: a bound value could not be matched with it.
    meeting::Entity::find().filter(Expr::cust("phase = 'LIVE' AND exceeded_at IS NULL"))
}

fn of(meeting: MeetingId) -> sea_orm::Select<stage_segment::Entity> {
    stage_segment::Entity::find()
        .filter(stage_segment::Column::MeetingId.eq(meeting))
        .order_by_asc(stage_segment::Column::Ordinal)
}
