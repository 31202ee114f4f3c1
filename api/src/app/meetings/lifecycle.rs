//! Starts a meeting, switches its stages, and ends it (p. 3.3).

use chrono::{DateTime, Utc};
use entities::{
    enums::{MeetingPhase, Stage},
    ids::{MeetingId, SegmentId},
    meeting, stage_segment,
};

use crate::{
    app::{
        App, CommandError,
        meetings::{check_step, to_segments},
    },
    domain::{
        comment_events::comment_feed,
        meeting::MeetingStep,
        meeting_events::{ENDED, STAGE, STARTED, meeting_feed},
        policy,
        time_split::{StageChange, stage_change},
        viewer::Viewer,
    },
    store::{StoreError, Tx},
};

/// Result of switching the stage.
struct StageSwitch {
    /// The change, or `None` if the stage was already running.
    change: Option<StageChange>,
    /// The meeting's stage segments afterwards.
    segments: Vec<stage_segment::Model>,
}

impl App {
    /// Starts an announced meeting with a stage.
    ///
    /// # Errors
    /// Rejected when the meeting is not announced.
    pub async fn start_meeting(
        &self,
        viewer: &Viewer,
        id: MeetingId,
        stage: Stage,
    ) -> Result<meeting::Model, CommandError> {
        let now = self.now();
        let permit = self.permit_meeting::<policy::RunMeeting>(viewer, id).await?;
        let mut locked = self.begin_with_meeting(&permit).await?;
        if !check_step(&locked.meeting, None, MeetingStep::Start)? {
            return Ok(locked.meeting);
        }
        self.switch_stage(&mut locked.tx, &mut locked.meeting, Some(stage), now).await?;
        for mut broadcast in locked.tx.broadcasts(id).await? {
            broadcast.started_at = Some(now);
            locked.tx.save_broadcast(broadcast).await?;
        }
        locked.meeting.phase = MeetingPhase::Live;
        locked.meeting.started_at = Some(now);
        Ok(self.save(locked, STARTED).await?)
    }

    /// Switches a live meeting to a stage. The current stage again changes nothing, so two moderators may press at
    /// once.
    ///
    /// Returns the meeting with its stage segments.
    ///
    /// # Errors
    /// Rejected when the meeting is not live.
    pub async fn set_stage(
        &self,
        viewer: &Viewer,
        id: MeetingId,
        stage: Stage,
    ) -> Result<(meeting::Model, Vec<stage_segment::Model>), CommandError> {
        let now = self.now();
        let permit = self.permit_meeting::<policy::RunMeeting>(viewer, id).await?;
        let mut locked = self.begin_with_meeting(&permit).await?;
        check_step(&locked.meeting, None, MeetingStep::SetStage)?;
        let StageSwitch { change, segments } =
            self.switch_stage(&mut locked.tx, &mut locked.meeting, Some(stage), now).await?;
        if change.is_none() {
            return Ok((locked.meeting, segments));
        }
        Ok((self.save(locked, STAGE).await?, segments))
    }

    /// Ends a live meeting, and drafts the reception after it (p. 3.5).
    ///
    /// # Errors
    /// Rejected when the meeting is not live.
    pub async fn end_meeting(&self, viewer: &Viewer, id: MeetingId) -> Result<meeting::Model, CommandError> {
        let now = self.now();
        let permit = self.permit_meeting::<policy::RunMeeting>(viewer, id).await?;
        let mut locked = self.begin_with_meeting(&permit).await?;
        if !check_step(&locked.meeting, None, MeetingStep::End)? {
            return Ok(locked.meeting);
        }
        let ended = self
            .switch_stage(&mut locked.tx, &mut locked.meeting, None, now)
            .await?
            .change
            .map_or(now, |change| change.at);
        for mut broadcast in locked.tx.broadcasts(id).await? {
            broadcast.ended_at = Some(ended);
            locked.tx.save_broadcast(broadcast).await?;
        }
        locked.meeting.phase = MeetingPhase::Ended;
        locked.meeting.ended_at = Some(ended);
        locked.other_events = self.draft_reception(&locked.tx, &locked.meeting, now).await?;
        Ok(self.save(locked, ENDED).await?)
    }

    /// Ends the running stage and starts another at the same moment.
    ///
    /// Keeps the comment feed locked until the end of the transaction, so that its position tells which comments
    /// belong to which stage. Also records budget thresholds that the presentation has reached by then.
    async fn switch_stage(
        &self,
        tx: &mut Tx,
        meeting: &mut meeting::Model,
        to: Option<Stage>,
        now: DateTime<Utc>,
    ) -> Result<StageSwitch, StoreError> {
        let id = meeting.id;
        let mut rows = tx.segments(id).await?;
        let Some(change) = stage_change(&to_segments(&rows), to, now) else {
            return Ok(StageSwitch { change: None, segments: rows });
        };
        let ordinal = rows.last().map_or(0, |segment| segment.ordinal) + 1;
        if let Some(open) = rows.last_mut().filter(|segment| segment.ended_at.is_none()) {
            open.ended_at = Some(change.at);
            tx.save_segment(open.clone()).await?;
        }
        let from_seq = tx.lock_feed(&comment_feed(id)).await?;
        let thresholds = self.detect_thresholds(meeting, &rows, change.at);
        if !thresholds.is_empty() {
            tx.record(meeting_feed(), now, &thresholds).await?;
        }
        if let Some(stage) = to {
            let begun = stage_segment::Model {
                id: SegmentId(self.ids.next(now)),
                meeting_id: id,
                ordinal,
                stage,
                started_at: change.at,
                ended_at: None,
                from_seq,
            };
            tx.insert_segment(begun.clone()).await?;
            rows.push(begun);
        }
        Ok(StageSwitch { change: Some(change), segments: rows })
    }
}
