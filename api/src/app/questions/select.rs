//! Selects a comment to be answered now.

use entities::{
    comment,
    enums::{CommentState, MeetingPhase},
    ids::CommentId,
};

use crate::{
    app::{
        App, CommandError, notifications,
        questions::{EventsToRecord, change_event},
    },
    domain::{comment::select, meeting::WrongPhase, policy, viewer::Viewer},
};

impl App {
    /// Selects a public comment to be answered now. The comment selected before becomes published again.
    ///
    /// # Errors
    /// Rejected when the meeting is not live, or the comment is not published.
    pub async fn select_comment(&self, viewer: &Viewer, id: CommentId) -> Result<comment::Model, CommandError> {
        let now = self.now();
        let permit = self.permit_comment::<policy::ModerateComments>(viewer, id).await?;
        let (tx, locked) = self.begin_with_comment(&permit).await?;
        if locked.meeting.phase != MeetingPhase::Live {
            return Err(WrongPhase(locked.meeting.phase).into());
        }
        let before = locked.comment;
        let Some(next) = select(before.state)? else { return Ok(before) };
        let actor = Some(locked.allowed.person.subject.as_str());
        let mut recorded = EventsToRecord::default();
        // Deselected first, because at most one comment of a meeting can be selected.
        if let Some(earlier) = tx.selected_comment(locked.meeting.id).await? {
            recorded.events.push(change_event(earlier.id, Some(earlier.state), CommentState::Published, actor));
            let back = comment::Model { state: CommentState::Published, ..earlier.clone() };
            tx.change_comment(&earlier, &back).await?;
        }
        recorded.events.push(change_event(id, Some(before.state), next, actor));
        recorded.notifications.extend(notifications::of_change(&before, before.state, next, actor));
        let comment = comment::Model { state: next, selected_at: Some(now), ..before.clone() };
        tx.change_comment(&before, &comment).await?;
        self.record_and_commit(tx, comment.meeting_id, recorded, now).await?;
        Ok(comment)
    }
}
