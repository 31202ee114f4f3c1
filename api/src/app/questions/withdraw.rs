//! Withdraws a comment by its author.

use entities::{comment, ids::CommentId};

use crate::{
    app::{
        App, CommandError,
        questions::{check_moderation_open, comment_changes::CommentChanges},
    },
    domain::{
        comment::withdraw,
        policy::{self, author_key},
        viewer::Viewer,
    },
};

impl App {
    /// Withdraws the viewer's own comment.
    ///
    /// Comments of others that were merged into it are unmerged, and its merge target loses its votes.
    ///
    /// # Errors
    /// Rejected when the comment was answered, rejected or hidden.
    pub async fn withdraw_comment(&self, viewer: &Viewer, id: CommentId) -> Result<comment::Model, CommandError> {
        let now = self.now();
        let permit = self.permit_comment::<policy::PostComment>(viewer, id).await?;
        // Safe without a lock: the author of a comment never changes.
        if permit.comment.author_key != author_key(viewer) {
            return Err(CommandError::Forbidden);
        }
        let (tx, locked) = self.begin_with_comment(&permit).await?;
        check_moderation_open(&locked.meeting)?;
        let (comment, meeting) = (locked.comment, locked.meeting.id);
        let before = comment.state;
        let Some(next) = withdraw(before)? else { return Ok(comment) };
        let mut changes = CommentChanges::new(Some(&locked.allowed.person.subject));
        changes.load(tx.merged_comments(&[id]).await?);
        if let Some(into) = comment.merged_into {
            changes.load(tx.comments_by_id(&[into]).await?);
        }
        changes.load([comment.clone()]);
        changes.update(comment::Model { state: next, ..comment.clone() });
        changes.unmerge_all(&comment, before);
        let recorded = changes.write(&tx).await?;
        let withdrawn = changes.get(id).cloned().unwrap_or(comment);
        self.record_and_commit(tx, meeting, recorded, now).await?;
        Ok(withdrawn)
    }
}
