//! Saves applicants, and finds whether a person is registered already.

use chrono::{DateTime, Utc};
use entities::{
    applicant,
    ids::{ReceptionId, RegistrationId},
    kato::KatoCode,
};
use uuid::Uuid;

use crate::{
    app::{
        App,
        personal_data::{Applicant, EncryptedColumn, encrypt},
    },
    store::{StoreError, Tx, applicants::PersonDigests},
};

/// An applicant to save.
#[derive(Clone, Copy, Debug)]
pub struct NewApplicant<'a> {
    /// The registration.
    pub registration: RegistrationId,
    /// The reception.
    pub reception: ReceptionId,
    /// The host of the reception, in whose audit log looks are recorded.
    pub host: KatoCode,
    /// When the reception ends; [`Tx::set_reception_end`] changes it.
    pub reception_ends_at: DateTime<Utc>,
    /// The person.
    pub applicant: &'a Applicant,
}

impl App {
    /// Encrypts and saves the applicants of new registrations.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn save_applicants(
        &self,
        tx: &Tx,
        new: &[NewApplicant<'_>],
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let rows: Result<Vec<_>, _> = new.iter().map(|new| self.encrypted(new, now)).collect();
        tx.insert_applicants(rows?).await
    }

    fn encrypted(&self, new: &NewApplicant<'_>, now: DateTime<Utc>) -> Result<applicant::Model, StoreError> {
        let NewApplicant { registration, reception, host, reception_ends_at, applicant } = *new;
        let fields = encrypt(&self.data_keys, registration, applicant)?;
        let digests = self.digests(reception, applicant.phone.as_deref(), applicant.iin.as_deref());
        Ok(applicant::Model {
            registration_id: registration,
            reception_id: reception,
            host_code: host.to_string(),
            reception_ends_at,
            key_id: Some(self.data_keys.current_id().to_owned()),
            name: Some(fields.name),
            phone: fields.phone,
            iin: fields.iin,
            language: applicant.language,
            phone_digest: digests.phone,
            iin_digest: digests.iin,
            erased_at: None,
            created_at: now,
        })
    }

    /// Returns the registrations of a reception with the same phone number or individual identification number.
    ///
    /// The answer holds until the end of the transaction only if the transaction holds the lock of the reception.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn registrations_of_applicant(
        &self,
        tx: &Tx,
        reception: ReceptionId,
        phone: Option<&str>,
        iin: Option<&str>,
    ) -> Result<Vec<RegistrationId>, StoreError> {
        tx.registrations_of(reception, &self.digests(reception, phone, iin)).await
    }

    fn digests(&self, reception: ReceptionId, phone: Option<&str>, iin: Option<&str>) -> PersonDigests {
        let scope: Uuid = reception.0;
        let digest = |column: EncryptedColumn, value: &str| self.data_keys.digest(column.name(), scope, value);
        PersonDigests {
            phone: phone.map(|phone| digest(EncryptedColumn::Phone, phone)),
            iin: iin.map(|iin| digest(EncryptedColumn::Iin, iin)),
        }
    }
}
