//! Registrations for personal receptions. Personal data of applicants is stored apart.

use sea_orm::entity::prelude::*;

use crate::{
    enums::RegistrationState,
    ids::{ReceptionId, RegistrationId},
};

/// A row of `registrations`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "registrations")]
pub struct Model {
    /// Primary key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: RegistrationId,
    /// The reception.
    pub reception_id: ReceptionId,
    /// Pseudonym of the person; `None` for walk-ins.
    pub person: Option<String>,
    /// Number of the ticket, from 1 in the order of registration.
    pub number: i32,
    /// The state.
    pub state: RegistrationState,
    /// Whether staff entered a person who came without a registration.
    pub is_walk_in: bool,
    /// Start of the slot that is or was held or offered.
    pub slot_starts_at: Option<DateTimeUtc>,
    /// Desk of that slot.
    pub slot_desk: Option<i32>,
    /// Order in the waiting line.
    pub place: i32,
    /// End of the offer.
    pub offer_expires_at: Option<DateTimeUtc>,
    /// When the slot was given up. Only with the slot of a cancelled registration.
    pub freed_at: Option<DateTimeUtc>,
    /// The desk that called.
    pub call_desk: Option<i32>,
    /// When the person was first called.
    pub first_called_at: Option<DateTimeUtc>,
    /// When the person was last called.
    pub called_at: Option<DateTimeUtc>,
    /// How often the person was called.
    pub calls: i32,
    /// When the visit ended.
    pub closed_at: Option<DateTimeUtc>,
    /// What the person wants to talk about; empty after erasure.
    pub topic: String,
    /// What came of the visit.
    pub outcome: Option<String>,
    /// When it was created.
    pub created_at: DateTimeUtc,
    /// Raised by every change.
    pub version: i32,
}

/// No relations. The store joins rows explicitly.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
