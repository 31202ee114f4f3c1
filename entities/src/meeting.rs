//! Meetings of akims with the population.

use sea_orm::entity::prelude::*;

use crate::{
    enums::{MeetingOrigin, MeetingPhase, ModerationMode},
    ids::MeetingId,
};

/// A row of `meetings`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "meetings")]
pub struct Model {
    /// Primary key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: MeetingId,
    /// Code of the unit where it is held, and for whose coverage it counts.
    pub region_code: String,
    /// Code of the unit whose akim holds it.
    pub host_code: String,
    /// Title in Kazakh.
    pub title_kk: String,
    /// Title in Russian.
    pub title_ru: Option<String>,
    /// Title in English.
    pub title_en: Option<String>,
    /// Titles and venue, normalised for search.
    pub search: String,
    /// Version of the normalisation of `search`. 0: before versions were stored.
    pub normalization_version: i32,
    /// From the calendar or outside it.
    pub origin: MeetingOrigin,
    /// Reason for holding it outside the calendar.
    pub off_calendar_reason: Option<String>,
    /// Venue in Kazakh.
    pub venue_kk: Option<String>,
    /// Venue in Russian.
    pub venue_ru: Option<String>,
    /// Venue in English.
    pub venue_en: Option<String>,
    /// Planned start.
    pub planned_start: DateTimeUtc,
    /// Planned length in minutes.
    pub planned_minutes: i32,
    /// The phase.
    pub phase: MeetingPhase,
    /// When it was first announced.
    pub announced_at: Option<DateTimeUtc>,
    /// When its current date was announced.
    pub date_announced_at: Option<DateTimeUtc>,
    /// Outreach channels as a JSON array of names.
    pub channels: String,
    /// Reason of the last rescheduling.
    pub reschedule_reason: Option<String>,
    /// Reason of the cancellation.
    pub cancel_reason: Option<String>,
    /// When it started.
    pub started_at: Option<DateTimeUtc>,
    /// When it ended.
    pub ended_at: Option<DateTimeUtc>,
    /// When comments become public.
    pub moderation: ModerationMode,
    /// Minimum time between two comments of one author, in seconds.
    pub slow_mode_seconds: i32,
    /// Whether it accepts comments.
    pub accepting_comments: bool,
    /// Blocked words as a JSON array, stored in `blocked_words`. `None`: not loaded with the row.
    #[sea_orm(ignore)]
    pub blocked_words: Option<String>,
    /// The newest receipt number.
    pub last_receipt: i32,
    /// When the presentation reached 80 % of its budget.
    pub warned_at: Option<DateTimeUtc>,
    /// When the presentation reached 100 % of its budget.
    pub exceeded_at: Option<DateTimeUtc>,
    /// Subject of the person who planned it.
    pub created_by: String,
    /// When it was planned.
    pub created_at: DateTimeUtc,
    /// Raised by every change, for optimistic locking.
    pub version: i32,
}

/// No relations. The store joins rows explicitly.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
