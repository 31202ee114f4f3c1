//! Meetings and their broadcasts.

use chrono::{DateTime, Utc};
use entities::{
    broadcast,
    enums::{MeetingOrigin, MeetingPhase, Stored},
    ids::{BroadcastId, MeetingId},
    kato::KatoCode,
    meeting::{self, Column},
};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect,
};

use crate::store::{
    Store, StoreError, Tx,
    normalization::contains,
    page::{Cut, Window},
    shapes::keep_unknown,
};

/// Which meetings are wanted. Every part that is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MeetingFilter {
    /// Held in this unit or below it.
    pub region: Option<KatoCode>,
    /// Held by the akim of this unit.
    pub host: Option<KatoCode>,
    /// In one of these phases.
    pub phases: Option<Vec<MeetingPhase>>,
    /// From the calendar or outside it.
    pub origin: Option<MeetingOrigin>,
    /// Planned to begin then or later.
    pub from: Option<DateTime<Utc>>,
    /// Planned to begin before then.
    pub until: Option<DateTime<Utc>>,
    /// Normalised terms, each of which stands in a title or the venue.
    pub words: Vec<String>,
}

/// Sort key of a meeting in a list: by its planned beginning.
pub type MeetingCursor = (DateTime<Utc>, MeetingId);

impl Tx {
    /// A meeting, locked against other changes until the end of the transaction. One in a phase of a later version is not there.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lock_meeting(&self, id: MeetingId) -> Result<Option<meeting::Model>, StoreError> {
        let row = meeting::Entity::find_by_id(id).lock_exclusive().one(self.inner()).await?;
        Ok(row.filter(|row| row.phase.is_known()))
    }

    /// Adds a meeting.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn insert_meeting(&self, row: meeting::Model) -> Result<(), StoreError> {
        meeting::Entity::insert(row.into_active_model().reset_all()).exec_without_returning(self.inner()).await?;
        Ok(())
    }

    /// Writes a meeting as it now is.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn save_meeting(&self, row: meeting::Model) -> Result<(), StoreError> {
        let mut row = row.into_active_model().reset_all();
        keep_unknown(&mut row.origin);
        keep_unknown(&mut row.moderation);
        row.update(self.inner()).await?;
        Ok(())
    }

    /// The broadcasts of a meeting, in the order they were added.
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

    /// Adds a broadcast.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn insert_broadcast(&self, row: broadcast::Model) -> Result<(), StoreError> {
        broadcast::Entity::insert(row.into_active_model().reset_all()).exec_without_returning(self.inner()).await?;
        Ok(())
    }

    /// Writes a broadcast as it now is.
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
    /// The meetings with these ids, in no order. One in a phase of a later version is not there.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn meetings_by_id(&self, ids: &[MeetingId]) -> Result<Vec<meeting::Model>, StoreError> {
        let mut rows = meeting::Entity::find().filter(Column::Id.is_in(ids.iter().copied())).all(self.reader()).await?;
        rows.retain(|row| row.phase.is_known());
        Ok(rows)
    }

    /// A window on the meetings that a filter lets through, earliest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn meetings(
        &self,
        filter: &MeetingFilter,
        window: &Window<MeetingCursor>,
    ) -> Result<Cut<meeting::Model>, StoreError> {
        let mut query = meeting::Entity::find().filter(condition(filter));
        if let Some((start, id)) = window.after {
            let later = Condition::all().add(Column::PlannedStart.eq(start)).add(Column::Id.gt(id));
            query = query.filter(Condition::any().add(Column::PlannedStart.gt(start)).add(later));
        }
        if let Some((start, id)) = window.before {
            let earlier = Condition::all().add(Column::PlannedStart.eq(start)).add(Column::Id.lt(id));
            query = query.filter(Condition::any().add(Column::PlannedStart.lt(start)).add(earlier));
        }
        let query = if window.backward {
            query.order_by_desc(Column::PlannedStart).order_by_desc(Column::Id)
        } else {
            query.order_by_asc(Column::PlannedStart).order_by_asc(Column::Id)
        };
        Ok(window.cut(query.limit(window.ask()).all(self.reader()).await?))
    }

    /// How many meetings a filter lets through.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count_meetings(&self, filter: &MeetingFilter) -> Result<u64, StoreError> {
        Ok(meeting::Entity::find().filter(condition(filter)).count(self.reader()).await?)
    }

    /// The broadcasts of several meetings, in the order they were added.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn broadcasts_of(&self, meetings: &[MeetingId]) -> Result<Vec<broadcast::Model>, StoreError> {
        Ok(broadcast::Entity::find()
            .filter(broadcast::Column::MeetingId.is_in(meetings.iter().copied()))
            .order_by_asc(broadcast::Column::MeetingId)
            .order_by_asc(broadcast::Column::Ordinal)
            .all(self.reader())
            .await?)
    }

    /// The broadcasts with these ids, in no order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn broadcasts_by_id(&self, ids: &[BroadcastId]) -> Result<Vec<broadcast::Model>, StoreError> {
        Ok(broadcast::Entity::find()
            .filter(broadcast::Column::Id.is_in(ids.iter().copied()))
            .all(self.reader())
            .await?)
    }
}

fn condition(filter: &MeetingFilter) -> Condition {
    let region = filter.region.map(|code| {
        let (first, last) = code.subtree();
        Column::RegionCode.between(first.as_str(), last.as_str())
    });
    let words = filter.words.iter().fold(Condition::all(), |all, word| all.add(contains(Column::Search, word)));
    Condition::all()
        .add_option(region)
        .add_option(filter.host.map(|code| Column::HostCode.eq(code.as_str())))
        // One in a phase of a later version is in no list.
        .add(Column::Phase.is_in(filter.phases.as_deref().unwrap_or(MeetingPhase::ALL).iter().copied()))
        .add_option(filter.origin.map(|origin| Column::Origin.eq(origin)))
        .add_option(filter.from.map(|from| Column::PlannedStart.gte(from)))
        .add_option(filter.until.map(|until| Column::PlannedStart.lt(until)))
        .add(words)
}
