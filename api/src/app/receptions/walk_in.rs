//! Enters people who came without a registration.

use entities::{
    enums::Language,
    ids::{ReceptionId, RegistrationId},
    registration,
};

use crate::{
    app::{
        App, CommandError, Rejection,
        idempotency::idempotency_key,
        personal_data::Applicant,
        receptions::{
            locked::{LockedReception, NewRegistration, is_active},
            register::{checked_applicant, checked_topic},
        },
    },
    domain::{policy, viewer::Viewer},
};

/// A person who came without a registration.
#[derive(Clone)]
pub struct RegisterWalkIn {
    /// The reception.
    pub reception: ReceptionId,
    /// What the person wants to talk about.
    pub topic: String,
    /// Name of the person.
    pub name: String,
    /// Phone number.
    pub phone: Option<String>,
    /// Individual identification number.
    pub iin: Option<String>,
    /// Language of the person.
    pub language: Language,
}

impl App {
    /// Enters a person who came without a registration. They are called between those with a slot.
    ///
    /// # Errors
    /// Rejected when somebody with this phone or IIN is registered, or a field breaks a rule.
    pub async fn register_walk_in(
        &self,
        viewer: &Viewer,
        command: RegisterWalkIn,
        key: Option<&str>,
    ) -> Result<registration::Model, CommandError> {
        let now = self.now();
        let permit = self.permit_reception::<policy::RunReception>(viewer, command.reception).await?;
        let RegisterWalkIn { reception, topic, name, phone, iin, language } = &command;
        let digest = serde_json::json!([topic, name, phone, iin, language]).to_string();
        let input = (reception, self.data_keys.digest("idempotency", reception.0, &digest));
        let key = idempotency_key(permit.subject, "registerWalkIn", key, &input)?;
        let id = RegistrationId(self.ids.next(now));
        let applicant = checked_applicant(name, phone.as_deref(), iin.as_deref(), *language);
        let topic = checked_topic(topic);
        let tx = self.store.begin().await?;
        if let Some(first) = tx.claim_idempotency_key(key.as_ref(), id.0, now).await? {
            let first = tx.registration(RegistrationId(first)).await?;
            return first.ok_or_else(|| Rejection::NotFound { field: "idempotencyKey" }.into());
        }
        // Rejected only now, because a repeat succeeds even if the input would be rejected today.
        let (applicant, topic) = (applicant?, topic?);
        let mut locked = self.lock_reception(tx, &permit, now).await?;
        locked.check_open()?;
        locked.settle();
        self.check_applicant_is_new(&locked, &applicant).await?;
        locked.queue.add_walk_in(id, now);
        locked.insert(NewRegistration { id, person: None, topic });
        self.save_applicant_of(&locked, id, &applicant).await?;
        locked.save_with(self, id).await
    }

    async fn check_applicant_is_new(
        &self,
        locked: &LockedReception,
        applicant: &Applicant,
    ) -> Result<(), CommandError> {
        let (phone, iin) = (applicant.phone.as_deref(), applicant.iin.as_deref());
        let known = self.has_applicant(&locked.tx, locked.reception.id, phone, iin).await?;
        let is_active = |id: &RegistrationId| locked.queue.entry(*id).is_some_and(|entry| is_active(entry.state));
        if known.iter().any(is_active) { Err(Rejection::AlreadyRegistered.into()) } else { Ok(()) }
    }
}
