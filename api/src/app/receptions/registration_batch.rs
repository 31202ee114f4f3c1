//! Registers the people who come at once for one reception in one transaction, in the order in which they came.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use entities::{
    ids::{ReceptionId, RegistrationId},
    registration,
};

use crate::{
    app::{
        App, CommandError, Rejection,
        batcher::{Batched, Batcher, EarlyCheck, Outcome},
        parse_code,
        personal_data::{Applicant, NewApplicant},
        receptions::locked::LockedReception,
    },
    domain::{
        author_name::name_key,
        policy::{HostScope, is_staff},
        viewer::Viewer,
    },
    store::{StoreError, Tx, idempotency::IdempotencyKey, registrations::NewRegistration},
};

/// The most registrations of a person for a reception, cancelled ones included: each keeps a slot from others for a while.
const MAX_REGISTRATIONS: usize = 10;

/// A queued registration, validated as far as possible without the database.
pub(in crate::app) struct PendingRegistration {
    pub(super) id: RegistrationId,
    pub(super) now: DateTime<Utc>,
    pub(super) viewer: Viewer,
    pub(super) host: HostScope,
    pub(super) idempotency_key: Option<IdempotencyKey>,
    /// Pseudonym of the person.
    pub(super) person: String,
    /// The applicant and the topic. An error is only answered by the batch, because a repeat succeeds even if its input
    /// would be rejected today.
    pub(super) input: Result<(Applicant, String), Rejection>,
    pub(super) slot_starts_at: Option<DateTime<Utc>>,
    pub(super) wait_if_full: bool,
}

impl Batched for PendingRegistration {
    type Target = ReceptionId;
    type Output = registration::Model;
    const SIZES: &'static str = "kezdesu_registrations_per_commit";

    fn batcher(app: &App) -> &Batcher<Self> {
        &app.registration_batcher
    }

    fn idempotency_key(&self) -> Option<&IdempotencyKey> {
        self.idempotency_key.as_ref()
    }

    async fn commit(
        app: &App,
        reception: ReceptionId,
        batch: &[Self],
        _: EarlyCheck,
    ) -> Result<Vec<Outcome<registration::Model>>, StoreError> {
        app.register_batch(reception, batch).await
    }
}

impl PendingRegistration {
    /// Returns the rejection of an input that breaks a rule.
    fn refused(&self) -> Option<Decision> {
        self.input.as_ref().err().map(|rejection| Decision::Rejected(rejection.clone().into()))
    }
}

/// What became of a registration before the transaction is committed.
enum Decision {
    /// It repeats this one.
    Repeat(registration::Model),
    Accepted,
    Rejected(CommandError),
}

impl App {
    async fn register_batch(
        &self,
        reception: ReceptionId,
        batch: &[PendingRegistration],
    ) -> Result<Vec<Outcome<registration::Model>>, StoreError> {
        let now = batch.iter().map(|pending| pending.now).max().unwrap_or_else(|| self.now());
        let tx = self.store.begin().await?;
        let replays = replays(&tx, batch).await?;
        let decided: Vec<_> = batch.iter().zip(replays).map(|(pending, replay)| replay.or(pending.refused())).collect();
        if decided.iter().all(Option::is_some) {
            // Nothing is written, so nobody needs to wait for the reception.
            let repeated = |decision| match decision {
                Decision::Repeat(row) => Ok(row),
                Decision::Rejected(error) => Err(error),
                Decision::Accepted => Err(CommandError::Store(StoreError::Corrupt("registration"))),
            };
            return Ok(decided.into_iter().flatten().map(repeated).collect());
        }
        self.remember_staff_of(&tx, batch).await?;
        let mut locked = match LockedReception::lock(self, tx, reception, now).await {
            Ok(locked) => locked,
            Err(CommandError::Store(error)) => return Err(error),
            Err(_) => {
                let missing = || Err(Rejection::NotFound { field: "receptionId" }.into());
                return Ok(batch.iter().map(|_| missing()).collect());
            }
        };
        let elsewhere = self.received_elsewhere(&locked, batch).await?;
        let decisions: Vec<_> = (batch.iter().zip(decided))
            .map(|(pending, decided)| decided.unwrap_or_else(|| locked.register(pending, &elsewhere)))
            .collect();
        let saved = self.save_registrations(locked, batch, &decisions).await?;
        let outcome = |(pending, decision): (&PendingRegistration, _)| match decision {
            Decision::Repeat(row) => Ok(row),
            Decision::Accepted => {
                saved.get(&pending.id).cloned().ok_or(CommandError::Store(StoreError::Corrupt("registration")))
            }
            Decision::Rejected(error) => Err(error),
        };
        Ok(batch.iter().zip(decisions).map(outcome).collect())
    }

