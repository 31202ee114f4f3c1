//! Taking a comment to be answered, and answering it.

use entities::{
    comment,
    enums::{CommentState, MeetingPhase},
    ids::CommentId,
};

use crate::{
    app::{
        App, CommandError, Rejection,
        input::text_rejection,
        questions::{change_event, moderated},
    },
    domain::{
        comment::{MAX_ANSWER_LENGTH, answer, select},
        policy,
        text::multi_line,
        viewer::Viewer,
    },
};

impl App {
    /// Takes a public comment to be answered now. The one that was being answered goes back among the others.
    ///
    /// # Errors
    /// Rejected when the meeting is not live or the comment is not waiting in public.
    pub async fn select_comment(&self, viewer: &Viewer, id: CommentId) -> Result<comment::Model, CommandError> {
        let now = self.now();
        let permit = self.permit_comment::<policy::ModerateComments>(viewer, id).await?;
        let (tx, locked) = self.begin_on_comment(&permit).await?;
        if locked.meeting.phase != MeetingPhase::Live {
            return Err(Rejection::WrongPhase { phase: locked.meeting.phase }.into());
        }
        let before = locked.comment;
        let Some(next) = select(before.state)? else { return Ok(before) };
        let actor = Some(locked.allowed.person.subject.as_str());
        let mut events = Vec::new();
        // The earlier one first: at no instant may two be selected.
        if let Some(earlier) = tx.selected_comment(locked.meeting.id).await? {
            events.push(change_event(earlier.id, Some(earlier.state), CommentState::Published, actor));
            let back = comment::Model { state: CommentState::Published, ..earlier.clone() };
            tx.change_comment(&earlier, &back).await?;
        }
        events.push(change_event(id, Some(before.state), next, actor));
        let comment = comment::Model { state: next, selected_at: Some(now), ..before.clone() };
        tx.change_comment(&before, &comment).await?;
        self.finish(tx, comment.meeting_id, &events, now).await?;
        Ok(comment)
    }

    /// Marks a comment as answered, with the answer in writing where there is one.
    ///
    /// # Errors
    /// Rejected when the comment is not public.
    pub async fn answer_comment(
        &self,
        viewer: &Viewer,
        id: CommentId,
        words: Option<&str>,
    ) -> Result<comment::Model, CommandError> {
        let now = self.now();
        let permit = self.permit_comment::<policy::ModerateComments>(viewer, id).await?;
        let words = words
            .map(|words| multi_line(words, MAX_ANSWER_LENGTH).map_err(|bad| text_rejection("answer", bad)))
            .transpose()?;
        let (tx, locked) = self.begin_on_comment(&permit).await?;
        moderated(&locked.meeting)?;
        let before = locked.comment;
        let mut comment = before.clone();
        let next = answer(comment.state)?;
        if next == comment.state && (words.is_none() || words == comment.answer) {
            return Ok(comment);
        }
        let event = change_event(id, Some(comment.state), next, Some(&locked.allowed.person.subject));
        comment.state = next;
        comment.answered_at = comment.answered_at.or(Some(now));
        comment.answer = words.or(comment.answer);
        tx.change_comment(&before, &comment).await?;
        self.finish(tx, comment.meeting_id, &[event], now).await?;
        Ok(comment)
    }
}
