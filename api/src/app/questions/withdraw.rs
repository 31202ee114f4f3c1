//! Taking one's own comment back.

use entities::{comment, enums::CommentState, ids::CommentId};

use crate::{
    app::{
        ActError, App,
        questions::{
            change_event, moderated,
            part::{left_by, part_all},
        },
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
    /// Refused when the comment has been answered or taken down.
    pub async fn withdraw_comment(&self, viewer: &Viewer, id: CommentId) -> Result<comment::Model, ActError> {
        let now = self.now();
        let permit = self.permit_comment::<policy::PostComment>(viewer, id).await?;
        // Nothing changes who has written it.
        if permit.comment.author_key != author_key(viewer) {
            return Err(ActError::Forbidden);
        }
        let (tx, locked) = self.begin_on_comment(&permit).await?;
        moderated(&locked.meeting)?;
        let mut comment = locked.comment;
        let before = comment.state;
        let Some(next) = withdraw(before)? else { return Ok(comment) };
        comment.state = next;
        let actor = Some(locked.allowed.person.subject.as_str());
        let mut events = vec![change_event(id, Some(before), next, actor)];
        for row in part_all(&tx, &mut comment, before).await? {
            events.push(change_event(row.id, Some(CommentState::Merged), row.state, actor));
        }
        tx.save_comment(comment.clone()).await?;
        let mut rows = vec![comment.clone()];
        if let Some(target) = left_by(&tx, &comment, before).await? {
            events.push(change_event(target.id, Some(target.state), target.state, actor));
            rows.push(target);
        }
        self.save_comments(tx, &rows, &events, now).await?;
        Ok(comment)
    }
}
