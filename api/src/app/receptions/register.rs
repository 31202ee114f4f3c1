//! Registers people for receptions.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use entities::{
    enums::Language,
    ids::{ReceptionId, RegistrationId},
    registration,
};
use serde::Serialize;

use crate::{
    app::{
        App, CommandError, Rejection,
        idempotency::idempotency_key,
        input::checked_text,
        parse_code,
        personal_data::{Applicant, NewApplicant},
        receptions::{locked::LockedReception, registration_batch::PendingRegistration, wrong_reception_state},
        rejection::Invalid,
    },
    domain::{iin, notification::PersonKey, phone, policy, viewer::Viewer},
    store::{StoreError, Tx, idempotency::IdempotencyKey, registrations::NewRegistration},
};

/// The longest topic, in characters.
const MAX_TOPIC_LENGTH: usize = 500;
/// The longest name of an applicant, in characters.
const MAX_NAME_LENGTH: usize = 200;

/// A registration to make.
#[derive(Clone)]
pub struct Register {
    /// The reception.
    pub reception: ReceptionId,
    /// What the person wants to talk about.
    pub topic: String,
    /// Name of the person.
    pub name: String,
    /// Phone number.
    pub phone: String,
    /// Individual identification number.
    pub iin: Option<String>,
    /// Language of the person.
    pub language: Language,
    /// Start of the chosen slot; the next free one if not given.
    pub slot_starts_at: Option<DateTime<Utc>>,
    /// Whether to wait if every slot is taken.
    pub wait_if_full: bool,
}

/// What identifies the input of a registration, without personal data in a form that can be guessed.
#[derive(Debug, Serialize)]
struct RegisterDigest<'a> {
    reception: ReceptionId,
    applicant: String,
    slot_starts_at: Option<&'a DateTime<Utc>>,
    wait_if_full: bool,
}

impl App {
    /// Registers the viewer for a slot of a reception, or for its waiting list.
    ///
    /// Registrations for one reception that arrive together share a transaction, in the order of their arrival.
    ///
    /// # Errors
    /// Rejected when the person is registered, the slot is taken, everything is taken, or a field breaks a rule.
    pub async fn register(
        self: &Arc<Self>,
        viewer: &Viewer,
        command: Register,
        key: Option<&str>,
    ) -> Result<registration::Model, CommandError> {
        let now = self.now();
        let permit = self.permit_reception::<policy::RegisterForReception>(viewer, command.reception).await?;
        let Register { reception, topic, name, phone, iin, language, slot_starts_at, wait_if_full } = &command;
        let input = RegisterDigest {
            reception: *reception,
            applicant: self.input_digest(*reception, &(topic, name, phone, iin, language))?,
            slot_starts_at: slot_starts_at.as_ref(),
            wait_if_full: *wait_if_full,
        };
        let idempotency_key = idempotency_key(permit.subject, "register", key, &input)?;
        let applicant = checked_applicant(name, Some(phone), iin.as_deref(), *language);
        let input = match applicant.and_then(|applicant| Ok((applicant, checked_topic(topic)?))) {
            Ok(input) => Ok(input),
            Err(CommandError::Rejected(rejection)) => Err(*rejection),
            Err(error) => return Err(error),
        };
        let pending = PendingRegistration {
            id: RegistrationId(self.ids.next(now)),
            now,
            viewer: viewer.clone(),
            host: permit.host.clone(),
            idempotency_key,
            person: PersonKey::of(permit.subject).0,
            input,
            slot_starts_at: *slot_starts_at,
            wait_if_full: *wait_if_full,
        };
        self.run_batched(*reception, pending).await
    }

    /// Saves a registration that the queue has accepted, with its applicant.
    pub(super) async fn save_registration(
        &self,
        mut locked: LockedReception,
        registration: NewRegistration,
        applicant: &Applicant,
    ) -> Result<registration::Model, CommandError> {
        let (id, reception) = (registration.id, &locked.reception);
        let new = NewApplicant {
            registration: id,
            reception: reception.id,
            host: parse_code(&reception.host_code)?,
            // A walk-in may come after the end.
            reception_ends_at: reception.ends_at.max(locked.now),
            applicant,
        };
        self.save_applicants(&locked.tx, &[new], locked.now).await?;
        locked.insert(registration);
        locked.save_with(self, id).await
    }

    /// Returns a digest of the personal part of an input, which nobody without the key can guess.
    pub(super) fn input_digest(&self, reception: ReceptionId, input: &impl Serialize) -> Result<String, StoreError> {
        let text = serde_json::to_string(input).map_err(|_| StoreError::Corrupt("input"))?;
        Ok(self.data_keys.digest("idempotency", reception.0, &text))
    }
}

impl LockedReception {
    /// Checks that people can register: it is open and not over.
    pub(super) fn check_takes_registrations(&self, now: DateTime<Utc>) -> Result<(), CommandError> {
        self.check_open()?;
        if self.reception.ends_at <= now {
            return Err(wrong_reception_state(entities::enums::ReceptionState::Closed).into());
        }
        Ok(())
    }
}

/// Claims an idempotency key. Returns the registration of the first call if this call repeats it.
pub(super) async fn claim_registration(
    tx: &Tx,
    key: Option<&IdempotencyKey>,
    id: RegistrationId,
    now: DateTime<Utc>,
) -> Result<Option<registration::Model>, CommandError> {
    let Some(first) = tx.claim_idempotency_key(key, id.0, now).await? else { return Ok(None) };
    let first = tx.registration(RegistrationId(first)).await?;
    Ok(Some(first.ok_or(Rejection::NotFound { field: "idempotencyKey" })?))
}

/// Validates and cleans the personal data of an applicant.
pub(super) fn checked_applicant(
    name: &str,
    phone: Option<&str>,
    iin: Option<&str>,
    language: Language,
) -> Result<Applicant, CommandError> {
    let name = checked_text("name", name, MAX_NAME_LENGTH)?;
    let invalid = |field, why| Rejection::Invalid { field, why };
    let phone = phone.map(|text| phone::parse_phone(text).map_err(|_| invalid("phone", Invalid::Phone))).transpose()?;
    let iin = iin.map(|text| iin::parse_iin(text).map_err(|_| invalid("iin", Invalid::Iin))).transpose()?;
    Ok(Applicant { name, phone, iin, language })
}

/// Validates and cleans a topic.
pub(super) fn checked_topic(topic: &str) -> Result<String, CommandError> {
    checked_text("topic", topic, MAX_TOPIC_LENGTH)
}
