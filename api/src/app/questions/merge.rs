//! Merges comments that ask the same.

use std::collections::HashMap;

use entities::{comment, ids::CommentId};

use crate::{
    app::{
        App, CommandError, Rejection,
        questions::{check_moderation_open, comment_changes::CommentChanges},
        rejection::Invalid,
    },
    domain::{
        comment::check_merge_target,
        policy::{self, moderating_unit},
        viewer::Viewer,
    },
};

/// Comments in one merge.
const MAX_COMMENTS: usize = 100;

impl App {
    /// Merges comments into one that asks the same.
    ///
    /// Their votes count for the target, once for each person and never for its author. Their authors see the answer
    /// through `mergedInto`.
    ///
    /// # Errors
    /// Rejected as a whole when one of the comments cannot be merged.
    pub async fn merge_comments(
        &self,
        viewer: &Viewer,
        into: CommentId,
        ids: &[CommentId],
    ) -> Result<comment::Model, CommandError> {
        let now = self.now();
        let permit = self.permit_comment_in::<policy::ModerateComments>(viewer, into, "into").await?;
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
        let (tx, locked) = self.begin_with_comment(&permit).await?;
        check_moderation_open(&locked.meeting)?;
        let target = locked.comment;
        check_merge_target(target.state)?;
        let found = tx.comments_by_id(ids).await?.into_iter();
        let here = found.filter(|row| row.meeting_id == locked.meeting.id);
        let mut here: HashMap<_, _> = here.map(|row| (row.id, row)).collect();
        if let Some(index) = ids.iter().position(|id| !here.contains_key(id)) {
            // Releases the connection first, because the next read takes another.
            drop(tx);
            let elsewhere: Vec<CommentId> = ids.iter().copied().filter(|id| !here.contains_key(id)).collect();
            // Tells only viewers who may see the comment that it belongs to another meeting.
            let seen = self.visible_comments(&self.store, viewer, &elsewhere).await?;
            let all_seen = elsewhere.iter().all(|id| seen.iter().any(|row| row.id == *id));
            let hidden = Rejection::NotFound { field: "commentIds" };
            return Err(if all_seen { invalid(Invalid::OtherMeeting) } else { hidden }
                .at_index("commentIds", index)
                .into());
        }
        let decided_by = moderating_unit(viewer, &permit.host).map(|unit| unit.to_string());
        let mut changes = CommentChanges::new(Some(&locked.allowed.person.subject));
        changes.load(here.values().cloned());
        changes.load(tx.merged_comments(ids).await?);
        changes.load([target.clone()]);
        for (index, id) in ids.iter().enumerate() {
            // Skips repeated ids.
            let Some(row) = here.remove(id) else { continue };
            let row = comment::Model { decided_by: decided_by.clone(), ..row };
            changes.merge(row, into).map_err(|wrong| wrong.rejection().at_index("commentIds", index))?;
        }
        if changes.is_empty() {
            return Ok(target);
        }
        changes.recount(into);
        changes.notify(into);
        // Includes withdrawn comments, whose authors still see the answer.
        tx.repoint_merged(ids, into).await?;
        let recorded = changes.write(&tx).await?;
        let merged = changes.get(into).cloned().unwrap_or(target);
        self.record_and_commit(tx, locked.meeting.id, recorded, now).await?;
        Ok(merged)
    }
}
