//! Running a meeting: its beginning, its stages, its end (p. 3.3).

use chrono::{DateTime, Utc};
use entities::{
    enums::{MeetingPhase, Stage},
    ids::{MeetingId, SegmentId},
    meeting, stage_segment,
};

use crate::{
    app::{ActError, App, meetings::step, time_split::segments_of},
    domain::{
        feed::{EventKind, FeedName},
        meeting::Step,
        policy,
        time_split::{Change, change},
        viewer::Viewer,
    },
    store::{StoreError, Tx},
};

impl App {
    /// Begins an announced meeting with a stage.
    ///
    /// # Errors
    /// Refused when the meeting is not announced.
    pub async fn start_meeting(
        &self,
        viewer: &Viewer,
        id: MeetingId,
        stage: Stage,
    ) -> Result<meeting::Model, ActError> {
        let now = self.now();
        let mut tx = self.store.begin().await?;
        let (mut meeting, allowed) = self.lock::<policy::RunMeeting>(&tx, viewer, id).await?;
        if !step(&meeting, None, Step::Start)? {
            return Ok(meeting);
        }
        self.turn(&mut tx, &mut meeting, Some(stage), now).await?;
        for mut broadcast in tx.broadcasts(id).await? {
            broadcast.started_at = Some(now);
            tx.save_broadcast(broadcast).await?;
        }
        meeting.phase = MeetingPhase::Live;
        meeting.started_at = Some(now);
        Ok(self.save(tx, meeting, EventKind::Started, &allowed.person.subject).await?)
    }

    /// Turns a live meeting to a stage. The same stage again changes nothing, so two moderators may press at once.
    ///
    /// # Errors
    /// Refused when the meeting is not live.
    pub async fn set_stage(&self, viewer: &Viewer, id: MeetingId, stage: Stage) -> Result<meeting::Model, ActError> {
        let now = self.now();
        let mut tx = self.store.begin().await?;
        let (mut meeting, allowed) = self.lock::<policy::RunMeeting>(&tx, viewer, id).await?;
        step(&meeting, None, Step::SetStage)?;
        if self.turn(&mut tx, &mut meeting, Some(stage), now).await?.is_none() {
            return Ok(meeting);
        }
        Ok(self.save(tx, meeting, EventKind::Stage, &allowed.person.subject).await?)
    }

    /// Ends a live meeting.
    ///
    /// # Errors
    /// Refused when the meeting is not live.
    pub async fn end_meeting(&self, viewer: &Viewer, id: MeetingId) -> Result<meeting::Model, ActError> {
        let now = self.now();
        let mut tx = self.store.begin().await?;
        let (mut meeting, allowed) = self.lock::<policy::RunMeeting>(&tx, viewer, id).await?;
        if !step(&meeting, None, Step::End)? {
            return Ok(meeting);
        }
        let ended = self.turn(&mut tx, &mut meeting, None, now).await?.map_or(now, |change| change.at);
        for mut broadcast in tx.broadcasts(id).await? {
            broadcast.ended_at = Some(ended);
            tx.save_broadcast(broadcast).await?;
        }
        meeting.phase = MeetingPhase::Ended;
        meeting.ended_at = Some(ended);
        Ok(self.save(tx, meeting, EventKind::Ended, &allowed.person.subject).await?)
    }

    /// Ends the stage that runs and begins another, at one moment. The comment feed stays locked until the end of the
    /// transaction, so that its position says which comments fell into which stage. Marks of the budget that the presentation
    /// has reached until then and nobody has recorded are recorded with it.
    async fn turn(
        &self,
        tx: &mut Tx,
        meeting: &mut meeting::Model,
        to: Option<Stage>,
        now: DateTime<Utc>,
    ) -> Result<Option<Change>, StoreError> {
        let id = meeting.id;
        let mut rows = tx.segments(id).await?;
        let Some(turn) = change(&segments_of(&rows), to, now) else { return Ok(None) };
        let ordinal = rows.last().map_or(0, |segment| segment.ordinal) + 1;
        if let Some(open) = rows.last_mut().filter(|segment| segment.ended_at.is_none()) {
            open.ended_at = Some(turn.at);
            tx.save_segment(open.clone()).await?;
        }
        let from_seq = tx.lock_feed(&FeedName::Comments(id)).await?;
        if let Some(stage) = to {
            tx.insert_segment(stage_segment::Model {
                id: SegmentId(self.ids.next(now)),
                meeting_id: id,
                ordinal,
                stage,
                started_at: turn.at,
                ended_at: None,
                from_seq,
            })
            .await?;
        }
        let marks = self.reach(meeting, &rows, turn.at);
        if !marks.is_empty() {
            tx.record(FeedName::Meetings, now, &marks).await?;
        }
        Ok(Some(turn))
    }
}
