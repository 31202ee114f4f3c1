//! Personal receptions after meetings (p. 3.5).

use sea_orm::entity::prelude::*;

use crate::{
    enums::ReceptionState,
    ids::{MeetingId, ReceptionId},
};

/// A row of `receptions`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "receptions")]
pub struct Model {
    /// Primary key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ReceptionId,
    /// The meeting after which it is held.
    pub meeting_id: MeetingId,
    /// Code of the unit whose akim holds the meeting.
    pub host_code: String,
    /// Code of the unit where the meeting was held.
    pub region_code: String,
    /// Place in Kazakh.
    pub place_kk: String,
    /// Place in Russian.
    pub place_ru: Option<String>,
    /// Place in English.
    pub place_en: Option<String>,
    /// Start of the first slot.
    pub starts_at: DateTimeUtc,
    /// When the last slot has ended.
    pub ends_at: DateTimeUtc,
    /// Length of a slot in minutes.
    pub slot_minutes: i32,
    /// Number of desks, counted from 1.
    pub desks: i32,
    /// The state.
    pub state: ReceptionState,
    /// Letter of its tickets, from its opening on.
    pub letter: Option<String>,
    /// Number of its newest ticket.
    pub last_number: i32,
    /// Newest place in its waiting line.
    pub last_place: i32,
    /// Walk-ins wait behind so many booked visitors called in a row.
    pub booked_in_a_row: i32,
    /// Why it was cancelled.
    pub cancel_reason: Option<String>,
    /// When it was opened.
    pub opened_at: Option<DateTimeUtc>,
    /// When it was closed.
    pub closed_at: Option<DateTimeUtc>,
    /// Subject of the person who created it; `None` for the service.
    pub created_by: Option<String>,
    /// When it was created.
    pub created_at: DateTimeUtc,
    /// Raised by every change of its settings and state, for optimistic locking.
    pub version: i32,
}

/// No relations. The store joins rows explicitly.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
