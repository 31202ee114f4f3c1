//! Joining comments that ask the same.

use std::collections::HashMap;

use entities::{comment, enums::CommentState, ids::CommentId};

use crate::{
    app::{
        ActError, App, Refused,
        questions::{change_event, moderated},
        refused::Invalid,
    },
    domain::{
        comment::{merge, take_in},
        policy,
        viewer::Viewer,
    },
};

/// How many comments can be joined at once.
const MOST: usize = 100;

impl App {
    /// Joins comments to one that asks the same. Their votes count for it, each person's once and its author's not; their authors
    /// see its answer through `mergedInto`.
    ///
    /// # Errors
    /// Refused as a whole when one of the comments does not allow it.
    pub async fn merge_comments(
        &self,
        viewer: &Viewer,
        into: CommentId,
        ids: &[CommentId],
    ) -> Result<comment::Model, ActError> {
        let now = self.now();
        let permit = self.permit_named::<policy::ModerateComments>(viewer, into, "into").await?;
        let invalid = |why| Refused::Invalid { field: "commentIds", why };
        if ids.is_empty() {
            return Err(invalid(Invalid::Empty).into());
        }
        if ids.len() > MOST {
            return Err(invalid(Invalid::TooMany { max: MOST }).into());
        }
        if ids.contains(&into) {
            return Err(invalid(Invalid::IntoItself).into());
        }
        let (tx, locked) = self.begin_on_comment(&permit).await?;
        moderated(&locked.meeting)?;
        let mut target = locked.comment;
        take_in(target.state)?;
        let actor = Some(locked.allowed.person.subject.as_str());
        let found = tx.comments_by_id(ids).await?.into_iter();
        let here = found.filter(|row| row.meeting_id == locked.meeting.id);
        let mut here: HashMap<_, _> = here.map(|row| (row.id, row)).collect();
        let elsewhere: Vec<CommentId> = ids.iter().copied().filter(|id| !here.contains_key(id)).collect();
        if let Some(index) = ids.iter().position(|id| !here.contains_key(id)) {
            // Not with a transaction in hand: this reads with a connection of its own.
            drop(tx);
            // Of what lies elsewhere only those hear who may see it.
            let seen = self.visible_comments(&self.store, viewer, &elsewhere).await?;
            let all_seen = elsewhere.iter().all(|id| seen.iter().any(|row| row.id == *id));
            let hidden = Refused::NotFound { field: "commentIds" };
            return Err(if all_seen { invalid(Invalid::OtherMeeting) } else { hidden }.of("commentIds", index).into());
        }
        let mut events = Vec::new();
        for (index, id) in ids.iter().enumerate() {
            // One that is named twice is joined once.
            let Some(mut row) = here.remove(id) else { continue };
            if row.state == CommentState::Merged && row.merged_into == Some(into) {
                continue;
            }
            let next = merge(row.state).map_err(|wrong| wrong.refused().of("commentIds", index))?;
            events.push(change_event(row.id, Some(row.state), next, actor));
            row.merged_state = Some(row.state);
            row.state = next;
            row.merged_into = Some(into);
            // What is joined to it comes along.
            for joined in tx.joined_to(row.id).await? {
                events.push(change_event(joined.id, Some(joined.state), joined.state, actor));
            }
            tx.repoint_merged(row.id, into).await?;
            tx.save_comment(row).await?;
        }
        if events.is_empty() {
            return Ok(target);
        }
        events.push(change_event(into, Some(target.state), target.state, actor));
        target.votes = tx.joint_votes(&target).await?;
        self.save_comments(tx, std::slice::from_ref(&target), &events, now).await?;
        Ok(target)
    }
}
