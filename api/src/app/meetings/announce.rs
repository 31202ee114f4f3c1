//! Announcing a meeting (p. 3.4).

use entities::{
    enums::{MeetingPhase, OutreachChannel},
    ids::MeetingId,
    meeting,
};

use crate::{
    app::{
        App, CommandError, Rejection,
        meetings::{Changed, step},
        rejection::Invalid,
    },
    domain::{announcement, feed::EventKind, meeting::Step, policy, viewer::Viewer},
    store::StoreError,
};

/// How the population is told.
#[derive(Clone, Debug)]
pub struct Announce {
    /// The meeting.
    pub meeting: MeetingId,
    /// By which ways.
    pub channels: Vec<OutreachChannel>,
    /// The version that the caller read.
    pub version: Option<i32>,
}

impl App {
    /// Announces a meeting. A late announcement is allowed, and is seen to be late.
    ///
    /// # Errors
    /// Rejected when the meeting is past being announced or no channel is named.
    pub async fn announce_meeting(&self, viewer: &Viewer, announce: Announce) -> Result<meeting::Model, CommandError> {
        let now = self.now();
        let permit = self.permit_meeting::<policy::AnnounceMeeting>(viewer, announce.meeting).await?;
        let mut channels = announce.channels;
        channels.sort_unstable();
        channels.dedup();
        let stored = serde_json::to_string(&channels).map_err(|_| StoreError::Corrupt("list of channels"))?;
        let (tx, mut meeting, allowed) = self.begin_on(&permit).await?;
        let before = meeting.clone();
        if !step(&meeting, announce.version, Step::Announce)? {
            return Ok(meeting);
        }
        // Not before: what is announced stays so, however it is sent again.
        if channels.is_empty() {
            return Err(Rejection::Invalid { field: "channels", why: Invalid::Empty }.into());
        }
        meeting.channels = stored;
        meeting.phase = MeetingPhase::Announced;
        meeting.announced_at = Some(now);
        meeting.date_announced_at = Some(now);
        Ok(self.save(tx, Changed { before, meeting }, EventKind::Announced, &allowed.person.subject).await?)
    }

    /// Whether a meeting's present date was announced in time (p. 3.4); none before it is announced.
    #[must_use]
    pub fn announced_in_time(&self, meeting: &meeting::Model) -> Option<bool> {
        let announced = meeting.date_announced_at?;
        let host = meeting.host_code.parse().ok()?;
        let date = announcement::date(meeting.planned_start);
        let (tree, node) = self.atlas.load().unit_on(host, date)?;
        Some(announcement::in_time(&self.norms, tree.unit(node)?.kind, meeting.planned_start, announced))
    }
}
