//! Personal data of applicants: encrypted when it is saved, and decrypted in [`App::read_applicants`] only.

mod erasure;
mod read;
mod rotation;
mod save;
#[cfg(test)]
mod tests;

pub use save::NewApplicant;

use std::fmt;

use chrono::{DateTime, Utc};
use entities::{applicant, enums::Language, ids::RegistrationId};

use crate::{
    app::App,
    domain::{
        audit::{AuditActor, NewAuditEntry},
        global_id::{REGISTRATION, typed_id},
    },
    encryption::{EncryptionError, Field, KeyRing},
    store::applicants::TABLE,
};

/// A person who registers for a reception.
#[derive(Clone, PartialEq, Eq)]
pub struct Applicant {
    /// The name.
    pub name: String,
    /// The phone number in E.164 form, if it was given.
    pub phone: Option<String>,
    /// The individual identification number, if it was given.
    pub iin: Option<String>,
    /// The language that the person speaks at the reception.
    pub language: Language,
}

impl fmt::Debug for Applicant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Nothing personal, so that no log can contain it.
        f.debug_struct("Applicant").finish_non_exhaustive()
    }
}

/// The encrypted columns.
#[derive(Clone, Copy)]
pub(in crate::app::personal_data) enum EncryptedColumn {
    Name,
    Phone,
    Iin,
}

impl EncryptedColumn {
    /// Returns the name of the column. Encrypted values are bound to it, so it never changes.
    pub(in crate::app::personal_data) const fn name(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Phone => "phone",
            Self::Iin => "iin",
        }
    }

    /// Returns the place of a value.
    pub(in crate::app::personal_data) const fn of(self, registration: RegistrationId) -> Field {
        Field { table: TABLE, column: self.name(), row: registration.0 }
    }
}

impl App {
    /// Returns an entry of the audit log about an applicant.
    pub(in crate::app) fn applicant_entry(
        &self,
        action: &'static str,
        actor: AuditActor,
        registration: RegistrationId,
        now: DateTime<Utc>,
    ) -> NewAuditEntry {
        let subject = typed_id(REGISTRATION, registration.0);
        NewAuditEntry { id: self.ids.next(now), at: now, actor, action, subject, detail: None }
    }
}

/// Encrypted fields, as they are stored.
pub(in crate::app::personal_data) struct EncryptedFields {
    pub(in crate::app::personal_data) name: String,
    pub(in crate::app::personal_data) phone: Option<String>,
    pub(in crate::app::personal_data) iin: Option<String>,
}

/// Encrypts the fields of an applicant with the first key.
pub(in crate::app::personal_data) fn encrypt(
    keys: &KeyRing,
    registration: RegistrationId,
    applicant: &Applicant,
) -> Result<EncryptedFields, EncryptionError> {
    let encrypted = |column: EncryptedColumn, value: &str| keys.encrypt(column.of(registration), value);
    let optional = |column, value: &Option<String>| value.as_deref().map(|value| encrypted(column, value)).transpose();
    Ok(EncryptedFields {
        name: encrypted(EncryptedColumn::Name, &applicant.name)?,
        phone: optional(EncryptedColumn::Phone, &applicant.phone)?,
        iin: optional(EncryptedColumn::Iin, &applicant.iin)?,
    })
}

/// Decrypts a row, or returns `None` if it is erased.
pub(in crate::app::personal_data) fn decrypt(
    keys: &KeyRing,
    row: &applicant::Model,
) -> Result<Option<Applicant>, EncryptionError> {
    let decrypted = |column: EncryptedColumn, value: &Option<String>| {
        value.as_deref().map(|value| keys.decrypt(column.of(row.registration_id), value)).transpose()
    };
    let Some(name) = decrypted(EncryptedColumn::Name, &row.name)? else { return Ok(None) };
    let [phone, iin] = [(EncryptedColumn::Phone, &row.phone), (EncryptedColumn::Iin, &row.iin)]
        .map(|(column, value)| decrypted(column, value));
    Ok(Some(Applicant { name, phone: phone?, iin: iin?, language: row.language }))
}
