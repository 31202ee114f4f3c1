//! Records whether those from whose words an issue was raised are satisfied with its outcome.

use entities::{ids::IssueId, issue};

use crate::{
    app::{
        App, CommandError,
        input::checked_text,
        issues::{awaits_answers, confirmations, wrong_issue_state},
    },
    domain::{feed::EventKind, issues::MAX_NOTE_LENGTH, policy, viewer::Viewer},
};

impl App {
    /// Records whether the viewer is satisfied with the outcome of an issue that was raised from their words. The answer may
    /// be changed until the issue is reopened. Three of ten who are not satisfied bring it back to the staff's list.
    ///
    /// # Errors
    /// Rejected when the issue is not resolved. Forbidden when it was not raised from the viewer's words.
    pub async fn confirm_resolution(
        &self,
        viewer: &Viewer,
        id: IssueId,
        satisfied: bool,
        comment: Option<&str>,
    ) -> Result<issue::Model, CommandError> {
        let now = self.now();
        let permit = self.permit_issue::<policy::FollowIssue>(viewer, id).await?;
        let comment = comment.map(|text| checked_text("comment", text, MAX_NOTE_LENGTH)).transpose()?;
        let mut locked = self.begin_with_issue(&permit, now).await?;
        let mut people = locked.tx.people_of(&[id]).await?;
        let own = people.iter_mut().find(|row| row.raised && row.person == locked.record.person.0);
        let Some(own) = own else { return Err(CommandError::Forbidden) };
        if !awaits_answers(&locked.issue) {
            return Err(wrong_issue_state(locked.issue.state.as_str()).into());
        }
        if own.satisfied == Some(satisfied) && own.comment == comment {
            return Ok(locked.before);
        }
        (own.satisfied, own.comment) = (Some(satisfied), comment);
        let saved = own.clone();
        let (counts, is_unsatisfied) = confirmations(&people);
        let row = &mut locked.issue;
        (row.satisfied, row.unsatisfied, row.is_unsatisfied) = (counts.satisfied, counts.unsatisfied, is_unsatisfied);
        locked.tx.save_people(vec![saved]).await?;
        locked.save(self, EventKind::CHANGED).await
    }
}
