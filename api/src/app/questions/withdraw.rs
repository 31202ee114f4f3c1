//! Taking one's own comment back.

use entities::{comment, ids::CommentId};

use crate::{
    app::{
        App, CommandError,
        questions::{changes::Changes, moderated},
    },
    domain::{
        comment::withdraw,
        policy::{self, author_key},
        viewer::Viewer,
    },
};

impl App {
    /// Takes a comment back; only its author can. What others asked and was joined to it stands by itself again, and what it was
    /// joined to itself loses the votes that were cast for it.
    ///
    /// # Errors
    /// Rejected when the comment has been answered or taken down.
    pub async fn withdraw_comment(&self, viewer: &Viewer, id: CommentId) -> Result<comment::Model, CommandError> {
        let now = self.now();
        let permit = self.permit_comment::<policy::PostComment>(viewer, id).await?;
        // Nothing changes who has written it.
        if permit.comment.author_key != author_key(viewer) {
            return Err(CommandError::Forbidden);
        }
        let (tx, locked) = self.begin_on_comment(&permit).await?;
        moderated(&locked.meeting)?;
        let (comment, meeting) = (locked.comment, locked.meeting.id);
        let before = comment.state;
        let Some(next) = withdraw(before)? else { return Ok(comment) };
        let mut changes = Changes::by(Some(&locked.allowed.person.subject));
        changes.read(tx.joined_to(&[id]).await?);
        if let Some(into) = comment.merged_into {
            changes.read(tx.comments_by_id(&[into]).await?);
        }
        changes.read([comment.clone()]);
        changes.set(comment::Model { state: next, ..comment.clone() });
        changes.part_all(&comment, before);
        let events = changes.write(&tx).await?;
        let withdrawn = changes.get(id).cloned().unwrap_or(comment);
        self.finish(tx, meeting, &events, now).await?;
        Ok(withdrawn)
    }
}
