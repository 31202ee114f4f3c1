//! Registrations for personal receptions.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use entities::{
    enums::{ReceptionState, RegistrationState, Stored as _},
    ids::{ReceptionId, RegistrationId},
    reception,
    registration::{self, ActiveModel, Column, Entity},
};
use sea_orm::{
    ColumnTrait, DerivePartialModel, EntityTrait, JoinType, Order, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait as _, Select, SelectModel, Selector, Set, Unchanged,
    sea_query::{Expr, ExprTrait as _},
};

use crate::{
    domain::receptions::{Call, Entry, Slot},
    store::{
        Store, StoreError, Tx,
        batching::{batches, padded},
        keyset::{PageRequest, PageSlice},
    },
};

/// A registration without its texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueuedRegistration {
    /// What the rules need.
    pub entry: Entry,
    /// Pseudonym of the person.
    pub person: Option<String>,
    /// Its version.
    pub version: i32,
}

/// A registration to insert, beside its entry in the queue.
#[derive(Clone, Debug)]
pub struct NewRegistration {
    /// Its id.
    pub id: RegistrationId,
    /// Pseudonym of the person.
    pub person: Option<String>,
    /// What the person wants to talk about.
    pub topic: String,
}

/// The columns of a registration without its texts.
#[derive(Debug, DerivePartialModel)]
#[sea_orm(entity = "Entity")]
struct QueueRow {
    id: RegistrationId,
    reception_id: ReceptionId,
    person: Option<String>,
    number: i32,
    state: RegistrationState,
    is_walk_in: bool,
    slot_starts_at: Option<DateTime<Utc>>,
    slot_desk: Option<i32>,
    place: i32,
    offer_expires_at: Option<DateTime<Utc>>,
    freed_at: Option<DateTime<Utc>>,
    call_desk: Option<i32>,
    first_called_at: Option<DateTime<Utc>>,
    called_at: Option<DateTime<Utc>>,
    calls: i32,
    closed_at: Option<DateTime<Utc>>,
    version: i32,
}

impl QueueRow {
    fn read(self) -> (ReceptionId, QueuedRegistration) {
        let slot = self.slot_starts_at.zip(self.slot_desk).map(|(starts_at, desk)| Slot { starts_at, desk });
        let call = self.call_desk.zip(self.first_called_at).map(|(desk, first_at)| Call {
            desk,
            first_at,
            last_at: self.called_at.unwrap_or(first_at),
            times: self.calls,
        });
        let entry = Entry {
            id: self.id,
            number: self.number,
            state: self.state,
            is_walk_in: self.is_walk_in,
            slot,
            place: self.place,
            offer_expires_at: self.offer_expires_at,
            freed_at: self.freed_at,
            call,
            closed_at: self.closed_at,
        };
        (self.reception_id, QueuedRegistration { entry, person: self.person, version: self.version })
    }
}

/// Returns the columns of an entry as a row.
fn row_of(entry: &Entry, version: i32) -> ActiveModel {
    ActiveModel {
        id: Unchanged(entry.id),
        state: Set(entry.state),
        slot_starts_at: Set(entry.slot.map(|slot| slot.starts_at)),
        slot_desk: Set(entry.slot.map(|slot| slot.desk)),
        place: Set(entry.place),
        offer_expires_at: Set(entry.offer_expires_at),
        freed_at: Set(entry.freed_at),
        call_desk: Set(entry.call.map(|call| call.desk)),
        first_called_at: Set(entry.call.map(|call| call.first_at)),
        called_at: Set(entry.call.map(|call| call.last_at)),
        calls: Set(entry.call.map_or(0, |call| call.times)),
        closed_at: Set(entry.closed_at),
        version: Set(version),
        ..<ActiveModel as Default>::default()
    }
}

fn queue_query(receptions: &[ReceptionId]) -> Selector<SelectModel<QueueRow>> {
    Entity::find()
        .filter(Column::ReceptionId.is_in(padded(receptions.iter().copied())))
        .order_by_asc(Column::ReceptionId)
        .order_by_asc(Column::Number)
        .into_partial_model::<QueueRow>()
}

