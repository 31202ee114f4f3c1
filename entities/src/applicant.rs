//! Personal data of people who registered for a reception, encrypted.

use sea_orm::entity::prelude::*;

use crate::{
    enums::Language,
    ids::{ReceptionId, RegistrationId},
};

/// A row of `applicants`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "applicants")]
pub struct Model {
    /// The registration whose applicant it is.
    #[sea_orm(primary_key, auto_increment = false)]
    pub registration_id: RegistrationId,
    /// The reception.
    pub reception_id: ReceptionId,
    /// Code of the host of the reception.
    pub host_code: String,
    /// When the reception ends, from which the time of retention counts.
    pub reception_ends_at: DateTimeUtc,
    /// Id of the key that the fields are encrypted with; `None` once they are erased.
    pub key_id: Option<String>,
    /// Encrypted name; `None` once it is erased.
    pub name: Option<String>,
    /// Encrypted phone number, if there is one.
    pub phone: Option<String>,
    /// Encrypted individual identification number, if there is one.
    pub iin: Option<String>,
    /// Language that the person speaks at the reception.
    pub language: Language,
    /// Digest of the phone number, for finding the same person at one reception.
    pub phone_digest: Option<String>,
    /// Digest of the individual identification number.
    pub iin_digest: Option<String>,
    /// When the personal data was erased.
    pub erased_at: Option<DateTimeUtc>,
    /// When it was saved.
    pub created_at: DateTimeUtc,
}

/// No relations. The store joins rows explicitly.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
