//! Personal receptions, their hosts, and the letters of their tickets.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, Utc};
use entities::{
    enums::{ReceptionState, Stored as _},
    ids::{MeetingId, ReceptionId},
    reception::{self, Column, Entity},
    reception_host, reception_letter, reception_lock,
};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait, EntityTrait, ExprTrait as _, IntoActiveModel as _, JoinType, QueryFilter,
    QueryOrder, QuerySelect, Set,
    sea_query::{Expr, OnConflict},
};

use crate::store::{Store, StoreError, Tx, batching::padded, changes::with_changes};

/// Hosts of a reception that may sit elsewhere at the same time.
#[derive(Clone, Copy, Debug)]
pub struct HostCheck<'a> {
    /// The reception.
    pub reception: ReceptionId,
    /// First two digits of the oblast's code.
    pub oblast: &'a str,
    /// The hosts' names, normalised, sorted.
    pub name_keys: &'a [String],
    /// Start of the reception.
    pub starts_at: DateTime<Utc>,
    /// End of the reception.
    pub ends_at: DateTime<Utc>,
}

impl Tx {
    /// Locks a reception until the end of the transaction and returns it. Receptions in an unknown state are left out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lock_reception(&self, id: ReceptionId) -> Result<Option<reception::Model>, StoreError> {
        let row = Entity::find_by_id(id).lock_exclusive().one(self.inner()).await?;
        Ok(row.filter(|row| row.state.is_known()))
    }

    /// Inserts a reception.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn insert_reception(&self, row: reception::Model) -> Result<(), StoreError> {
        row.into_active_model().reset_all().insert(self.inner()).await?;
        Ok(())
    }

    /// Updates the changed columns of a reception.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn save_reception(&self, before: &reception::Model, after: &reception::Model) -> Result<(), StoreError> {
        if before == after {
            return Ok(());
        }
        let changed = with_changes(before.clone().into_active_model(), &after.clone().into_active_model());
        Entity::update_many().set(changed).filter(Column::Id.eq(after.id)).exec(self.inner()).await?;
        Ok(())
    }

    /// Returns the draft that the end of a meeting created, if no person has changed it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn untouched_draft(&self, meeting: MeetingId) -> Result<Option<reception::Model>, StoreError> {
        Ok(Entity::find()
            .filter(Column::MeetingId.eq(meeting))
            .filter(Column::State.eq(ReceptionState::Draft))
            .filter(Column::CreatedBy.is_null())
            .filter(Column::Version.eq(1))
            .lock_exclusive()
            .one(self.inner())
            .await?)
    }

    /// Replaces the hosts of a reception.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn replace_hosts(&self, id: ReceptionId, hosts: Vec<reception_host::Model>) -> Result<(), StoreError> {
        let old = reception_host::Entity::delete_many().filter(reception_host::Column::ReceptionId.eq(id));
        old.exec(self.inner()).await?;
        let rows = hosts.into_iter().map(|host| host.into_active_model().reset_all()).collect();
        self.insert_rows(rows, None).await?;
        Ok(())
    }

    /// Returns the hosts of a reception in their order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn hosts(&self, id: ReceptionId) -> Result<Vec<reception_host::Model>, StoreError> {
        let hosts = reception_host::Entity::find().filter(reception_host::Column::ReceptionId.eq(id));
        Ok(hosts.order_by_asc(reception_host::Column::Ordinal).all(self.inner()).await?)
    }

    /// Returns a public reception at the same time with one of these hosts, and that host's name, if there is one.
    ///
    /// The names stay locked until the end of the transaction, so that two receptions cannot take a host at once.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn find_busy_host(&self, check: HostCheck<'_>) -> Result<Option<(String, reception::Model)>, StoreError> {
        if check.name_keys.is_empty() {
            return Ok(None);
        }
        self.lock_names(&format!("host:{}", check.oblast), check.name_keys).await?;
        let join = reception_host::Entity::belongs_to(Entity).from(reception_host::Column::ReceptionId).to(Column::Id);
        let found = reception_host::Entity::find()
            .join(JoinType::InnerJoin, join.into())
            .select_also(Entity)
            .filter(reception_host::Column::NameKey.is_in(padded(check.name_keys.iter().cloned())))
            .filter(Column::Id.ne(check.reception))
            .filter(Column::State.is_in([ReceptionState::Open, ReceptionState::Running]))
            .filter(Column::RegionCode.starts_with(check.oblast))
            .filter(Column::StartsAt.lt(check.ends_at))
            .filter(Column::EndsAt.gt(check.starts_at))
            .order_by_asc(Column::StartsAt)
            .one(self.inner())
            .await?;
        Ok(found.and_then(|(host, reception)| Some((host.name, reception?))))
    }

    /// Locks names until the end of the transaction, in their order, so that two commands never wait for each other.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lock_names(&self, scope: &str, names: &[String]) -> Result<(), StoreError> {
        use reception_lock::{ActiveModel, Column, Entity};
        let names: BTreeSet<&String> = names.iter().collect();
        let row = |name: &String| ActiveModel { scope: Set(scope.to_owned()), name: Set(name.clone()), locks: Set(1) };
        let again = Expr::col((Entity, Column::Locks)).add(1);
        let conflict = OnConflict::columns([Column::Scope, Column::Name]).value(Column::Locks, again).to_owned();
        self.insert_rows(names.into_iter().map(row).collect(), Some(conflict)).await?;
        Ok(())
    }

    /// Takes the next letter for tickets at a place on a day, counted from 0.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn take_letter(&self, region_code: &str, day: NaiveDate) -> Result<i32, StoreError> {
        use reception_letter::{ActiveModel, Column, Entity};
        let row = ActiveModel { region_code: Set(region_code.to_owned()), day: Set(day), used: Set(1) };
        let next = Expr::col((Entity, Column::Used)).add(1);
        let conflict = OnConflict::columns([Column::RegionCode, Column::Day]).value(Column::Used, next).to_owned();
        let row = Entity::insert(row).on_conflict(conflict).exec_with_returning(self.inner()).await?;
        Ok(row.used.saturating_sub(1))
    }
}

impl Store {
    /// Returns receptions by id, drafts included. Receptions in an unknown state are left out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn receptions_by_id(&self, ids: &[ReceptionId]) -> Result<Vec<reception::Model>, StoreError> {
        let rows = Entity::find().filter(Column::Id.is_in(padded(ids.iter().copied()))).all(self.reader()).await?;
        Ok(rows.into_iter().filter(|row| row.state.is_known()).collect())
    }

    /// Returns the receptions of meetings, drafts included, by their start.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn receptions_of(&self, meetings: &[MeetingId]) -> Result<Vec<reception::Model>, StoreError> {
        let rows = Entity::find()
            .filter(Column::MeetingId.is_in(padded(meetings.iter().copied())))
            .order_by_asc(Column::StartsAt)
            .order_by_asc(Column::Id)
            .all(self.reader())
            .await?;
        Ok(rows.into_iter().filter(|row| row.state.is_known()).collect())
    }

    /// Returns the hosts of receptions in their order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn hosts_of(&self, ids: &[ReceptionId]) -> Result<Vec<reception_host::Model>, StoreError> {
        use reception_host::{Column, Entity};
        let hosts = Entity::find().filter(Column::ReceptionId.is_in(padded(ids.iter().copied())));
        Ok(hosts.order_by_asc(Column::ReceptionId).order_by_asc(Column::Ordinal).all(self.reader()).await?)
    }
}
