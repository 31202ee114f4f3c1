//! Answers a comment.

use entities::{comment, ids::CommentId};

use crate::{
    app::{
        App, CommandError,
        input::text_rejection,
        notifications,
        questions::{EventsToRecord, change_event, check_moderation_open},
    },
    domain::{
        comment::{MAX_ANSWER_LENGTH, answer},
        policy,
        text::multi_line,
        viewer::Viewer,
    },
};

impl App {
    /// Marks a comment as answered, with a written answer if there is one.
    ///
    /// # Errors
    /// Rejected when the comment is not public.
    pub async fn answer_comment(
        &self,
        viewer: &Viewer,
        id: CommentId,
        text: Option<&str>,
    ) -> Result<comment::Model, CommandError> {
        let now = self.now();
        let permit = self.permit_comment::<policy::ModerateComments>(viewer, id).await?;
        let text = text
            .map(|text| multi_line(text, MAX_ANSWER_LENGTH).map_err(|bad| text_rejection("answer", bad)))
            .transpose()?;
        let (tx, locked) = self.begin_with_comment(&permit).await?;
        check_moderation_open(&locked.meeting)?;
        let before = locked.comment;
        let mut comment = before.clone();
        let next = answer(comment.state)?;
        if next == comment.state && (text.is_none() || text == comment.answer) {
            return Ok(comment);
        }
        let actor = Some(locked.allowed.person.subject.as_str());
        let mut recorded = EventsToRecord::default();
        recorded.events.push(change_event(id, Some(before.state), next, actor));
        recorded.notifications.extend(notifications::of_change(&before, before.state, next, actor));
        if next != before.state {
            // Authors of merged comments are told too.
            let merged = tx.merged_comments(&[id]).await?;
            recorded.notifications.extend(merged.iter().filter_map(|row| notifications::of_merged_answer(row, actor)));
        }
        comment.state = next;
        comment.answered_at = comment.answered_at.or(Some(now));
        comment.answer = text.or(comment.answer);
        tx.change_comment(&before, &comment).await?;
        self.record_and_commit(tx, comment.meeting_id, recorded, now).await?;
        Ok(comment)
    }
}
