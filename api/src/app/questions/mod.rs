//! Live questions: posted, voted for, moderated, answered.

mod changes;
mod import;
mod mark;
mod merge;
mod moderate;
mod mute;
mod post;
pub(in crate::app) mod post_batcher;
mod posting_context;
mod select;
mod votes;
mod withdraw;

pub(crate) use import::DELETION_RETENTION;
pub use import::{ImportComments, Imported, ImportedComment};
pub use moderate::{Moderate, Moderation};
pub use post::{PostComment, PostOptions};

use std::{
    collections::{HashMap, hash_map::Entry},
    marker::PhantomData,
};

use chrono::{DateTime, Utc};
use entities::{
    comment,
    enums::{CommentState, MeetingPhase},
    ids::{CommentId, MeetingId},
    meeting,
};

use crate::{
    app::{App, CommandError, HostScope, Rejection, parse_code},
    domain::{
        comment::{WrongState, can_moderate, event_kinds},
        feed::{Audience, FeedName, NewEvent},
        policy::{self, Action, Allowed, authorize},
        viewer::Viewer,
    },
    store::{Store, StoreError, Tx, comments::Hosted},
};

impl WrongState {
    /// The rejection of the act.
    const fn rejection(self) -> Rejection {
        Rejection::WrongState { state: self.0 }
    }
}

impl From<WrongState> for CommandError {
    fn from(wrong: WrongState) -> Self {
        wrong.rejection().into()
    }
}

/// The event of a comment that has changed from one state to another, or anew.
fn change_event(id: CommentId, before: Option<CommentState>, after: CommentState, actor: Option<&str>) -> NewEvent {
    let (kind, public_kind) = event_kinds(before, after);
    NewEvent { subject: id.0, kind, public_kind, audience: Audience::Everyone, actor: actor.map(str::to_owned) }
}

/// The rejection of an act that only a live meeting allows.
fn not_live(meeting: &meeting::Model) -> Option<Rejection> {
    not_live_in(meeting.phase, meeting.planned_start)
}

fn not_live_in(phase: MeetingPhase, planned_start: DateTime<Utc>) -> Option<Rejection> {
    match phase {
        MeetingPhase::Live => None,
        MeetingPhase::Planned | MeetingPhase::Announced => Some(Rejection::NotLive { opens_at: Some(planned_start) }),
        MeetingPhase::Ended | MeetingPhase::Closed | MeetingPhase::Cancelled | MeetingPhase::Unknown => {
            Some(Rejection::NotLive { opens_at: None })
        }
    }
}

/// The proof that a viewer could do `A` with a comment that they see, by a read without a lock. Only its holder begins a
/// transaction.
struct CommentPermit<'v, A> {
    /// The comment as it was read.
    comment: comment::Model,
    host: HostScope,
    viewer: &'v Viewer,
    field: &'static str,
    action: PhantomData<A>,
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
                    let host = self.host_scope(parse_code(new.key())?);
                    new.insert(policy::comment_scope(viewer, &host))
                }
            };
            if scope.allows(comment.state, comment.author_key.as_deref()) {
                visible.push(comment);
            }
        }
        Ok(visible)
    }

    /// Authorises an act on a comment without a transaction. What the viewer may not see is not there.
    async fn permit_comment<'v, A: Action>(
        &self,
        viewer: &'v Viewer,
        id: CommentId,
    ) -> Result<CommentPermit<'v, A>, CommandError> {
        self.permit_named(viewer, id, "commentId").await
    }

    /// The same for a comment that another part of the input names.
    async fn permit_named<'v, A: Action>(
        &self,
        viewer: &'v Viewer,
        id: CommentId,
        field: &'static str,
    ) -> Result<CommentPermit<'v, A>, CommandError> {
        if viewer.person().is_none() {
            return Err(CommandError::Unauthenticated);
        }
        let found = self.store.hosted_comments(&[id]).await?.pop();
        let Hosted { comment, host_code } = found.ok_or(Rejection::NotFound { field })?;
        let host = self.host_scope(parse_code(&host_code)?);
        self.check_comment::<A>(viewer, &host, &comment, field)?;
        Ok(CommentPermit { comment, host, viewer, field, action: PhantomData })
    }

    /// Begins a transaction, locks the meeting of a permit's comment, reads the comment as it stands and authorises again.
    async fn begin_on_comment<'v, A: Action>(
        &self,
        permit: &CommentPermit<'v, A>,
    ) -> Result<(Tx, Locked<'v, A>), CommandError> {
        let CommentPermit { comment, host, viewer, field, .. } = permit;
        let missing = || Rejection::NotFound { field };
        let tx = self.store.begin().await?;
        self.remember_staff(&tx, viewer, host).await?;
        let meeting = tx.lock_meeting(comment.meeting_id).await?.ok_or_else(missing)?;
        let comment = tx.comments_by_id(&[comment.id]).await?.pop().ok_or_else(missing)?;
        let allowed = self.check_comment::<A>(viewer, &self.host_scope_of(&meeting)?, &comment, field)?;
        Ok((tx, Locked { meeting, comment, allowed }))
    }

    fn check_comment<'v, A: Action>(
        &self,
        viewer: &'v Viewer,
        host: &HostScope,
        comment: &comment::Model,
        field: &'static str,
    ) -> Result<Allowed<'v, A>, CommandError> {
        let scope = policy::comment_scope(viewer, host);
        if !scope.allows(comment.state, comment.author_key.as_deref()) {
            return Err(Rejection::NotFound { field }.into());
        }
        Ok(authorize::<A>(viewer, host)?)
    }

    /// Records the events of written changes of one meeting's comments, and commits.
    async fn finish(
        &self,
        mut tx: Tx,
        meeting: MeetingId,
        events: &[NewEvent],
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        tx.record(FeedName::Comments(meeting), now, events).await?;
        self.commit(tx).await
    }
}

/// Refuses moderation where the meeting's phase does not allow it.
fn moderated(meeting: &meeting::Model) -> Result<(), Rejection> {
    if can_moderate(meeting.phase) { Ok(()) } else { Err(Rejection::WrongPhase { phase: meeting.phase }) }
}
