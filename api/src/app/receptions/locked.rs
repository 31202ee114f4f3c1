//! A reception locked for a command: its queue, and what is written at the end.

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};
use entities::{
    enums::{ReceptionState, RegistrationState},
    ids::{ReceptionId, RegistrationId},
    reception, registration,
};
use serde_json::json;

use crate::{
    app::{
        App, CommandError, Rejection,
        issues::Recorded,
        notifications,
        receptions::{event, permit::ReceptionPermit, reception_event, schedule, wrong_reception_state},
    },
    domain::{
        audit::NewAuditEntry,
        feed::{EventKind, FeedName, NewEvent},
        notification::RECEPTION_CHANGED,
        reception_events::reception_feed,
        receptions::{Change, Counters, Entry, Periods, Queue},
    },
    store::{
        StoreError, Tx,
        job_leases::{JobError, Lease},
        jobs::NewJob,
        registrations::{NewRegistration, QueuedRegistration},
    },
};

/// The kind of the jobs that settle receptions.
pub const SETTLE_JOB: &str = "receptions";

/// A reception under its lock, with its queue as of now.
pub(super) struct LockedReception {
    pub(super) tx: Tx,
    /// The reception as read under the lock.
    before: reception::Model,
    /// The reception to save.
    pub(super) reception: reception::Model,
    pub(super) queue: Queue,
    /// The registrations as read.
    pub(super) rows: HashMap<RegistrationId, QueuedRegistration>,
    /// Registrations to insert.
    new: Vec<NewRegistration>,
    /// Events about the reception as a whole.
    events: Vec<EventKind>,
    /// Whether everybody is notified of the change, though no registration has changed.
    pub(super) notify_all: bool,
    /// Registrations of which something else than their place in the queue has changed.
    pub(super) also_changed: Vec<RegistrationId>,
    /// Entries of the audit log.
    pub(super) audit: Vec<NewAuditEntry>,
    /// What is recorded of other objects that the command changes.
    pub(super) also_recorded: Recorded,
    pub(super) now: DateTime<Utc>,
}

impl LockedReception {
    /// Locks a reception that has yet to be settled: the commands of its queue do that, after they have looked at offers and
    /// calls that have just ended.
    pub(super) async fn lock(app: &App, tx: Tx, id: ReceptionId, now: DateTime<Utc>) -> Result<Self, CommandError> {
        let missing = || Rejection::NotFound { field: "receptionId" };
        let reception = tx.lock_reception(id).await?.ok_or_else(missing)?;
        let rows = tx.queue(id).await?;
        let entries: Vec<Entry> = rows.iter().map(|row| row.entry.clone()).collect();
        let mut locked = Self {
            tx,
            queue: queue(app.reception_rules.offer, &reception, entries),
            before: reception.clone(),
            reception,
            rows: rows.into_iter().map(|row| (row.entry.id, row)).collect(),
            new: Vec::new(),
            events: Vec::new(),
            notify_all: false,
            also_changed: Vec::new(),
            audit: Vec::new(),
            also_recorded: Recorded::default(),
            now,
        };
        locked.start_when_due();
        Ok(locked)
    }

    /// Starts an open reception whose time has come.
    fn start_when_due(&mut self) {
        if self.reception.state == ReceptionState::Open && self.reception.starts_at <= self.now {
            self.set_state(ReceptionState::Running, EventKind::CHANGED);
        }
    }

    /// Does what time alone does to the queue of a reception that people can see.
    pub(super) fn settle(&mut self) {
        if self.is_open() {
            self.queue.settle(self.now);
        }
    }

    const fn is_open(&self) -> bool {
        matches!(self.reception.state, ReceptionState::Open | ReceptionState::Running)
    }

    /// Checks that people can register and be called.
    pub(super) fn check_open(&self) -> Result<(), CommandError> {
        if self.is_open() { Ok(()) } else { Err(wrong_reception_state(self.reception.state).into()) }
    }

    /// Changes the state, with an event.
    pub(super) fn set_state(&mut self, state: ReceptionState, kind: EventKind) {
        self.reception.state = state;
        self.changed(kind);
    }

    /// Adds an event about the reception as a whole, and raises its version.
    pub(super) fn changed(&mut self, kind: EventKind) {
        self.reception.version = self.before.version.saturating_add(1);
        self.events.push(kind);
    }

    /// Returns whether a registration may still lead to a visit.
    pub(super) fn has_active(&self, id: RegistrationId) -> bool {
        self.queue.entry(id).is_some_and(|entry| is_active(entry.state))
    }

    /// Adds a registration that the queue has accepted.
    pub(super) fn insert(&mut self, new: NewRegistration) {
        if let Some(entry) = self.queue.entry(new.id).cloned() {
            self.rows.insert(new.id, QueuedRegistration { entry, person: new.person.clone(), version: 1 });
            self.new.push(new);
        }
    }

    /// Writes everything with its events, plans the next run of the clock, and commits. Returns the reception as saved.
    pub(super) async fn save(mut self, app: &App) -> Result<reception::Model, StoreError> {
        self.write().await?;
        app.commit(self.tx).await?;
        Ok(self.reception)
    }

    /// Like [`Self::save`], and finishes a job.
    pub(super) async fn save_and_finish(mut self, app: &App, lease: &Lease) -> Result<(), JobError> {
        self.write().await?;
        // Last, because commands that hold the reception's lock wait for the row of a job with the same key.
        self.tx.finish_job(lease).await?;
        Ok(app.commit(self.tx).await?)
    }

    /// Like [`Self::save`], but returns a registration as saved.
    pub(super) async fn save_with(self, app: &App, id: RegistrationId) -> Result<registration::Model, CommandError> {
        let row = self.save_with_all(app, &[id]).await?.pop();
        Ok(row.ok_or(Rejection::NotFound { field: "registrationId" })?)
    }

