//! Reschedules a meeting.

use chrono::{DateTime, Utc};
use entities::{ids::MeetingId, meeting};

use crate::{
    app::{
        App, CommandError,
        input::{check_range, checked_reason},
        meetings::{check_planned_start, check_step},
    },
    domain::{
        meeting::{MAX_PLANNED_MINUTES, MAX_REASON_LENGTH, MIN_PLANNED_MINUTES, MeetingStep, date_announced_at},
        meeting_events::RESCHEDULED,
        policy,
        viewer::Viewer,
    },
};

/// A new time for a meeting.
#[derive(Clone, Debug)]
pub struct Reschedule {
    /// The meeting.
    pub meeting: MeetingId,
    /// New planned start.
    pub planned_start: DateTime<Utc>,
    /// New planned length in minutes, if it changes.
    pub planned_minutes: Option<i32>,
    /// The reason.
    pub reason: String,
    /// The version that the caller read.
    pub version: Option<i32>,
}

impl App {
    /// Reschedules a meeting. Moving an announced meeting to another date announces the new date (p. 3.4).
    ///
    /// # Errors
    /// Rejected when the meeting has started, or the new time is in the past.
    pub async fn reschedule_meeting(&self, viewer: &Viewer, to: Reschedule) -> Result<meeting::Model, CommandError> {
        let now = self.now();
        let permit = self.permit_meeting::<policy::RescheduleMeeting>(viewer, to.meeting).await?;
        let reason = checked_reason(Some(&to.reason), MAX_REASON_LENGTH)?;
        let mut locked = self.begin_with_meeting(&permit).await?;
        let meeting = &mut locked.meeting;
        check_step(meeting, to.version, MeetingStep::Reschedule)?;
        if let Some(minutes) = to.planned_minutes {
            check_range("plannedMinutes", minutes, MIN_PLANNED_MINUTES, MAX_PLANNED_MINUTES)?;
            meeting.planned_minutes = minutes;
        }
        check_planned_start(to.planned_start, now)?;
        meeting.reschedule_reason = Some(reason);
        meeting.date_announced_at =
            date_announced_at(meeting.date_announced_at, meeting.planned_start, to.planned_start, now);
        meeting.planned_start = to.planned_start;
        Ok(self.save(locked, RESCHEDULED).await?)
    }
}
