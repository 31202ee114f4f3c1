//! Joining comments that ask the same.

use std::collections::HashMap;

use entities::{comment, ids::CommentId};

use crate::{
    app::{
        App, CommandError, Rejection,
        questions::{changes::Changes, moderated},
        rejection::Invalid,
    },
    domain::{comment::check_merge_target, policy, viewer::Viewer},
};

/// How many comments can be joined at once.
const MAX_COMMENTS: usize = 100;

impl App {
    /// Joins comments to one that asks the same. Their votes count for it, each person's once and its author's not; their authors
    /// see its answer through `mergedInto`.
    ///
    /// # Errors
    /// Rejected as a whole when one of the comments does not allow it.
    pub async fn merge_comments(
        &self,
        viewer: &Viewer,
        into: CommentId,
        ids: &[CommentId],
    ) -> Result<comment::Model, CommandError> {
        let now = self.now();
        let permit = self.permit_named::<policy::ModerateComments>(viewer, into, "into").await?;
        let invalid = |why| Rejection::Invalid { field: "commentIds", why };
        if ids.is_empty() {
            return Err(invalid(Invalid::Empty).into());
        }
        if ids.len() > MAX_COMMENTS {
            return Err(invalid(Invalid::TooMany { max: MAX_COMMENTS }).into());
        }
        if ids.contains(&into) {
            return Err(invalid(Invalid::IntoItself).into());
        }
        let (tx, locked) = self.begin_on_comment(&permit).await?;
        moderated(&locked.meeting)?;
        let target = locked.comment;
        check_merge_target(target.state)?;
        let found = tx.comments_by_id(ids).await?.into_iter();
        let here = found.filter(|row| row.meeting_id == locked.meeting.id);
        let mut here: HashMap<_, _> = here.map(|row| (row.id, row)).collect();
        if let Some(index) = ids.iter().position(|id| !here.contains_key(id)) {
            // Not with a transaction in hand: this reads with a connection of its own.
            drop(tx);
            let elsewhere: Vec<CommentId> = ids.iter().copied().filter(|id| !here.contains_key(id)).collect();
            // Of what lies elsewhere only those hear who may see it.
            let seen = self.visible_comments(&self.store, viewer, &elsewhere).await?;
            let all_seen = elsewhere.iter().all(|id| seen.iter().any(|row| row.id == *id));
            let hidden = Rejection::NotFound { field: "commentIds" };
            return Err(if all_seen { invalid(Invalid::OtherMeeting) } else { hidden }
                .at_index("commentIds", index)
                .into());
        }
        let mut changes = Changes::by(Some(&locked.allowed.person.subject));
        changes.read(here.values().cloned());
        changes.read(tx.joined_to(ids).await?);
        changes.read([target.clone()]);
        for (index, id) in ids.iter().enumerate() {
            // One that is named twice is joined once.
            let Some(row) = here.remove(id) else { continue };
            changes.join(row, into).map_err(|wrong| wrong.rejection().at_index("commentIds", index))?;
        }
        if changes.is_empty() {
            return Ok(target);
        }
        changes.recount(into);
        changes.touch(into);
        // Also what its author has taken back: they still see the answer.
        tx.repoint_merged(ids, into).await?;
        let events = changes.write(&tx).await?;
        let merged = changes.get(into).cloned().unwrap_or(target);
        self.finish(tx, locked.meeting.id, &events, now).await?;
        Ok(merged)
    }
}
