//! Approving, rejecting, hiding and restoring comments: all of a batch, or none.

use entities::{comment, enums::CommentState, ids::CommentId};

use crate::{
    app::{
        ActError, App, Refused,
        meetings::reason,
        questions::{
            change_event, moderated,
            part::{joined_to, part},
        },
        refused::Invalid,
    },
    domain::{
        comment::{self as rules, LONGEST_REASON, approve, hide, publishes, reject, restore},
        policy::{self, author_key},
        viewer::Viewer,
    },
};

/// How many comments can be moderated at once.
const MOST: usize = 100;

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
    /// Refused as a whole when one of the comments does not allow it.
    pub async fn moderate_comments(
        &self,
        viewer: &Viewer,
        decision: Moderate,
    ) -> Result<Vec<comment::Model>, ActError> {
        let now = self.now();
        viewer.person().ok_or(ActError::Unauthenticated)?;
        if decision.comments.len() > MOST {
            return Err(Refused::Invalid { field: "commentIds", why: Invalid::TooMany { max: MOST } }.into());
        }
        let Some(first) = decision.comments.first() else {
            return Err(Refused::Invalid { field: "commentIds", why: Invalid::Empty }.into());
        };
        let permit = self.permit_named::<policy::ModerateComments>(viewer, *first, "commentIds.0").await?;
        let reason = match decision.action {
            Moderation::Reject | Moderation::Hide => Some(reason(decision.reason.as_deref(), LONGEST_REASON)?),
            Moderation::Approve | Moderation::Restore => None,
        };
        let (tx, locked) = self.begin_on_comment(&permit).await?;
        moderated(&locked.meeting)?;
        let found = tx.comments_by_id(&decision.comments).await?;
        // As they stand before the decision, so that it is the same in whatever order it names them.
        let targets = joined_to(&tx, &found).await?;
        let actor = Some(locked.allowed.person.subject.as_str());
        let own = author_key(viewer);
        let (mut changed, mut events) = (Vec::<comment::Model>::new(), Vec::new());
        let mut left = Vec::new();
        for (index, id) in decision.comments.iter().enumerate() {
            let row = found.iter().find(|row| row.id == *id && row.meeting_id == locked.meeting.id);
            let row = row.ok_or_else(|| Refused::NotFound { field: "commentIds" }.of("commentIds", index))?;
            let target = row.merged_into.and_then(|into| targets.get(&into));
            let step = decided(decision.action, row, target);
            let Some(next) = step.map_err(|wrong| wrong.refused().of("commentIds", index))? else { continue };
            if row.author_key == own && publishes(row.state, next) {
                let own = Refused::Invalid { field: "commentIds", why: Invalid::OwnDecision };
                return Err(own.of("commentIds", index).into());
            }
            if changed.iter().any(|one| one.id == *id) {
                continue;
            }
            let mut row = row.clone();
            events.push(change_event(row.id, Some(row.state), next, actor));
            row.state_reason.clone_from(&reason);
            if row.state == CommentState::Merged {
                part(&tx, &mut row, next).await?;
                left.extend(target.cloned());
            }
            row.state = next;
            changed.push(row);
        }
        for target in left {
            // Its votes are fewer now, also where it comes back itself.
            let votes = tx.joint_votes(&target).await?;
            match changed.iter_mut().find(|row| row.id == target.id) {
                Some(row) => row.votes = votes,
                None => {
                    events.push(change_event(target.id, Some(target.state), target.state, actor));
                    changed.push(comment::Model { votes, ..target });
                }
            }
        }
        if !events.is_empty() {
            self.save_comments(tx, &changed, &events, now).await?;
        }
        let as_it_is = |id: &CommentId| changed.iter().chain(&found).find(|row| row.id == *id).cloned();
        Ok(decision.comments.iter().filter_map(as_it_is).collect())
    }
}

/// Where a decision leads; none where the comment is there already.
fn decided(action: Moderation, row: &comment::Model, target: Option<&comment::Model>) -> rules::Step {
    match action {
        Moderation::Approve => approve(row.state),
        Moderation::Reject => reject(row.state),
        Moderation::Hide => hide(row.state),
        Moderation::Restore if row.state == CommentState::Merged => {
            rules::part(target.map(|target| target.state), row.merged_state).map(Some)
        }
        Moderation::Restore => restore(row.state, row.answered_at.is_some()),
    }
}
