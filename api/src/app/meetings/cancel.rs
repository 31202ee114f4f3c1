//! Cancelling a meeting.

use entities::{enums::MeetingPhase, ids::MeetingId, meeting};

use crate::{
    app::{
        App, CommandError,
        input::checked_reason,
        meetings::{Changed, step},
    },
    domain::{
        feed::EventKind,
        meeting::{MAX_REASON_LENGTH, Step},
        policy,
        viewer::Viewer,
    },
};

/// Which meeting will not be held.
#[derive(Clone, Debug)]
pub struct Cancel {
    /// The meeting.
    pub meeting: MeetingId,
    /// Why.
    pub reason: String,
    /// The version that the caller read.
    pub version: Option<i32>,
}

impl App {
    /// Cancels a meeting that has not begun.
    ///
    /// # Errors
    /// Rejected when the meeting has begun, or no reason is given.
    pub async fn cancel_meeting(&self, viewer: &Viewer, cancel: Cancel) -> Result<meeting::Model, CommandError> {
        let permit = self.permit_meeting::<policy::CancelMeeting>(viewer, cancel.meeting).await?;
        let reason = checked_reason(Some(&cancel.reason), MAX_REASON_LENGTH)?;
        let (tx, mut meeting, allowed) = self.begin_on(&permit).await?;
        let before = meeting.clone();
        if !step(&meeting, cancel.version, Step::Cancel)? {
            return Ok(meeting);
        }
        meeting.cancel_reason = Some(reason);
        meeting.phase = MeetingPhase::Cancelled;
        Ok(self.save(tx, Changed { before, meeting }, EventKind::Cancelled, &allowed.person.subject).await?)
    }
}
