//! Approving, rejecting, hiding and restoring comments: all of a batch, or none.

use entities::{comment, ids::CommentId};

use crate::{
    app::{
        ActError, App, Refused,
        meetings::reason,
        questions::{change_event, moderated},
        refused::Invalid,
    },
    domain::{
        comment::{LONGEST_REASON, approve, hide, reject, restore},
        policy,
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
    /// Bring it back.
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
    /// Decides over comments. Those that are already so stay as they are.
    ///
    /// # Errors
    /// Refused as a whole when one of the comments does not allow it.
    pub async fn moderate_comments(
        &self,
        viewer: &Viewer,
        decision: Moderate,
    ) -> Result<Vec<comment::Model>, ActError> {
        let now = self.now();
        if decision.comments.len() > MOST {
            return Err(Refused::Invalid { field: "commentIds", why: Invalid::TooMany { max: MOST } }.into());
        }
        let Some(first) = decision.comments.first() else {
            return Err(Refused::Invalid { field: "commentIds", why: Invalid::Empty }.into());
        };
        let tx = self.store.begin().await?;
        let locked = self.lock_comment::<policy::ModerateComments>(&tx, viewer, *first).await?;
        moderated(&locked.meeting)?;
        let reason = match decision.action {
            Moderation::Reject | Moderation::Hide => Some(reason(decision.reason.as_deref(), LONGEST_REASON)?),
            Moderation::Approve | Moderation::Restore => None,
        };
        let found = tx.comments_by_id(&decision.comments).await?;
        let actor = &locked.allowed.person.subject;
        let (mut rows, mut changed, mut events) = (Vec::new(), Vec::new(), Vec::new());
        for id in &decision.comments {
            let row = found.iter().find(|row| row.id == *id && row.meeting_id == locked.meeting.id);
            let mut row = row.ok_or(Refused::NotFound { field: "commentIds" })?.clone();
            let next = match decision.action {
                Moderation::Approve => approve(row.state)?,
                Moderation::Reject => reject(row.state)?,
                Moderation::Hide => hide(row.state)?,
                Moderation::Restore => restore(row.state, row.answered_at.is_some())?,
            };
            if let Some(next) = next.filter(|_| !changed.iter().any(|one: &comment::Model| one.id == *id)) {
                events.push(change_event(row.id, Some(row.state), next, Some(actor)));
                row.state = next;
                row.state_reason.clone_from(&reason);
                changed.push(row.clone());
            }
            rows.push(row);
        }
        if !events.is_empty() {
            self.save_comments(tx, &changed, &events, now).await?;
        }
        Ok(rows)
    }
}
