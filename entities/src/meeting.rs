//! Meetings of akims with the population.

use sea_orm::entity::prelude::*;

use crate::{
    enums::{MeetingOrigin, MeetingPhase, ModerationMode},
    ids::MeetingId,
};

/// One row of `meetings`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "meetings")]
pub struct Model {
    /// Identity.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: MeetingId,
    /// Where it is held, and whose coverage it counts for.
    pub region_code: String,
    /// The unit whose akim holds it.
    pub host_code: String,
    /// Title in Kazakh.
    pub title_kk: String,
    /// Title in Russian.
    pub title_ru: Option<String>,
    /// Title in English.
    pub title_en: Option<String>,
    /// Titles and venue normalised for search.
    pub search: String,
    /// Version of the normalisation behind `search`; 0: before versions were written.
    pub normalization_version: i32,
    /// From the calendar or outside it.
    pub origin: MeetingOrigin,
    /// Why it is held outside the calendar.
    pub off_calendar_reason: Option<String>,
    /// Venue in Kazakh.
    pub venue_kk: Option<String>,
    /// Venue in Russian.
    pub venue_ru: Option<String>,
    /// Venue in English.
    pub venue_en: Option<String>,
    /// When it is to begin.
    pub planned_start: DateTimeUtc,
    /// How long it is to last, in minutes.
    pub planned_minutes: i32,
    /// Where it is in its life.
    pub phase: MeetingPhase,
    /// When it was first announced.
    pub announced_at: Option<DateTimeUtc>,
    /// When its present date was made public.
    pub date_announced_at: Option<DateTimeUtc>,
    /// Outreach channels, as a JSON array of names.
    pub channels: String,
    /// Why it was last moved.
    pub reschedule_reason: Option<String>,
    /// Why it was cancelled.
    pub cancel_reason: Option<String>,
    /// When it began.
    pub started_at: Option<DateTimeUtc>,
    /// When it ended.
    pub ended_at: Option<DateTimeUtc>,
    /// When comments become public.
    pub moderation: ModerationMode,
    /// Least time between two comments of one author, in seconds.
    pub slow_mode_seconds: i32,
    /// Whether the floor is open.
    pub accepting_comments: bool,
    /// Words no comment may hold, as a JSON array; none: not read with the row. They are kept in `blocked_words`.
    #[sea_orm(ignore)]
    pub blocked_words: Option<String>,
    /// The newest receipt number given out.
    pub last_receipt: i32,
    /// When 80 % of the presentation's budget was recorded as reached.
    pub warned_at: Option<DateTimeUtc>,
    /// When 100 % of it was recorded as reached.
    pub exceeded_at: Option<DateTimeUtc>,
    /// Subject of whoever planned it.
    pub created_by: String,
    /// When it was planned.
    pub created_at: DateTimeUtc,
    /// Raised by every change.
    pub version: i32,
}

/// Rows are joined by hand, in the store.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
