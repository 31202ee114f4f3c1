//! Labels a comment.

use entities::{comment, ids::CommentId};

use crate::{
    app::{
        App, CommandError, Rejection,
        input::checked_text,
        questions::{EventsToRecord, change_event, check_moderation_open},
        rejection::Invalid,
    },
    domain::{
        comment::{MAX_LABEL_LENGTH, MAX_LABELS},
        policy,
        viewer::Viewer,
    },
    store::StoreError,
};

impl App {
    /// Sets the labels of a comment.
    ///
    /// # Errors
    /// Rejected when there are too many labels, or one breaks a rule.
    pub async fn label_comment(
        &self,
        viewer: &Viewer,
        id: CommentId,
        labels: &[String],
    ) -> Result<comment::Model, CommandError> {
        let now = self.now();
        let permit = self.permit_comment::<policy::ModerateComments>(viewer, id).await?;
        // Validated before the lock is taken, because posts wait for the lock.
        let mut kept: Vec<String> = Vec::new();
        for label in labels {
            let label = checked_text("labels", label, MAX_LABEL_LENGTH)?;
            if !kept.contains(&label) {
                kept.push(label);
            }
            if kept.len() > MAX_LABELS {
                return Err(Rejection::Invalid { field: "labels", why: Invalid::TooMany { max: MAX_LABELS } }.into());
            }
        }
        let labels = serde_json::to_string(&kept).map_err(|_| StoreError::Corrupt("list of labels"))?;
        let (tx, locked) = self.begin_with_comment(&permit).await?;
        check_moderation_open(&locked.meeting)?;
        let before = locked.comment;
        if before.labels == labels {
            return Ok(before);
        }
        let comment = comment::Model { labels, ..before.clone() };
        let event = change_event(id, Some(comment.state), comment.state, Some(&locked.allowed.person.subject));
        tx.change_comment(&before, &comment).await?;
        let recorded = EventsToRecord { events: vec![event], ..EventsToRecord::default() };
        self.record_and_commit(tx, comment.meeting_id, recorded, now).await?;
        Ok(comment)
    }
}
