//! Moving a meeting.

use chrono::{DateTime, Utc};
use entities::{ids::MeetingId, meeting};

use crate::{
    app::{
        App, CommandError,
        input::{check_range, checked_reason},
        meetings::{Changed, step, upcoming},
    },
    domain::{
        feed::EventKind,
        meeting::{MAX_PLANNED_MINUTES, MAX_REASON_LENGTH, MIN_PLANNED_MINUTES, Step, date_announced_at},
        policy,
        viewer::Viewer,
    },
};

/// Where a meeting is moved to.
#[derive(Clone, Debug)]
pub struct Reschedule {
    /// The meeting.
    pub meeting: MeetingId,
    /// When it is to begin.
    pub planned_start: DateTime<Utc>,
    /// How long it is to last, in minutes; as before unless told.
    pub planned_minutes: Option<i32>,
    /// Why.
    pub reason: String,
    /// The version that the caller read.
    pub version: Option<i32>,
}

impl App {
    /// Moves a meeting. A new date of an announced meeting is announced by the move itself (p. 3.4).
    ///
    /// # Errors
    /// Rejected when the meeting has begun, or the new time has passed.
    pub async fn reschedule_meeting(&self, viewer: &Viewer, to: Reschedule) -> Result<meeting::Model, CommandError> {
        let now = self.now();
        let permit = self.permit_meeting::<policy::RescheduleMeeting>(viewer, to.meeting).await?;
        let reason = checked_reason(Some(&to.reason), MAX_REASON_LENGTH)?;
        let (tx, mut meeting, allowed) = self.begin_on(&permit).await?;
        let before = meeting.clone();
        step(&meeting, to.version, Step::Reschedule)?;
        if let Some(minutes) = to.planned_minutes {
            check_range("plannedMinutes", minutes, MIN_PLANNED_MINUTES, MAX_PLANNED_MINUTES)?;
            meeting.planned_minutes = minutes;
        }
        upcoming(to.planned_start, now)?;
        meeting.reschedule_reason = Some(reason);
        meeting.date_announced_at =
            date_announced_at(meeting.date_announced_at, meeting.planned_start, to.planned_start, now);
        meeting.planned_start = to.planned_start;
        Ok(self.save(tx, Changed { before, meeting }, EventKind::Rescheduled, &allowed.person.subject).await?)
    }
}
