//! A meeting's life: planned, announced, held, ended.

mod announce;
mod broadcast;
mod cancel;
mod plan;
mod reschedule;
mod run;
mod settings;

pub use announce::Announce;
pub use broadcast::AddBroadcast;
pub use cancel::Cancel;
pub use plan::{PlanMeeting, Title};
pub use reschedule::Reschedule;
pub use settings::SetModeration;

use std::marker::PhantomData;

use chrono::{DateTime, Utc};
use entities::{ids::MeetingId, meeting};

use crate::{
    app::{App, CommandError, Rejection, rejection::Invalid},
    clock::almaty_date,
    domain::{
        feed::{Audience, EventKind, FeedName, NewEvent},
        meeting::{MAX_PLANNING_AHEAD, Step, WrongPhase, allows},
        policy::{Action, Allowed, authorize},
        viewer::Viewer,
    },
    store::{StoreError, Tx},
};

impl From<WrongPhase> for CommandError {
    fn from(WrongPhase(phase): WrongPhase) -> Self {
        Rejection::WrongPhase { phase }.into()
    }
}

/// Checks the moment at which a meeting is to begin: it is still to come, and not beyond what anybody plans.
pub(in crate::app) fn upcoming(start: DateTime<Utc>, now: DateTime<Utc>) -> Result<(), Rejection> {
    let invalid = |why| Err(Rejection::Invalid { field: "plannedStart", why });
    if start < now {
        return invalid(Invalid::InPast);
    }
    match now.checked_add_months(MAX_PLANNING_AHEAD) {
        Some(furthest) if start > furthest => {
            invalid(Invalid::Dates { from: almaty_date(now), to: almaty_date(furthest) })
        }
        _ => Ok(()),
    }
}

/// An event of a meeting's life; all of it is public.
pub(in crate::app) fn life_event(id: MeetingId, kind: EventKind, actor: Option<&str>) -> NewEvent {
    NewEvent {
        subject: id.0,
        kind,
        public_kind: Some(kind),
        audience: Audience::Everyone,
        actor: actor.map(str::to_owned),
    }
}

/// A meeting as it was locked and as it is to be.
pub(in crate::app) struct Changed {
    pub(in crate::app) before: meeting::Model,
    pub(in crate::app) meeting: meeting::Model,
}

/// The proof that a viewer could do `A` with a meeting, by a read without a lock. Only its holder begins a transaction.
pub(in crate::app) struct MeetingPermit<'v, A> {
    /// The meeting as it was read.
    pub(in crate::app) meeting: meeting::Model,
    viewer: &'v Viewer,
    action: PhantomData<A>,
}

impl App {
    /// Authorises an act on a meeting without a transaction, so that whoever may not do it costs one read and waits for nobody.
    pub(in crate::app) async fn permit_meeting<'v, A: Action>(
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

    /// Begins a transaction and locks the meeting of a permit.
    pub(in crate::app) async fn begin_on<'v, A: Action>(
        &self,
        permit: &MeetingPermit<'v, A>,
    ) -> Result<(Tx, meeting::Model, Allowed<'v, A>), CommandError> {
        let tx = self.store.begin().await?;
        let (meeting, allowed) = self.lock(&tx, permit).await?;
        Ok((tx, meeting, allowed))
    }

    /// Locks the meeting of a permit and authorises the act again: it may have changed since.
    pub(in crate::app) async fn lock<'v, A: Action>(
        &self,
        tx: &Tx,
        permit: &MeetingPermit<'v, A>,
    ) -> Result<(meeting::Model, Allowed<'v, A>), CommandError> {
        self.remember_staff(tx, permit.viewer, &self.host_scope_of(&permit.meeting)?).await?;
        let meeting = tx.lock_meeting(permit.meeting.id).await?.ok_or(Rejection::NotFound { field: "meetingId" })?;
        let allowed = authorize::<A>(permit.viewer, &self.host_scope_of(&meeting)?)?;
        Ok((meeting, allowed))
    }

    /// Saves a changed meeting with its event, and commits.
    pub(in crate::app) async fn save(
        &self,
        mut tx: Tx,
        Changed { before, mut meeting }: Changed,
        kind: EventKind,
        actor: &str,
    ) -> Result<meeting::Model, StoreError> {
        meeting.version += 1;
        tx.save_meeting(&before, &meeting).await?;
        let event = life_event(meeting.id, kind, Some(actor));
        tx.record(FeedName::Meetings, self.now(), &[event]).await?;
        self.commit(tx).await?;
        Ok(meeting)
    }
}

/// Checks the version that the caller read, then the phase. Gives whether anything is left to be done.
pub(in crate::app) fn step(meeting: &meeting::Model, version: Option<i32>, step: Step) -> Result<bool, CommandError> {
    if version.is_some_and(|version| version != meeting.version) {
        return Err(Rejection::Stale { current: meeting.version }.into());
    }
    Ok(allows(meeting.phase, step)?)
}
