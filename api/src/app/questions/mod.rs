//! Live questions: posted, voted for, moderated, answered.

mod import;
pub(in crate::app) mod lines;
mod mark;
mod merge;
mod moderate;
mod mute;
mod part;
mod post;
mod select;
mod votes;
mod withdraw;

pub(crate) use import::DELETIONS_LAST;
pub use import::{ImportComments, Imported, ImportedComment};
pub use moderate::{Moderate, Moderation};
pub use post::{PostComment, Sent};

use std::collections::{HashMap, hash_map::Entry};

use chrono::{DateTime, Utc};
use entities::{
    comment,
    enums::{CommentState, MeetingPhase},
    ids::CommentId,
    meeting,
};

use crate::{
    app::{ActError, App, Refused, code_of},
    domain::{
        comment::{WrongState, can_moderate, event_kinds},
        feed::{Audience, FeedName, NewEvent},
        policy::{self, Action, Allowed, authorize},
        viewer::Viewer,
    },
    store::{Store, StoreError, Tx, comments::Hosted},
};

impl WrongState {
    /// The refusal of the act.
    const fn refused(self) -> Refused {
        Refused::WrongState { state: self.0 }
    }
}

impl From<WrongState> for ActError {
    fn from(wrong: WrongState) -> Self {
        wrong.refused().into()
    }
}

/// The event of a comment that has changed from one state to another, or anew.
fn change_event(id: CommentId, before: Option<CommentState>, after: CommentState, actor: Option<&str>) -> NewEvent {
    let (kind, public_kind) = event_kinds(before, after);
    NewEvent { subject: id.0, kind, public_kind, audience: Audience::Everyone, actor: actor.map(str::to_owned) }
}

/// The refusal of an act that only a live meeting allows.
fn not_live(meeting: &meeting::Model) -> Option<Refused> {
    match meeting.phase {
        MeetingPhase::Live => None,
        MeetingPhase::Planned | MeetingPhase::Announced => {
            Some(Refused::NotLive { opens_at: Some(meeting.planned_start) })
        }
        MeetingPhase::Ended | MeetingPhase::Closed | MeetingPhase::Cancelled | MeetingPhase::Unknown => {
            Some(Refused::NotLive { opens_at: None })
        }
    }
}

/// A comment and its meeting, locked for an act.
struct Locked<'v, A> {
    meeting: meeting::Model,
    comment: comment::Model,
    allowed: Allowed<'v, A>,
}

impl App {
    /// The comments with these ids that the viewer may see, read from `store`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn visible_comments(
        &self,
        store: &Store,
        viewer: &Viewer,
        ids: &[CommentId],
    ) -> Result<Vec<comment::Model>, StoreError> {
        let rows = store.hosted_comments(ids).await?;
        let mut scopes = HashMap::new();
        let mut visible = Vec::with_capacity(rows.len());
        for Hosted { comment, host_code } in rows {
            let scope = match scopes.entry(host_code) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => {
                    let host = self.host(code_of(new.key())?);
                    new.insert(policy::comment_scope(viewer, &host.scope()))
                }
            };
            if scope.allows(comment.state, comment.author_key.as_deref()) {
                visible.push(comment);
            }
        }
        Ok(visible)
    }

    /// Locks the meeting of a comment, then reads the comment as it stands. What the viewer may not see is not there.
    async fn lock_comment<'v, A: Action>(
        &self,
        tx: &Tx,
        viewer: &'v Viewer,
        id: CommentId,
    ) -> Result<Locked<'v, A>, ActError> {
        self.lock_named(tx, viewer, id, "commentId").await
    }

    /// The same for a comment that another part of the input names.
    async fn lock_named<'v, A: Action>(
        &self,
        tx: &Tx,
        viewer: &'v Viewer,
        id: CommentId,
        field: &'static str,
    ) -> Result<Locked<'v, A>, ActError> {
        if viewer.person().is_none() {
            return Err(ActError::Unauthenticated);
        }
        let missing = || Refused::NotFound { field };
        let found = tx.comments_by_id(&[id]).await?.pop().ok_or_else(missing)?;
        let meeting = tx.lock_meeting(found.meeting_id).await?.ok_or_else(missing)?;
        let comment = tx.comments_by_id(&[id]).await?.pop().ok_or_else(missing)?;
        let host = self.host_of(&meeting)?;
        let scope = policy::comment_scope(viewer, &host.scope());
        if !scope.allows(comment.state, comment.author_key.as_deref()) {
            return Err(missing().into());
        }
        let allowed = authorize::<A>(viewer, &host.scope())?;
        Ok(Locked { meeting, comment, allowed })
    }

    /// Saves changed comments of one meeting with their events, and commits.
    async fn save_comments(
        &self,
        mut tx: Tx,
        rows: &[comment::Model],
        events: &[NewEvent],
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let Some(meeting) = rows.first().map(|row| row.meeting_id) else { return Ok(()) };
        for row in rows {
            tx.save_comment(row.clone()).await?;
        }
        tx.record(FeedName::Comments(meeting), now, events).await?;
        self.commit(tx).await
    }
}

/// Refuses moderation where the meeting's phase does not allow it.
fn moderated(meeting: &meeting::Model) -> Result<(), Refused> {
    if can_moderate(meeting.phase) { Ok(()) } else { Err(Refused::WrongPhase { phase: meeting.phase }) }
}
