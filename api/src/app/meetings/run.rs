//! Running a meeting: its beginning, its stages, its end (p. 3.3).

use chrono::{DateTime, Utc};
use entities::{
    enums::{MeetingPhase, Stage},
    ids::{MeetingId, SegmentId},
    meeting, stage_segment,
};

use crate::{
    app::{
        App, CommandError,
        meetings::{Changed, step},
        time_split::segments_of,
    },
    domain::{
        feed::{EventKind, FeedName},
        meeting::Step,
        policy,
        time_split::{Change, change},
        viewer::Viewer,
    },
    store::{StoreError, Tx},
};

/// What came of turning a meeting to a stage.
struct Turn {
    /// The change; none where the stage is the same.
    change: Option<Change>,
    /// The stretches after it.
    segments: Vec<stage_segment::Model>,
}

impl App {
    /// Begins an announced meeting with a stage.
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
        let (mut tx, mut meeting, allowed) = self.begin_on(&permit).await?;
        let before = meeting.clone();
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
        Ok(self.save(tx, Changed { before, meeting }, EventKind::Started, &allowed.person.subject).await?)
    }

    /// Turns a live meeting to a stage. The same stage again changes nothing, so two moderators may press at once.
    ///
    /// Returns the meeting with its stretches as this transaction has left them.
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
        let (mut tx, mut meeting, allowed) = self.begin_on(&permit).await?;
        let before = meeting.clone();
        step(&meeting, None, Step::SetStage)?;
        let Turn { change, segments } = self.turn(&mut tx, &mut meeting, Some(stage), now).await?;
        if change.is_none() {
            return Ok((meeting, segments));
        }
        Ok((self.save(tx, Changed { before, meeting }, EventKind::Stage, &allowed.person.subject).await?, segments))
    }

    /// Ends a live meeting.
    ///
    /// # Errors
    /// Rejected when the meeting is not live.
    pub async fn end_meeting(&self, viewer: &Viewer, id: MeetingId) -> Result<meeting::Model, CommandError> {
        let now = self.now();
        let permit = self.permit_meeting::<policy::RunMeeting>(viewer, id).await?;
        let (mut tx, mut meeting, allowed) = self.begin_on(&permit).await?;
        let before = meeting.clone();
        if !step(&meeting, None, Step::End)? {
            return Ok(meeting);
        }
        let ended = self.turn(&mut tx, &mut meeting, None, now).await?.change.map_or(now, |change| change.at);
        for mut broadcast in tx.broadcasts(id).await? {
            broadcast.ended_at = Some(ended);
            tx.save_broadcast(broadcast).await?;
        }
        meeting.phase = MeetingPhase::Ended;
        meeting.ended_at = Some(ended);
        Ok(self.save(tx, Changed { before, meeting }, EventKind::Ended, &allowed.person.subject).await?)
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
    ) -> Result<Turn, StoreError> {
        let id = meeting.id;
        let mut rows = tx.segments(id).await?;
        let Some(turn) = change(&segments_of(&rows), to, now) else {
            return Ok(Turn { change: None, segments: rows });
        };
        let ordinal = rows.last().map_or(0, |segment| segment.ordinal) + 1;
        if let Some(open) = rows.last_mut().filter(|segment| segment.ended_at.is_none()) {
            open.ended_at = Some(turn.at);
            tx.save_segment(open.clone()).await?;
        }
        let from_seq = tx.lock_feed(&FeedName::Comments(id)).await?;
        let marks = self.reach(meeting, &rows, turn.at);
        if !marks.is_empty() {
            tx.record(FeedName::Meetings, now, &marks).await?;
        }
        if let Some(stage) = to {
            let begun = stage_segment::Model {
                id: SegmentId(self.ids.next(now)),
                meeting_id: id,
                ordinal,
                stage,
                started_at: turn.at,
                ended_at: None,
                from_seq,
            };
            tx.insert_segment(begun.clone()).await?;
            rows.push(begun);
        }
        Ok(Turn { change: Some(turn), segments: rows })
    }
}