impl Tx {
    /// Returns all registrations of a reception, by number.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn queue(&self, reception: ReceptionId) -> Result<Vec<QueuedRegistration>, StoreError> {
        let rows = queue_query(&[reception]).all(self.inner()).await?;
        Ok(rows.into_iter().map(|row| row.read().1).collect())
    }

    /// Inserts registrations for a reception.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn insert_registrations(
        &self,
        reception: ReceptionId,
        new: &[(&Entry, &NewRegistration)],
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let row = |(entry, new): &(&Entry, &NewRegistration)| ActiveModel {
            id: Set(entry.id),
            reception_id: Set(reception),
            person: Set(new.person.clone()),
            number: Set(entry.number),
            is_walk_in: Set(entry.is_walk_in),
            topic: Set(new.topic.clone()),
            created_at: Set(now),
            ..row_of(entry, 1)
        };
        self.insert_rows(new.iter().map(row).collect(), None).await?;
        Ok(())
    }

    /// Saves changed entries, each given as read and as it will be saved, and raises their versions.
    ///
    /// Slots that are given up or exchanged are saved as free first, so that another entry can take them: an index allows
    /// no slot to be held twice, not even within a statement.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn save_entries(&self, changes: &[(QueuedRegistration, Entry)]) -> Result<(), StoreError> {
        let moved: Vec<_> = changes.iter().filter(|change| moves(change)).map(|change| change.1.id).collect();
        self.vacate_slots(&moved).await?;
        let row = |change: &(QueuedRegistration, Entry)| {
            let (before, after) = change;
            let slot = before.entry.slot.filter(|_| !moves(change));
            let as_stored = Entry { slot, ..before.entry.clone() };
            (row_of(&as_stored, before.version), row_of(after, before.version.saturating_add(1)))
        };
        let gives_up = |change: &&(QueuedRegistration, Entry)| {
            matches!(change.1.state, RegistrationState::Cancelled | RegistrationState::Waiting)
        };
        self.update_rows(Column::Id, changes.iter().filter(gives_up).map(row)).await?;
        self.update_rows(Column::Id, changes.iter().filter(|change| !gives_up(change)).map(row)).await
    }

    async fn vacate_slots(&self, ids: &[RegistrationId]) -> Result<(), StoreError> {
        for batch in batches(ids) {
            let none =
                ActiveModel { slot_starts_at: Set(None), slot_desk: Set(None), ..<ActiveModel as Default>::default() };
            let those = Column::Id.is_in(batch.iter().copied());
            Entity::update_many().set(none).filter(those).exec(self.inner()).await?;
        }
        Ok(())
    }

    /// Saves what came of a visit.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn save_outcome(&self, id: RegistrationId, outcome: &str) -> Result<(), StoreError> {
        let outcome = Expr::value(outcome);
        Entity::update_many().col_expr(Column::Outcome, outcome).filter(Column::Id.eq(id)).exec(self.inner()).await?;
        Ok(())
    }

    /// Deletes the texts of a registration, which may hold personal data.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn erase_registration_texts(&self, ids: &[RegistrationId]) -> Result<(), StoreError> {
        Entity::update_many()
            .col_expr(Column::Topic, Expr::value(""))
            .col_expr(Column::Outcome, Expr::value(None::<String>))
            .col_expr(Column::Version, Expr::col(Column::Version).add(1))
            .filter(Column::Id.is_in(padded(ids.iter().copied())))
            .exec(self.inner())
            .await?;
        Ok(())
    }

    /// Returns registrations in any order. Those in an unknown state are left out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn registrations(&self, ids: &[RegistrationId]) -> Result<Vec<registration::Model>, StoreError> {
        let rows = Entity::find().filter(Column::Id.is_in(padded(ids.iter().copied()))).all(self.inner()).await?;
        Ok(rows.into_iter().filter(|row| row.state.is_known()).collect())
    }

    /// Returns a registration. One in an unknown state is left out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn registration(&self, id: RegistrationId) -> Result<Option<registration::Model>, StoreError> {
        Ok(self.registrations(&[id]).await?.pop())
    }

    /// Returns which of these persons were or will be received by a host between two times, at another reception.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn registered_elsewhere(
        &self,
        persons: &[String],
        reception: &reception::Model,
        from: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<HashSet<String>, StoreError> {
        let join = Entity::belongs_to(reception::Entity).from(Column::ReceptionId).to(reception::Column::Id);
        let registrations = Entity::find()
            .select_only()
            .column(Column::Person)
            .join(JoinType::InnerJoin, join.into())
            .filter(Column::Person.is_in(padded(persons.iter().cloned())))
            .filter(Column::State.ne(RegistrationState::Cancelled))
            .filter(reception::Column::HostCode.eq(reception.host_code.as_str()))
            .filter(reception::Column::Id.ne(reception.id))
            .filter(reception::Column::State.ne(ReceptionState::Cancelled))
            .filter(reception::Column::StartsAt.gt(from))
            .filter(reception::Column::StartsAt.lt(until));
        let found: Vec<Option<String>> = registrations.into_tuple().all(self.inner()).await?;
        Ok(found.into_iter().flatten().collect())
    }
}

