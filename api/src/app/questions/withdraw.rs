//! Taking one's own comment back.

use entities::{comment, ids::CommentId};

use crate::{
    app::{
        ActError, App,
        questions::{change_event, moderated},
    },
    domain::{
        comment::withdraw,
        policy::{self, author_key},
        viewer::Viewer,
    },
};

impl App {
    /// Takes a comment back; only its author can.
    ///
    /// # Errors
    /// Refused when the comment has been answered or taken down.
    pub async fn withdraw_comment(&self, viewer: &Viewer, id: CommentId) -> Result<comment::Model, ActError> {
        let now = self.now();
        let tx = self.store.begin().await?;
        let locked = self.lock_comment::<policy::PostComment>(&tx, viewer, id).await?;
        if locked.comment.author_key != author_key(viewer) {
            return Err(ActError::Forbidden);
        }
        moderated(&locked.meeting)?;
        let mut comment = locked.comment;
        let Some(next) = withdraw(comment.state)? else { return Ok(comment) };
        let event = change_event(id, Some(comment.state), next, Some(&locked.allowed.person.subject));
        comment.state = next;
        self.save_comments(tx, std::slice::from_ref(&comment), &[event], now).await?;
        Ok(comment)
    }
}
