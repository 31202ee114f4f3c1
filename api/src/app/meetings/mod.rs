//! Commands on meetings: plan, announce, run, end.

mod announce;
mod broadcast;
mod cancel;
mod feed;
mod lifecycle;
mod moderation_settings;
mod plan;
mod reschedule;

pub use crate::app::input::Title;
pub use announce::Announce;
pub use broadcast::AddBroadcast;
pub use cancel::Cancel;
pub use feed::MeetingTopic;
pub use moderation_settings::SetModeration;
pub use plan::PlanMeeting;
pub use reschedule::Reschedule;

use std::marker::PhantomData;

use chrono::{DateTime, Utc};
use entities::{ids::MeetingId, meeting, stage_segment};

use crate::{
    app::{
        App, CommandError, Rejection,
        input::{check_not_after, check_version},
        rejection::{BlockingState, Invalid},
    },
    domain::{
        feed::{Audience, EventKind, FeedName, NewEvent},
        meeting::{MAX_PLANNING_AHEAD, MeetingStep, WrongPhase, check_phase},
        meeting_events::meeting_feed,
        policy::{Allowed, HostAction, authorize},
        time_split::Segment,
        viewer::Viewer,
    },
    feed::Topic,
    store::{StoreError, Tx},
};

impl WrongPhase {
    /// Returns the rejection of a command.
    pub(in crate::app) const fn rejection(self) -> Rejection {
        Rejection::WrongState(BlockingState { object: "meeting", aspect: "phase", state: self.0.as_str() })
    }
}

impl From<WrongPhase> for CommandError {
    fn from(wrong: WrongPhase) -> Self {
        wrong.rejection().into()
    }
}

/// Checks that a meeting starts in the future, but not too far ahead.
pub(in crate::app) fn check_planned_start(start: DateTime<Utc>, now: DateTime<Utc>) -> Result<(), Rejection> {
    if start < now {
        return Err(Rejection::Invalid { field: "plannedStart", why: Invalid::InPast });
    }
    check_not_after("plannedStart", start, MAX_PLANNING_AHEAD, now)
}

/// Converts stored segments to the domain's type.
pub(in crate::app) fn to_segments(rows: &[stage_segment::Model]) -> Vec<Segment> {
    rows.iter().map(|row| Segment { stage: row.stage, started_at: row.started_at, ended_at: row.ended_at }).collect()
}

/// Returns a public event of a meeting.
pub(in crate::app) fn meeting_event(meeting: &meeting::Model, kind: EventKind, actor: Option<&str>) -> NewEvent {
    NewEvent {
        subject: meeting.id.0,
        kind,
        public_kind: Some(kind),
        audience: Audience::Everyone,
        actor: actor.map(str::to_owned),
        filter_values: MeetingTopic::filter_values(meeting),
    }
}

/// Proof that a viewer may do `A` with a meeting, from a read without a lock.
///
/// Transactions on a meeting can only be started with a permit.
pub(in crate::app) struct MeetingPermit<'v, A> {
    /// The meeting as read.
    pub(in crate::app) meeting: meeting::Model,
    viewer: &'v Viewer,
    action: PhantomData<A>,
}

/// A transaction that holds the lock of a meeting.
pub(in crate::app) struct LockedMeeting<'v, A> {
    pub(in crate::app) tx: Tx,
    /// The meeting as read under the lock.
    pub(in crate::app) before: meeting::Model,
    /// The meeting to save.
    pub(in crate::app) meeting: meeting::Model,
    pub(in crate::app) allowed: Allowed<'v, A>,
    /// Events of other feeds, whose names come after that of the feed of meetings.
    pub(in crate::app) other_events: Vec<(FeedName, NewEvent)>,
}

impl App {
    /// Authorises a command on a meeting before the transaction starts.
    ///
    /// An unauthorised caller costs one read and never waits for a lock.
    pub(in crate::app) async fn permit_meeting<'v, A: HostAction>(
        &self,
        viewer: &'v Viewer,
        id: MeetingId,
    ) -> Result<MeetingPermit<'v, A>, CommandError> {
        if viewer.person().is_none() {
            return Err(CommandError::Unauthenticated);
        }
        let meeting = self.store.meetings_by_id(&[id]).await?.pop();
        let meeting = meeting.ok_or(Rejection::NotFound { field: "meetingId" })?;
        authorize::<A>(viewer, &self.host_scope_of(&meeting)?)?;
        Ok(MeetingPermit { meeting, viewer, action: PhantomData })
    }

    /// Starts a transaction and locks the permit's meeting.
    pub(in crate::app) async fn begin_with_meeting<'v, A: HostAction>(
        &self,
        permit: &MeetingPermit<'v, A>,
    ) -> Result<LockedMeeting<'v, A>, CommandError> {
        let tx = self.store.begin().await?;
        self.lock_permitted(tx, permit).await
    }

    /// Locks the permit's meeting and authorises again, because the meeting may have changed.
    pub(in crate::app) async fn lock_permitted<'v, A: HostAction>(
        &self,
        tx: Tx,
        permit: &MeetingPermit<'v, A>,
    ) -> Result<LockedMeeting<'v, A>, CommandError> {
        self.remember_staff(&tx, permit.viewer, &self.host_scope_of(&permit.meeting)?).await?;
        let meeting = tx.lock_meeting(permit.meeting.id).await?.ok_or(Rejection::NotFound { field: "meetingId" })?;
        let allowed = authorize::<A>(permit.viewer, &self.host_scope_of(&meeting)?)?;
        Ok(LockedMeeting { tx, before: meeting.clone(), meeting, allowed, other_events: Vec::new() })
    }

    /// Saves a changed meeting with its event, and commits.
    pub(in crate::app) async fn save<A>(
        &self,
        LockedMeeting { mut tx, before, mut meeting, allowed, other_events }: LockedMeeting<'_, A>,
        kind: EventKind,
    ) -> Result<meeting::Model, StoreError> {
        meeting.version += 1;
        tx.save_meeting(&before, &meeting).await?;
        let event = meeting_event(&meeting, kind, Some(&allowed.person.subject));
        tx.record(meeting_feed(), self.now(), &[event]).await?;
        tx.record_each(self.now(), other_events).await?;
        self.commit(tx).await?;
        Ok(meeting)
    }
}

/// Checks the version that the caller read, then the phase. Returns whether the step changes anything.
pub(in crate::app) fn check_step(
    meeting: &meeting::Model,
    version: Option<i32>,
    step: MeetingStep,
) -> Result<bool, CommandError> {
    check_version(meeting.version, version)?;
    Ok(check_phase(meeting.phase, step)?)
}
