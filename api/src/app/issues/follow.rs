//! Follows an issue.

use entities::{ids::IssueId, issue, issue_person};

use crate::{
    app::{App, CommandError},
    domain::{notification::PersonKey, policy, viewer::Viewer},
};

impl App {
    /// Starts or stops to notify the viewer of an issue's changes. It changes nothing that others see.
    ///
    /// # Errors
    /// When the viewer is not a citizen, or the database fails.
    pub async fn follow_issue(&self, viewer: &Viewer, id: IssueId, follow: bool) -> Result<issue::Model, CommandError> {
        let now = self.now();
        let permit = self.permit_issue::<policy::FollowIssue>(viewer, id).await?;
        let person = PersonKey::of(&permit.person.subject).0;
        // Locked, so that a merge moves every follower.
        let locked = self.begin_with_issue(&permit, now).await?;
        let known = locked.tx.person_of(id, &person).await?;
        if known.as_ref().is_some_and(|row| row.follows) != follow {
            let new = issue_person::Model {
                issue_id: id,
                person,
                raised: false,
                follows: follow,
                satisfied: None,
                comment: None,
                since: now,
            };
            let row = known.map_or(new, |row| issue_person::Model { follows: follow, ..row });
            locked.tx.save_people(vec![row]).await?;
            self.commit(locked.tx).await?;
        }
        Ok(locked.issue)
    }
}