impl Store {
    /// Returns all registrations of receptions without their texts, by number.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn queues(&self, ids: &[ReceptionId]) -> Result<Vec<(ReceptionId, Entry)>, StoreError> {
        let rows = queue_query(ids).all(self.reader()).await?;
        Ok(rows.into_iter().map(QueueRow::read).map(|(reception, row)| (reception, row.entry)).collect())
    }

    /// Returns registrations by id, without a visibility check. Those in an unknown state are left out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn registrations_by_id(&self, ids: &[RegistrationId]) -> Result<Vec<registration::Model>, StoreError> {
        let rows = Entity::find().filter(Column::Id.is_in(padded(ids.iter().copied()))).all(self.reader()).await?;
        Ok(known(rows))
    }

    /// Returns a page of the registrations of a reception, by number.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn registrations(
        &self,
        reception: ReceptionId,
        request: &PageRequest<i32>,
    ) -> Result<PageSlice<registration::Model>, StoreError> {
        let order = if request.backward { Order::Desc } else { Order::Asc };
        let rows = of_reception(reception)
            .apply_if(request.after, |rows, after| rows.filter(Column::Number.gt(after)))
            .apply_if(request.before, |rows, before| rows.filter(Column::Number.lt(before)))
            .order_by(Column::Number, order)
            .limit(request.query_limit());
        Ok(request.slice(rows.all(self.reader()).await?))
    }

    /// Counts the registrations of a reception.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count_registrations(&self, reception: ReceptionId) -> Result<u64, StoreError> {
        Ok(of_reception(reception).count(self.reader()).await?)
    }

    /// Returns a page of a person's registrations, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn registrations_of(
        &self,
        person: &str,
        request: &PageRequest<RegistrationId>,
    ) -> Result<PageSlice<registration::Model>, StoreError> {
        let order = if request.backward { Order::Asc } else { Order::Desc };
        let rows = of_person(person)
            .apply_if(request.after, |rows, after| rows.filter(Column::Id.lt(after)))
            .apply_if(request.before, |rows, before| rows.filter(Column::Id.gt(before)))
            .order_by(Column::Id, order)
            .limit(request.query_limit());
        Ok(request.slice(rows.all(self.reader()).await?))
    }

    /// Counts a person's registrations.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count_registrations_of(&self, person: &str) -> Result<u64, StoreError> {
        Ok(of_person(person).count(self.reader()).await?)
    }

    /// Returns a person's registrations for receptions, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn registrations_at(
        &self,
        person: &str,
        receptions: &[ReceptionId],
    ) -> Result<Vec<registration::Model>, StoreError> {
        let rows = of_person(person).filter(Column::ReceptionId.is_in(padded(receptions.iter().copied())));
        Ok(rows.order_by_asc(Column::Id).all(self.reader()).await?)
    }
}

/// Returns whether a registration gives up its slot for another or none.
fn moves((before, after): &(QueuedRegistration, Entry)) -> bool {
    before.entry.slot.is_some() && before.entry.slot != after.slot
}

fn of_reception(reception: ReceptionId) -> Select<Entity> {
    Entity::find()
        .filter(Column::ReceptionId.eq(reception))
        .filter(Column::State.is_in(RegistrationState::ALL.iter().copied()))
}

fn of_person(person: &str) -> Select<Entity> {
    Entity::find().filter(Column::Person.eq(person)).filter(Column::State.is_in(RegistrationState::ALL.iter().copied()))
}

fn known(rows: Vec<registration::Model>) -> Vec<registration::Model> {
    rows.into_iter().filter(|row| row.state.is_known()).collect()
}
