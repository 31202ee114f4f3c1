//! The inputs of meeting operations.

use async_graphql::{ID, InputObject};
use chrono::{DateTime, Utc};

use crate::{
    app::{
        meetings::{AddBroadcast, Announce, Cancel, PlanMeeting, Reschedule, SetModeration},
        reads::MeetingFilter,
    },
    domain::announcement,
    graphql::{
        entity::parse_id,
        enums::{MeetingOrigin, MeetingPhase, ModerationMode, OutreachChannel, Platform, Stage},
        error::{ApiError, ApiResult},
        localized::LocalizedTextInput,
        meetings::Meeting,
        page::{dedup, indexed_search_cost, parse_search},
        scalars::{Date, KatoCode, Timestamp},
    },
};

/// Filter of meetings. All given conditions must hold.
#[derive(InputObject, Clone, Debug, Default)]
#[graphql(name = "MeetingFilter")]
pub struct MeetingFilterInput {
    /// Held in this unit or below it.
    pub region: Option<KatoCode>,
    /// Held by the akim of this unit.
    pub host: Option<KatoCode>,
    /// In one of these phases.
    pub phases: Option<Vec<MeetingPhase>>,
    /// From the calendar or outside it.
    pub origin: Option<MeetingOrigin>,
    /// Planned for this date in Asia/Almaty or later.
    pub from: Option<Date>,
    /// Planned for this date in Asia/Almaty or earlier.
    pub to: Option<Date>,
    /// With these words in a title or the venue, in any spelling variant; at most 20 words and 200 code
    /// points. A search of symbols only is matched exactly.
    pub search: Option<String>,
}

impl MeetingFilterInput {
    /// Returns the cost that the filter adds to a list.
    #[must_use]
    pub fn cost(filter: &Option<Self>) -> usize {
        filter.as_ref().map_or(0, |filter| indexed_search_cost(filter.search.as_deref()))
    }

    /// Converts the filter for the store.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` if a date is out of range, or the search has too many terms.
    pub fn parse(self) -> ApiResult<MeetingFilter> {
        Ok(MeetingFilter {
            region: self.region.map(|code| code.0),
            host: self.host.map(|code| code.0),
            phases: self.phases.map(dedup),
            origin: self.origin.map(Into::into),
            from: self.from.map(|date| start_of_day(date, "filter.from")).transpose()?,
            until: self
                .to
                .map(|date| {
                    start_of_day(Date(date.0.succ_opt().ok_or_else(|| ApiError::bad("filter.to"))?), "filter.to")
                })
                .transpose()?,
            words: parse_search(self.search.as_deref(), "filter.search")?,
        })
    }
}

/// Returns when a day begins in Asia/Almaty.
///
/// # Errors
/// `BAD_USER_INPUT` if it is beyond all times.
pub fn start_of_day(date: Date, field: &str) -> ApiResult<DateTime<Utc>> {
    announcement::start_of_day(date.0).ok_or_else(|| ApiError::bad(field))
}

/// A meeting to be planned.
#[derive(InputObject)]
pub struct PlanMeetingInput {
    /// The unit where the meeting is held. The host's akim must cover it (p. 2.1).
    pub region: KatoCode,
    /// The unit whose akim holds the meeting.
    pub host: KatoCode,
    /// Title, at most 300 Unicode code points per language.
    pub title: LocalizedTextInput,
    /// From the calendar or outside it.
    pub origin: MeetingOrigin,
    /// Why it is outside the calendar (p. 3.1), at most 500 code points; required for OFF_CALENDAR.
    pub off_calendar_reason: Option<String>,
    /// Venue, at most 300 code points per language.
    pub venue: Option<LocalizedTextInput>,
    /// Planned start.
    pub planned_start: Timestamp,
    /// Planned duration, 10 to 720 minutes.
    pub planned_minutes: i32,
    /// When comments become public.
    #[graphql(default_with = "Some(ModerationMode::Before)")]
    pub moderation: Option<ModerationMode>,
    /// Idempotency key: a retry with the same key and input returns the first result. At most 200 code
    /// points, without control characters.
    pub idempotency_key: Option<String>,
}

impl PlanMeetingInput {
    /// Returns the command and the idempotency key.
    #[must_use]
    pub fn parse(self) -> (PlanMeeting, Option<String>) {
        let plan = PlanMeeting {
            region: self.region.0,
            host: self.host.0,
            title: self.title.into(),
            origin: self.origin.into(),
            off_calendar_reason: self.off_calendar_reason,
            venue: self.venue.map(Into::into),
            planned_start: self.planned_start.0,
            planned_minutes: self.planned_minutes,
            moderation: self.moderation.unwrap_or(ModerationMode::Before).into(),
        };
        (plan, self.idempotency_key)
    }
}

/// A meeting to be announced.
#[derive(InputObject)]
pub struct AnnounceMeetingInput {
    /// The meeting.
    pub meeting_id: ID,
    /// Channels of the announcement, at least one.
    pub channels: Vec<OutreachChannel>,
    /// The version that the client has read; a different current version refuses the change.
    pub version: Option<i32>,
}

