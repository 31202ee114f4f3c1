//! Announces a meeting (p. 3.4).

use entities::{
    enums::{MeetingPhase, OutreachChannel},
    ids::MeetingId,
    meeting,
};

use crate::{
    app::{App, CommandError, Rejection, meetings::check_step, rejection::Invalid},
    domain::{announcement, meeting::MeetingStep, meeting_events::ANNOUNCED, policy, viewer::Viewer},
    store::StoreError,
};

/// How the population is informed of a meeting.
#[derive(Clone, Debug)]
pub struct Announce {
    /// The meeting.
    pub meeting: MeetingId,
    /// The channels used.
    pub channels: Vec<OutreachChannel>,
    /// The version that the caller read.
    pub version: Option<i32>,
}

impl App {
    /// Announces a meeting. A late announcement is allowed and recorded as late.
    ///
    /// # Errors
    /// Rejected when the meeting can no longer be announced, or no channel is named.
    pub async fn announce_meeting(&self, viewer: &Viewer, announce: Announce) -> Result<meeting::Model, CommandError> {
        let now = self.now();
        let permit = self.permit_meeting::<policy::AnnounceMeeting>(viewer, announce.meeting).await?;
        let mut channels = announce.channels;
        channels.sort_unstable();
        channels.dedup();
        let stored = serde_json::to_string(&channels).map_err(|_| StoreError::Corrupt("list of channels"))?;
        let mut locked = self.begin_with_meeting(&permit).await?;
        let meeting = &mut locked.meeting;
        if !check_step(meeting, announce.version, MeetingStep::Announce)? {
            return Ok(locked.meeting);
        }
        // Checked only now, because a repeat of an announcement succeeds whatever its channels.
        if channels.is_empty() {
            return Err(Rejection::Invalid { field: "channels", why: Invalid::Empty }.into());
        }
        meeting.channels = stored;
        meeting.phase = MeetingPhase::Announced;
        meeting.announced_at = Some(now);
        meeting.date_announced_at = Some(now);
        Ok(self.save(locked, ANNOUNCED).await?)
    }

    /// Returns whether the meeting's current date was announced in time (p. 3.4), or `None` before the announcement.
    #[must_use]
    pub fn announced_in_time(&self, meeting: &meeting::Model) -> Option<bool> {
        let announced = meeting.date_announced_at?;
        let host = meeting.host_code.parse().ok()?;
        let date = announcement::date(meeting.planned_start);
        let (tree, node) = self.region_history.load().unit_on(host, date)?;
        Some(announcement::is_in_time(&self.norms, tree.unit(node)?.kind, meeting.planned_start, announced))
    }
}
