//! Votes for comments. A comment's vote count is published at most once a second.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use entities::{
    comment,
    ids::{CommentId, MeetingId},
};

use crate::{
    app::{App, CommandError, Rejection, isolation::run_isolated, questions::not_live_rejection, rejection::Invalid},
    domain::{
        comment::{is_public, vote},
        comment_events::{VOTES, comment_feed},
        feed::{Audience, FilterValues, NewEvent},
        policy::{self, author_key},
        viewer::Viewer,
    },
    store::{
        comment_changes::CommentChange,
        job_leases::{JobError, Lease},
    },
};

/// Minimum time between two vote events of a comment.
const VOTE_EVENT_INTERVAL: TimeDelta = TimeDelta::seconds(1);
/// Counts that one run of the job publishes.
const BATCH: u64 = 500;

impl App {
    /// Casts or retracts a vote. Repeating either changes nothing.
    ///
    /// # Errors
    /// Rejected when the meeting is not live, or the comment is not published or selected.
    pub async fn vote_comment(&self, viewer: &Viewer, id: CommentId, up: bool) -> Result<comment::Model, CommandError> {
        let now = self.now();
        let subject = viewer.subject().ok_or(CommandError::Unauthenticated)?;
        let permit = self.permit_comment::<policy::PostComment>(viewer, id).await?;
        let (mut tx, locked) = self.begin_with_comment(&permit).await?;
        if let Some(rejection) = not_live_rejection(&locked.meeting) {
            return Err(rejection.into());
        }
        let before = locked.comment;
        let mut comment = before.clone();
        vote(comment.state)?;
        if comment.author_key == author_key(viewer) {
            return Err(Rejection::Invalid { field: "commentId", why: Invalid::OwnComment }.into());
        }
        let new = if up { tx.cast_vote(id, subject, now).await? } else { tx.retract_vote(id, subject).await? };
        if !new {
            return Ok(comment);
        }
        comment.votes += if up { 1 } else { -1 };
        if is_due(&comment, now) {
            comment.votes_shown_at = Some(now);
            comment.votes_unshown = false;
            tx.record(comment_feed(comment.meeting_id), now, &[votes_event(&comment)]).await?;
        } else {
            comment.votes_unshown = true;
        }
        tx.change_comment(&before, &comment).await?;
        self.commit(tx).await?;
        Ok(comment)
    }

    /// Publishes changed vote counts as events, once however many replicas run it.
    ///
    /// # Errors
    /// When the lease is lost or the database fails.
    pub async fn publish_vote_counts(&self, lease: &Lease) -> Result<(), JobError> {
        let now = self.now();
        let mut seen: BTreeMap<MeetingId, Vec<CommentId>> = BTreeMap::new();
        for row in self.store.unpublished_votes(now - VOTE_EVENT_INTERVAL, BATCH).await? {
            seen.entry(row.meeting_id).or_default().push(row.id);
        }
        for (meeting, ids) in seen {
            run_isolated("votes", meeting.0, self.publish_counts(lease, meeting, &ids, now)).await?;
        }
        Ok(())
    }

    async fn publish_counts(
        &self,
        lease: &Lease,
        meeting: MeetingId,
        ids: &[CommentId],
        now: DateTime<Utc>,
    ) -> Result<(), JobError> {
        let mut tx = self.store.begin_fenced(lease).await?;
        tx.lock_meeting(meeting).await?;
        let mut rows = tx.comments_by_id(ids).await?;
        rows.retain(|row| row.votes_unshown && is_due(row, now));
        if rows.is_empty() {
            return Ok(());
        }
        rows.sort_unstable_by_key(|row| row.posted_seq);
        let shown = |row: &comment::Model| CommentChange {
            before: row.clone(),
            after: comment::Model { votes_unshown: false, votes_shown_at: Some(now), ..row.clone() },
        };
        tx.change_comments(&rows.iter().map(shown).collect::<Vec<_>>()).await?;
        let events: Vec<NewEvent> = rows.iter().map(votes_event).collect();
        tx.record(comment_feed(meeting), now, &events).await?;
        Ok(self.commit(tx).await?)
    }
}

fn is_due(comment: &comment::Model, now: DateTime<Utc>) -> bool {
    comment.votes_shown_at.is_none_or(|shown| shown + VOTE_EVENT_INTERVAL <= now)
}

fn votes_event(comment: &comment::Model) -> NewEvent {
    let public_kind = is_public(comment.state).then_some(VOTES);
    // Votes are secret, so the event names no actor.
    NewEvent {
        subject: comment.id.0,
        kind: VOTES,
        public_kind,
        audience: Audience::Everyone,
        actor: None,
        filter_values: FilterValues::default(),
    }
}
