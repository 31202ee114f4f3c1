//! Stage segments of meetings.

use entities::{ids::MeetingId, meeting, stage_segment};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QueryTrait, Statement,
    sea_query::Expr,
};

use crate::store::{Store, StoreError, Tx, batching::padded, changes::keep_unknown};

impl Tx {
    /// Returns the segments of a meeting, in order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn segments(&self, meeting: MeetingId) -> Result<Vec<stage_segment::Model>, StoreError> {
        Ok(by_meeting(meeting).all(self.inner()).await?)
    }

    /// Inserts a segment.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn insert_segment(&self, row: stage_segment::Model) -> Result<(), StoreError> {
        stage_segment::Entity::insert(row.into_active_model().reset_all()).exec_without_returning(self.inner()).await?;
        Ok(())
    }

    /// Updates a segment.
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
    /// Returns the segments of several meetings, in order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn segments_of(&self, meetings: &[MeetingId]) -> Result<Vec<stage_segment::Model>, StoreError> {
        Ok(stage_segment::Entity::find()
            .filter(stage_segment::Column::MeetingId.is_in(padded(meetings.iter().copied())))
            .order_by_asc(stage_segment::Column::MeetingId)
            .order_by_asc(stage_segment::Column::Ordinal)
            .all(self.reader())
            .await?)
    }

    /// Returns live meetings whose presentation is not yet recorded as over budget.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn meetings_within_budget(&self) -> Result<Vec<meeting::Model>, StoreError> {
        Ok(within_budget().all(self.reader()).await?)
    }

    /// Returns the statement behind [`Store::meetings_within_budget`], to explain its plan.
    #[must_use]
    pub fn meetings_within_budget_statement(&self) -> Statement {
        within_budget().build(self.reader().get_database_backend())
    }
}

fn within_budget() -> sea_orm::Select<meeting::Entity> {
    // Literal SQL, because a bound value would not match the partial index.
    meeting::Entity::find().filter(Expr::cust("phase = 'LIVE' AND exceeded_at IS NULL"))
}

fn by_meeting(meeting: MeetingId) -> sea_orm::Select<stage_segment::Entity> {
    stage_segment::Entity::find()
        .filter(stage_segment::Column::MeetingId.eq(meeting))
        .order_by_asc(stage_segment::Column::Ordinal)
}
