//! Approves, rejects, hides and restores comments, all of a list or none.

use std::collections::{HashMap, HashSet};

use entities::{comment, enums::CommentState, ids::CommentId};

use crate::{
    app::{
        App, CommandError, Rejection,
        input::checked_reason,
        questions::{check_moderation_open, comment_changes::CommentChanges},
        rejection::Invalid,
    },
    domain::{
        comment::{self as rules, MAX_REASON_LENGTH},
        policy::{self, author_key, moderating_unit},
        viewer::Viewer,
    },
    store::{StoreError, Tx},
};

/// Comments in one decision.
const MAX_COMMENTS: usize = 100;

/// A moderation action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moderation {
    /// Publish a pending comment.
    Approve,
    /// Reject a pending comment, with a reason.
    Reject,
    /// Hide a public comment, with a reason.
    Hide,
    /// Restore a comment, or unmerge it from a comment that can no longer be answered.
    Restore,
}

/// A moderation decision on comments of one meeting.
#[derive(Clone, Debug)]
pub struct Moderate {
    /// The comments.
    pub comments: Vec<CommentId>,
    /// The action.
    pub action: Moderation,
    /// The reason, for rejecting and hiding.
    pub reason: Option<String>,
}

impl App {
    /// Moderates comments. Comments in the target state stay unchanged, and moderators cannot publish their own.
    ///
    /// # Errors
    /// Rejected as a whole when one of the comments does not allow it.
    pub async fn moderate_comments(
        &self,
        viewer: &Viewer,
        decision: Moderate,
    ) -> Result<Vec<comment::Model>, CommandError> {
        let now = self.now();
        viewer.person().ok_or(CommandError::Unauthenticated)?;
        if decision.comments.len() > MAX_COMMENTS {
            return Err(Rejection::Invalid { field: "commentIds", why: Invalid::TooMany { max: MAX_COMMENTS } }.into());
        }
        let Some(first) = decision.comments.first() else {
            return Err(Rejection::Invalid { field: "commentIds", why: Invalid::Empty }.into());
        };
        let permit = self.permit_comment_in::<policy::ModerateComments>(viewer, *first, "commentIds.0").await?;
        let reason = match decision.action {
            Moderation::Reject | Moderation::Hide => {
                Some(checked_reason(decision.reason.as_deref(), MAX_REASON_LENGTH)?)
            }
            Moderation::Approve | Moderation::Restore => None,
        };
        let decided_by = reason.as_ref().and_then(|_| moderating_unit(viewer, &permit.host));
        let (tx, locked) = self.begin_with_comment(&permit).await?;
        check_moderation_open(&locked.meeting)?;
        let found = tx.comments_by_id(&decision.comments).await?;
        // Loaded before any change, so that the result does not depend on the order of ids.
        let targets = merge_targets(&tx, &found).await?;
        let mut changes = CommentChanges::new(Some(&locked.allowed.person.subject));
        changes.load(found.iter().chain(targets.values()).cloned());
        let here =
            found.into_iter().filter(|row| row.meeting_id == locked.meeting.id).map(|row| (row.id, row)).collect();
        let context = DecisionContext {
            action: decision.action,
            reason,
            decided_by: decided_by.map(|unit| unit.to_string()),
            moderator_key: author_key(viewer),
            here,
            targets,
        };
        context.apply(&decision.comments, &mut changes)?;
        let recorded = changes.write(&tx).await?;
        if !recorded.events.is_empty() {
            self.record_and_commit(tx, locked.meeting.id, recorded, now).await?;
        }
        Ok(decision.comments.iter().filter_map(|id| changes.get(*id).cloned()).collect())
    }
}

/// A decision with the comments it applies to.
struct DecisionContext {
    action: Moderation,
    reason: Option<String>,
    /// Code of the unit that takes the comments down.
    decided_by: Option<String>,
    /// Author key of the moderator.
    moderator_key: Option<String>,
    here: HashMap<CommentId, comment::Model>,
    /// Merge targets of the comments.
    targets: HashMap<CommentId, comment::Model>,
}

impl DecisionContext {
    /// Applies the decision to the comments with these ids, or rejects it.
    fn apply(&self, ids: &[CommentId], changes: &mut CommentChanges<'_>) -> Result<(), Rejection> {
        let (mut changed, mut lost_votes) = (HashSet::new(), Vec::new());
        for (index, id) in ids.iter().enumerate() {
            let reject = |rejection: Rejection| rejection.at_index("commentIds", index);
            let row = self.here.get(id).ok_or_else(|| reject(Rejection::NotFound { field: "commentIds" }))?;
            let target = row.merged_into.and_then(|into| self.targets.get(&into));
            let next = next_state(self.action, row, target).map_err(|wrong| reject(wrong.rejection()))?;
            let Some(next) = next else { continue };
            if row.author_key == self.moderator_key && rules::publishes(row.state, next) {
                return Err(reject(Rejection::Invalid { field: "commentIds", why: Invalid::OwnDecision }));
            }
            if !changed.insert(*id) {
                continue;
            }
            let row = comment::Model {
                state_reason: self.reason.clone(),
                decided_by: self.decided_by.clone(),
                ..row.clone()
            };
            if row.state == CommentState::Merged {
                lost_votes.extend(row.merged_into.filter(|_| target.is_some()));
                changes.unmerge(row, next);
            } else {
                changes.update(comment::Model { state: next, ..row });
            }
        }
        for target in lost_votes {
            // The target loses votes, even if this decision restores it.
            changes.recount(target);
            if changed.insert(target) {
                changes.notify(target);
            }
        }
        Ok(())
    }
}

/// Loads the merge targets of comments.
async fn merge_targets(tx: &Tx, rows: &[comment::Model]) -> Result<HashMap<CommentId, comment::Model>, StoreError> {
    let merged = rows.iter().filter(|row| row.state == CommentState::Merged);
    let ids: Vec<CommentId> = merged.filter_map(|row| row.merged_into).collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    Ok(tx.comments_by_id(&ids).await?.into_iter().map(|row| (row.id, row)).collect())
}

/// Returns the new state, or `None` if the comment is already in it.
fn next_state(action: Moderation, row: &comment::Model, target: Option<&comment::Model>) -> rules::Transition {
    match action {
        Moderation::Approve => rules::approve(row.state),
        Moderation::Reject => rules::reject(row.state),
        Moderation::Hide => rules::hide(row.state),
        Moderation::Restore if row.state == CommentState::Merged => {
            rules::unmerge(target.map(|target| target.state), row.merged_state).map(Some)
        }
        Moderation::Restore => rules::restore(row.state, row.answered_at.is_some()),
    }
}