    /// Like [`Self::save`], but returns registrations as saved, in any order.
    pub(super) async fn save_with_all(
        mut self,
        app: &App,
        ids: &[RegistrationId],
    ) -> Result<Vec<registration::Model>, StoreError> {
        self.write().await?;
        let rows = self.tx.registrations(ids).await?;
        app.commit(self.tx).await?;
        Ok(rows)
    }

    async fn write(&mut self) -> Result<(), StoreError> {
        let Counters { last_number, last_place, booked_in_a_row } = self.queue.counters();
        self.reception.last_number = last_number;
        self.reception.last_place = last_place;
        self.reception.booked_in_a_row = booked_in_a_row;
        let changes = self.queue.take_changes();
        self.write_registrations(&changes).await?;
        self.tx.save_reception(&self.before, &self.reception).await?;
        self.plan_wake_up().await?;
        // Feeds, and then chains of the audit log, are the last in the lock order.
        let Recorded { events: other_events, mut audit } = std::mem::take(&mut self.also_recorded);
        let events = self.collect_events(&changes).into_iter().chain(other_events).collect();
        self.tx.record_each(self.now, events).await?;
        audit.entry(self.reception.host_code.clone()).or_default().append(&mut self.audit);
        self.tx.append_audit_to_each(audit).await
    }

    async fn write_registrations(&self, changes: &[Change]) -> Result<(), StoreError> {
        let new: Vec<_> = self.new.iter().filter_map(|new| Some((self.queue.entry(new.id)?, new))).collect();
        let inserted: HashSet<_> = new.iter().map(|(entry, _)| entry.id).collect();
        let changed: BTreeSet<_> = changes.iter().map(|change| change.id).collect();
        let saved = (changed.iter().filter(|id| !inserted.contains(id)))
            .filter_map(|id| Some((self.rows.get(id)?.clone(), self.queue.entry(*id)?.clone())));
        self.tx.save_entries(&saved.collect::<Vec<_>>()).await?;
        self.tx.insert_registrations(self.reception.id, &new, self.now).await
    }

    /// Plans a job for the next moment at which time alone changes something.
    async fn plan_wake_up(&self) -> Result<(), StoreError> {
        if !self.is_open() {
            return Ok(());
        }
        let start = (self.reception.state == ReceptionState::Open).then_some(self.reception.starts_at);
        match [start, self.queue.next_wake_up()].into_iter().flatten().min() {
            Some(at) => plan_wake_up(&self.tx, self.reception.id, at).await,
            None => Ok(()),
        }
    }

    fn collect_events(&self, changes: &[Change]) -> Vec<(FeedName, NewEvent)> {
        let of_reception = self.events.iter().map(|kind| reception_event(&self.reception, *kind));
        let others = self.also_changed.iter().filter(|id| !changes.iter().any(|change| change.id == **id));
        let of_entries = (changes.iter().map(|change| (change.id, change.kind)))
            .chain(others.map(|id| (*id, EventKind::CHANGED)))
            .map(|(id, kind)| event(&self.reception, id.0, kind));
        let changed = changes.iter().filter_map(|change| Some((change.id, change.notification?)));
        let active = self.queue.entries().iter().filter(|entry| self.notify_all && is_active(entry.state));
        let all = active.map(|entry| (entry.id, RECEPTION_CHANGED));
        let notified = changed.chain(all).filter_map(|(id, kind)| {
            let person = self.rows.get(&id)?.person.as_deref()?;
            Some(notifications::of_registration(person, id, kind))
        });
        of_reception.chain(of_entries).map(|event| (reception_feed(), event)).chain(notified).collect()
    }
}

impl App {
    /// Starts a transaction and locks the permit's reception.
    pub(super) async fn begin_with_reception<A>(
        &self,
        permit: &ReceptionPermit<'_, A>,
        now: DateTime<Utc>,
    ) -> Result<LockedReception, CommandError> {
        let tx = self.store.begin().await?;
        self.lock_reception(tx, permit, now).await
    }

    /// Locks the permit's reception in a transaction that has locked nothing after it.
    pub(super) async fn lock_reception<A>(
        &self,
        tx: Tx,
        permit: &ReceptionPermit<'_, A>,
        now: DateTime<Utc>,
    ) -> Result<LockedReception, CommandError> {
        self.remember_staff(&tx, permit.viewer, &permit.host).await?;
        LockedReception::lock(self, tx, permit.reception.id, now).await
    }
}

/// Plans a job that settles a reception at a time.
pub(super) async fn plan_wake_up(tx: &Tx, id: ReceptionId, at: DateTime<Utc>) -> Result<(), StoreError> {
    // A key for each moment, because a job that is already planned is not moved.
    let key = format!("{}:{}", id.0.simple(), at.timestamp_millis());
    let payload = json!({ "reception": id });
    tx.enqueue(&NewJob { kind: SETTLE_JOB, key: &key, run_at: at, payload: &payload }).await?;
    Ok(())
}

/// Returns the queue of a reception.
pub(super) fn queue(offer: chrono::TimeDelta, row: &reception::Model, entries: Vec<Entry>) -> Queue {
    let counters =
        Counters { last_number: row.last_number, last_place: row.last_place, booked_in_a_row: row.booked_in_a_row };
    Queue::new(schedule(row), Periods { offer }, counters, entries)
}

/// Returns whether a registration may still lead to a visit.
pub(super) const fn is_active(state: RegistrationState) -> bool {
    use RegistrationState::{Booked, Called, Offered, Waiting};
    matches!(state, Waiting | Offered | Booked | Called)
}
