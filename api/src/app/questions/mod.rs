//! Commands on comments: post, vote, moderate, answer.

mod answer;
pub(in crate::app) mod blocked_words_cache;
mod comment_changes;
mod feed;
mod import;
mod label;
mod merge;
mod moderate;
mod mute;
mod pending_post;
mod post;
mod posting_context;
mod select;
mod votes;
mod withdraw;

pub use feed::{CommentFilter, CommentTopic};
pub(crate) use import::DELETION_RETENTION;
pub use import::{ImportComments, ImportSummary, ImportedComment};
pub use moderate::{Moderate, Moderation};
pub(in crate::app) use pending_post::PendingPost;
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
    app::{App, CommandError, HostScope, Rejection, parse_code, rejection::BlockingState},
    domain::{
        comment::{WrongState, can_moderate},
        comment_events::{comment_feed, event_kinds},
        feed::{Audience, FeedName, FilterValues, NewEvent},
        meeting::WrongPhase,
        policy::{self, Allowed, HostAction, authorize},
        viewer::Viewer,
    },
    store::{Store, StoreError, Tx, comments::CommentWithHost},
};

impl WrongState {
    /// Returns the rejection of a command.
    const fn rejection(self) -> Rejection {
        Rejection::WrongState(BlockingState { object: "comment", aspect: "state", state: self.0.as_str() })
    }
}

impl From<WrongState> for CommandError {
    fn from(wrong: WrongState) -> Self {
        wrong.rejection().into()
    }
}

/// Returns the event of a comment's state change. `before` is `None` for a new comment.
fn change_event(id: CommentId, before: Option<CommentState>, after: CommentState, actor: Option<&str>) -> NewEvent {
    let (kind, public_kind) = event_kinds(before, after);
    NewEvent {
        subject: id.0,
        kind,
        public_kind,
        audience: Audience::Everyone,
        actor: actor.map(str::to_owned),
        filter_values: FilterValues::default(),
    }
}

/// Events of changed comments, and notifications of their authors.
#[derive(Default)]
struct EventsToRecord {
    events: Vec<NewEvent>,
    notifications: Vec<(FeedName, NewEvent)>,
}

/// Returns the rejection of a command that needs a live meeting.
fn not_live_rejection(meeting: &meeting::Model) -> Option<Rejection> {
    not_live_rejection_in(meeting.phase, meeting.planned_start)
}

fn not_live_rejection_in(phase: MeetingPhase, planned_start: DateTime<Utc>) -> Option<Rejection> {
    match phase {
        MeetingPhase::Live => None,
        MeetingPhase::Planned | MeetingPhase::Announced => Some(Rejection::NotLive { opens_at: Some(planned_start) }),
        MeetingPhase::Ended | MeetingPhase::Closed | MeetingPhase::Cancelled | MeetingPhase::Unknown => {
            Some(Rejection::NotLive { opens_at: None })
        }
    }
}

/// Proof that a viewer may do `A` with a comment that they see, from a read without a lock.
///
/// Transactions on a comment can only be started with a permit.
struct CommentPermit<'v, A> {
    /// The comment as read.
    comment: comment::Model,
    host: HostScope,
    viewer: &'v Viewer,
    field: &'static str,
    action: PhantomData<A>,
}

/// A comment and its meeting, locked for a command.
struct LockedComment<'v, A> {
    meeting: meeting::Model,
    comment: comment::Model,
    allowed: Allowed<'v, A>,
}

impl App {
    /// Returns those of the comments that the viewer may see, read from `store`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn visible_comments(
        &self,
        store: &Store,
        viewer: &Viewer,
        ids: &[CommentId],
    ) -> Result<Vec<comment::Model>, StoreError> {
        let rows = store.comments_with_host(ids).await?;
        let mut scopes = HashMap::new();
        let mut visible = Vec::with_capacity(rows.len());
        for CommentWithHost { comment, host_code } in rows {
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

    /// Authorises a command on a comment before the transaction starts. Invisible comments are not found.
    async fn permit_comment<'v, A: HostAction>(
        &self,
        viewer: &'v Viewer,
        id: CommentId,
    ) -> Result<CommentPermit<'v, A>, CommandError> {
        self.permit_comment_in(viewer, id, "commentId").await
    }

    /// Authorises a command on the comment in the input field `field`.
    async fn permit_comment_in<'v, A: HostAction>(
        &self,
        viewer: &'v Viewer,
        id: CommentId,
        field: &'static str,
    ) -> Result<CommentPermit<'v, A>, CommandError> {
        if viewer.person().is_none() {
            return Err(CommandError::Unauthenticated);
        }
        let found = self.store.comments_with_host(&[id]).await?.pop();
        let CommentWithHost { comment, host_code } = found.ok_or(Rejection::NotFound { field })?;
        let host = self.host_scope(parse_code(&host_code)?);
        self.check_comment::<A>(viewer, &host, &comment, field)?;
        Ok(CommentPermit { comment, host, viewer, field, action: PhantomData })
    }

    /// Starts a transaction, locks the meeting of the permit's comment, rereads the comment and authorises again.
    async fn begin_with_comment<'v, A: HostAction>(
        &self,
        permit: &CommentPermit<'v, A>,
    ) -> Result<(Tx, LockedComment<'v, A>), CommandError> {
        let CommentPermit { comment, host, viewer, field, .. } = permit;
        let missing = || Rejection::NotFound { field };
        let tx = self.store.begin().await?;
        self.remember_staff(&tx, viewer, host).await?;
        let meeting = tx.lock_meeting(comment.meeting_id).await?.ok_or_else(missing)?;
        let comment = tx.comments_by_id(&[comment.id]).await?.pop().ok_or_else(missing)?;
        let allowed = self.check_comment::<A>(viewer, &self.host_scope_of(&meeting)?, &comment, field)?;
        Ok((tx, LockedComment { meeting, comment, allowed }))
    }

    fn check_comment<'v, A: HostAction>(
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

    /// Records the events of changed comments, and commits.
    async fn record_and_commit(
        &self,
        mut tx: Tx,
        meeting: MeetingId,
        EventsToRecord { events, notifications }: EventsToRecord,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        tx.record(comment_feed(meeting), now, &events).await?;
        tx.record_each(now, notifications).await?;
        self.commit(tx).await
    }
}

/// Checks that the meeting's phase allows moderation.
fn check_moderation_open(meeting: &meeting::Model) -> Result<(), Rejection> {
    if can_moderate(meeting.phase) { Ok(()) } else { Err(WrongPhase(meeting.phase).rejection()) }
}
