//! Cancels a meeting.

use entities::{enums::MeetingPhase, ids::MeetingId, meeting};

use crate::{
    app::{App, CommandError, input::checked_reason, meetings::check_step},
    domain::{
        meeting::{MAX_REASON_LENGTH, MeetingStep},
        meeting_events::CANCELLED,
        policy,
        viewer::Viewer,
    },
};

/// A meeting to cancel.
#[derive(Clone, Debug)]
pub struct Cancel {
    /// The meeting.
    pub meeting: MeetingId,
    /// The reason.
    pub reason: String,
    /// The version that the caller read.
    pub version: Option<i32>,
}

impl App {
    /// Cancels a meeting that has not started.
    ///
    /// # Errors
    /// Rejected when the meeting has started, or no reason is given.
    pub async fn cancel_meeting(&self, viewer: &Viewer, cancel: Cancel) -> Result<meeting::Model, CommandError> {
        let permit = self.permit_meeting::<policy::CancelMeeting>(viewer, cancel.meeting).await?;
        let reason = checked_reason(Some(&cancel.reason), MAX_REASON_LENGTH)?;
        let mut locked = self.begin_with_meeting(&permit).await?;
        let meeting = &mut locked.meeting;
        if !check_step(meeting, cancel.version, MeetingStep::Cancel)? {
            return Ok(locked.meeting);
        }
        meeting.cancel_reason = Some(reason);
        meeting.phase = MeetingPhase::Cancelled;
        Ok(self.save(locked, CANCELLED).await?)
    }
}