    /// Remembers the names of the staff in a batch, in their order, so that two batches never wait for each other.
    async fn remember_staff_of(&self, tx: &Tx, batch: &[PendingRegistration]) -> Result<(), StoreError> {
        let mut staff: Vec<_> = batch.iter().filter(|pending| is_staff(&pending.viewer, &pending.host)).collect();
        staff.sort_by_key(|pending| pending.viewer.person().map(|person| name_key(&person.name)));
        for pending in staff {
            self.remember_staff(tx, &pending.viewer, &pending.host).await?;
        }
        Ok(())
    }

    /// Writes the accepted registrations of a batch and returns them. Writes nothing if there are none.
    async fn save_registrations(
        &self,
        locked: LockedReception,
        batch: &[PendingRegistration],
        decisions: &[Decision],
    ) -> Result<HashMap<RegistrationId, registration::Model>, StoreError> {
        let host = parse_code(&locked.reception.host_code)?;
        let (mut ids, mut applicants, mut rejected_keys) = (Vec::new(), Vec::new(), Vec::new());
        for (pending, decision) in batch.iter().zip(decisions) {
            match (decision, &pending.input) {
                (Decision::Accepted, Ok((applicant, _))) => {
                    ids.push(pending.id);
                    applicants.push(NewApplicant {
                        registration: pending.id,
                        reception: locked.reception.id,
                        host,
                        reception_ends_at: locked.reception.ends_at.max(locked.now),
                        applicant,
                    });
                }
                (Decision::Rejected(_), _) => {
                    rejected_keys.extend(pending.idempotency_key.clone().map(|key| (key, pending.id.0)));
                }
                _ => {}
            }
        }
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        self.save_applicants(&locked.tx, &applicants, locked.now).await?;
        locked.tx.release_idempotency_keys(&rejected_keys).await?;
        let rows = locked.save_with_all(self, &ids).await?;
        Ok(rows.into_iter().map(|row| (row.id, row)).collect())
    }

    /// Returns who of a batch was or will be received by the host at another reception within the days of the setting.
    async fn received_elsewhere(
        &self,
        locked: &LockedReception,
        batch: &[PendingRegistration],
    ) -> Result<HashSet<String>, StoreError> {
        let days = self.reception_rules.days_between;
        if days == 0 {
            return Ok(HashSet::new());
        }
        let reception = &locked.reception;
        let mut persons: Vec<_> = batch.iter().map(|pending| pending.person.clone()).collect();
        persons.sort_unstable();
        persons.dedup();
        // Two receptions of the host are not registered for at once.
        locked.tx.lock_names(&format!("person:{}", reception.host_code), &persons).await?;
        let span = TimeDelta::days(i64::from(days));
        let (from, until) = (reception.starts_at - span, reception.starts_at + span);
        locked.tx.registered_elsewhere(&persons, reception, from, until).await
    }
}

impl LockedReception {
    /// Registers a person in the queue.
    fn register(&mut self, pending: &PendingRegistration, elsewhere: &HashSet<String>) -> Decision {
        match self.try_register(pending, elsewhere) {
            Ok(()) => Decision::Accepted,
            Err(error) => Decision::Rejected(error),
        }
    }

    fn try_register(&mut self, pending: &PendingRegistration, elsewhere: &HashSet<String>) -> Result<(), CommandError> {
        let (_, topic) = pending.input.as_ref().map_err(Clone::clone)?;
        self.check_takes_registrations(self.now)?;
        self.settle();
        let own = || self.rows.values().filter(|row| row.person.as_ref() == Some(&pending.person));
        let is_registered = own().any(|row| self.has_active(row.entry.id));
        if is_registered || own().count() >= MAX_REGISTRATIONS || elsewhere.contains(&pending.person) {
            return Err(Rejection::AlreadyRegistered.into());
        }
        self.queue.register(pending.id, pending.slot_starts_at, pending.wait_if_full, self.now)?;
        self.insert(NewRegistration { id: pending.id, person: Some(pending.person.clone()), topic: topic.clone() });
        Ok(())
    }
}

/// Claims the keys of registrations, and returns what became of those that repeat earlier ones.
async fn replays(tx: &Tx, batch: &[PendingRegistration]) -> Result<Vec<Option<Decision>>, StoreError> {
    let keys: Vec<_> =
        batch.iter().map(|pending| (pending.idempotency_key.as_ref(), pending.id.0, pending.now)).collect();
    let claims = tx.claim_each(&keys).await?;
    let done: Vec<_> = claims.iter().filter_map(|claim| claim.as_ref().ok()?.map(RegistrationId)).collect();
    let firsts = if done.is_empty() { Vec::new() } else { tx.registrations(&done).await? };
    let replay = |claim| match claim {
        Ok(None) => None,
        Ok(Some(first)) => match firsts.iter().find(|row| row.id.0 == first) {
            Some(row) => Some(Decision::Repeat(row.clone())),
            None => Some(Decision::Rejected(Rejection::NotFound { field: "idempotencyKey" }.into())),
        },
        Err(rejection) => Some(Decision::Rejected(CommandError::from(rejection))),
    };
    Ok(claims.into_iter().map(replay).collect())
}