impl AnnounceMeetingInput {
    /// Returns the command.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` if the id is malformed.
    pub fn parse(self) -> ApiResult<Announce> {
        let meeting = parse_id::<Meeting>(&self.meeting_id, "input.meetingId")?;
        let channels = self.channels.into_iter().map(Into::into).collect();
        Ok(Announce { meeting, channels, version: self.version })
    }
}

/// A meeting to be moved.
#[derive(InputObject)]
pub struct RescheduleMeetingInput {
    /// The meeting.
    pub meeting_id: ID,
    /// Planned start.
    pub planned_start: Timestamp,
    /// Planned duration in minutes; unchanged by default.
    pub planned_minutes: Option<i32>,
    /// Why, at most 500 code points.
    pub reason: String,
    /// The version that the client has read; a different current version refuses the change.
    pub version: Option<i32>,
}

impl RescheduleMeetingInput {
    /// Returns the command.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` if the id is malformed.
    pub fn parse(self) -> ApiResult<Reschedule> {
        let meeting = parse_id::<Meeting>(&self.meeting_id, "input.meetingId")?;
        let (planned_start, planned_minutes) = (self.planned_start.0, self.planned_minutes);
        Ok(Reschedule { meeting, planned_start, planned_minutes, reason: self.reason, version: self.version })
    }
}

/// A meeting to be cancelled.
#[derive(InputObject)]
pub struct CancelMeetingInput {
    /// The meeting.
    pub meeting_id: ID,
    /// Why, at most 500 code points.
    pub reason: String,
    /// The version that the client has read; a different current version refuses the change.
    pub version: Option<i32>,
}

impl CancelMeetingInput {
    /// Returns the command.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` if the id is malformed.
    pub fn parse(self) -> ApiResult<Cancel> {
        let meeting = parse_id::<Meeting>(&self.meeting_id, "input.meetingId")?;
        Ok(Cancel { meeting, reason: self.reason, version: self.version })
    }
}

/// A broadcast to be added.
#[derive(InputObject)]
pub struct AddBroadcastInput {
    /// The meeting.
    pub meeting_id: ID,
    /// The platform.
    pub platform: Platform,
    /// URL of the broadcast, `http` or `https`, at most 2,000 code points.
    pub url: String,
    /// Id on the platform, at most 300 code points.
    pub external_id: Option<String>,
    /// Whether comments are enabled on the platform.
    #[graphql(default_with = "Some(true)")]
    pub comments_enabled: Option<bool>,
    /// Idempotency key: a retry with the same key and input returns the first result. At most 200 code
    /// points, without control characters.
    pub idempotency_key: Option<String>,
}

impl AddBroadcastInput {
    /// Returns the command and the idempotency key.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` if the id is malformed.
    pub fn parse(self) -> ApiResult<(AddBroadcast, Option<String>)> {
        let add = AddBroadcast {
            meeting: parse_id::<Meeting>(&self.meeting_id, "input.meetingId")?,
            platform: self.platform.into(),
            url: self.url,
            external_id: self.external_id,
            comments_enabled: self.comments_enabled.unwrap_or(true),
        };
        Ok((add, self.idempotency_key))
    }
}

/// A meeting to be started.
#[derive(InputObject)]
pub struct StartMeetingInput {
    /// The meeting.
    pub meeting_id: ID,
    /// The first stage.
    #[graphql(default_with = "Some(Stage::Presentation)")]
    pub stage: Option<Stage>,
}

/// A stage to switch to.
#[derive(InputObject)]
pub struct SetStageInput {
    /// The meeting.
    pub meeting_id: ID,
    /// The stage.
    pub stage: Stage,
}

/// A meeting to be ended.
#[derive(InputObject)]
pub struct EndMeetingInput {
    /// The meeting.
    pub meeting_id: ID,
}

/// Moderation settings to change. Omitted fields keep their values.
#[derive(InputObject)]
pub struct SetModerationInput {
    /// The meeting.
    pub meeting_id: ID,
    /// When comments become public.
    pub mode: Option<ModerationMode>,
    /// Minimum seconds between two comments of one author, 0 to 3600.
    pub slow_mode_seconds: Option<i32>,
    /// Whether the meeting accepts comments.
    pub accepting_comments: Option<bool>,
    /// Words and phrases that block a comment, at most 500 of 100 code points; a final `*` matches any
    /// ending. Disguised spellings of words match too; symbols and emoji match exactly.
    pub blocked_words: Option<Vec<String>>,
    /// The version that the client has read; a different current version refuses the change.
    pub version: Option<i32>,
}

impl SetModerationInput {
    /// Returns the command.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` if the id is malformed.
    pub fn parse(self) -> ApiResult<SetModeration> {
        Ok(SetModeration {
            meeting: parse_id::<Meeting>(&self.meeting_id, "input.meetingId")?,
            mode: self.mode.map(Into::into),
            slow_mode_seconds: self.slow_mode_seconds,
            accepting_comments: self.accepting_comments,
            blocked_words: self.blocked_words,
            version: self.version,
        })
    }
}
