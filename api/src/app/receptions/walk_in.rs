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
            locked::LockedReception,
            register::{checked_applicant, checked_topic, claim_registration},
        },
    },
    domain::{policy, viewer::Viewer},
    store::registrations::NewRegistration,
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
        let input = (reception, self.input_digest(*reception, &(topic, name, phone, iin, language))?);
        let key = idempotency_key(permit.subject, "registerWalkIn", key, &input)?;
        let id = RegistrationId(self.ids.next(now));
        let applicant = checked_applicant(name, phone.as_deref(), iin.as_deref(), *language);
        let topic = checked_topic(topic);
        let tx = self.store.begin().await?;
        if let Some(first) = claim_registration(&tx, key.as_ref(), id, now).await? {
            return Ok(first);
        }
        // Rejected only now, because a repeat succeeds even if the input would be rejected today.
        let (applicant, topic) = (applicant?, topic?);
        let mut locked = self.lock_reception(tx, &permit, now).await?;
        locked.check_open()?;
        locked.settle();
        self.check_applicant_is_new(&locked, &applicant).await?;
        locked.queue.add_walk_in(id, now);
        self.save_registration(locked, NewRegistration { id, person: None, topic }, &applicant).await
    }

    async fn check_applicant_is_new(
        &self,
        locked: &LockedReception,
        applicant: &Applicant,
    ) -> Result<(), CommandError> {
        let (phone, iin) = (applicant.phone.as_deref(), applicant.iin.as_deref());
        let known = self.registrations_of_applicant(&locked.tx, locked.reception.id, phone, iin).await?;
        if known.into_iter().any(|id| locked.has_active(id)) {
            Err(Rejection::AlreadyRegistered.into())
        } else {
            Ok(())
        }
    }
}
