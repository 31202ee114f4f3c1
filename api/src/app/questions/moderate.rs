//! Approving, rejecting, hiding and restoring comments: all of a batch, or none.

use std::collections::{HashMap, HashSet};

use entities::{comment, enums::CommentState, ids::CommentId};

use crate::{
    app::{
        App, CommandError, Rejection,
        input::checked_reason,
        questions::{changes::Changes, moderated},
        rejection::Invalid,
    },
    domain::{
        comment::{self as rules, MAX_REASON_LENGTH, approve, hide, publishes, reject, restore},
        policy::{self, author_key},
        viewer::Viewer,
    },
    store::{StoreError, Tx},
};

/// How many comments can be moderated at once.
const MAX_COMMENTS: usize = 100;

/// What a moderator decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moderation {
    /// Let it be public.
    Approve,
    /// Refuse it, with a reason.
    Reject,
    /// Take it down, with a reason.
    Hide,
    /// Bring it back: also what was joined to a comment that nobody can see any more.
    Restore,
}

/// A decision over comments of one meeting.
#[derive(Clone, Debug)]
pub struct Moderate {
    /// The comments.
    pub comments: Vec<CommentId>,
    /// The decision.
    pub action: Moderation,
    /// Why; for rejecting and hiding.
    pub reason: Option<String>,
}

impl App {
    /// Decides over comments. Those that are already so stay as they are. Nobody makes public what they have written themselves.
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
        let permit = self.permit_named::<policy::ModerateComments>(viewer, *first, "commentIds.0").await?;
        let reason = match decision.action {
            Moderation::Reject | Moderation::Hide => {
                Some(checked_reason(decision.reason.as_deref(), MAX_REASON_LENGTH)?)
            }
            Moderation::Approve | Moderation::Restore => None,
        };
        let (tx, locked) = self.begin_on_comment(&permit).await?;
        moderated(&locked.meeting)?;
        let found = tx.comments_by_id(&decision.comments).await?;
        // As they stand before the decision, so that it is the same in whatever order it names them.
        let targets = merged_into(&tx, &found).await?;
        let mut changes = Changes::by(Some(&locked.allowed.person.subject));
        changes.read(found.iter().chain(targets.values()).cloned());
        let here =
            found.into_iter().filter(|row| row.meeting_id == locked.meeting.id).map(|row| (row.id, row)).collect();
        let verdict = Verdict { action: decision.action, reason, own: author_key(viewer), here, targets };
        verdict.over(&decision.comments, &mut changes)?;
        let events = changes.write(&tx).await?;
        if !events.is_empty() {
            self.finish(tx, locked.meeting.id, &events, now).await?;
        }
        Ok(decision.comments.iter().filter_map(|id| changes.get(*id).cloned()).collect())
    }
}

/// A decision over comments as they stand.
struct Verdict {
    action: Moderation,
    reason: Option<String>,
    /// The key of whoever decides.
    own: Option<String>,
    here: HashMap<CommentId, comment::Model>,
    /// What some of them are joined to.
    targets: HashMap<CommentId, comment::Model>,
}

impl Verdict {
    /// Notes what becomes of the comments with these ids, or says which of them does not allow it.
    fn over(&self, ids: &[CommentId], changes: &mut Changes<'_>) -> Result<(), Rejection> {
        let (mut decided_on, mut left) = (HashSet::new(), Vec::new());
        for (index, id) in ids.iter().enumerate() {
            let refuse = |rejection: Rejection| rejection.at_index("commentIds", index);
            let row = self.here.get(id).ok_or_else(|| refuse(Rejection::NotFound { field: "commentIds" }))?;
            let target = row.merged_into.and_then(|into| self.targets.get(&into));
            let step = decided(self.action, row, target).map_err(|wrong| refuse(wrong.rejection()))?;
            let Some(next) = step else { continue };
            if row.author_key == self.own && publishes(row.state, next) {
                return Err(refuse(Rejection::Invalid { field: "commentIds", why: Invalid::OwnDecision }));
            }
            if !decided_on.insert(*id) {
                continue;
            }
            let row = comment::Model { state_reason: self.reason.clone(), ..row.clone() };
            if row.state == CommentState::Merged {
                left.extend(row.merged_into.filter(|_| target.is_some()));
                changes.part(row, next);
            } else {
                changes.set(comment::Model { state: next, ..row });
            }
        }
        for target in left {
            // Its votes are fewer now, also where it comes back itself.
            changes.recount(target);
            if decided_on.insert(target) {
                changes.touch(target);
            }
        }
        Ok(())
    }
}

/// What comments are joined to, as it stands.
async fn merged_into(tx: &Tx, rows: &[comment::Model]) -> Result<HashMap<CommentId, comment::Model>, StoreError> {
    let joined = rows.iter().filter(|row| row.state == CommentState::Merged);
    let ids: Vec<CommentId> = joined.filter_map(|row| row.merged_into).collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    Ok(tx.comments_by_id(&ids).await?.into_iter().map(|row| (row.id, row)).collect())
}

/// Where a decision leads; none where the comment is there already.
fn decided(action: Moderation, row: &comment::Model, target: Option<&comment::Model>) -> rules::Transition {
    match action {
        Moderation::Approve => approve(row.state),
        Moderation::Reject => reject(row.state),
        Moderation::Hide => hide(row.state),
        Moderation::Restore if row.state == CommentState::Merged => {
            rules::unmerge(target.map(|target| target.state), row.merged_state).map(Some)
        }
        Moderation::Restore => restore(row.state, row.answered_at.is_some()),
    }
}
