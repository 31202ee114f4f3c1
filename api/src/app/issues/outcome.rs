//! Resolves, declines and reopens issues.

use entities::{ids::IssueId, issue};

use crate::{
    app::{
        App, CommandError,
        input::{check_version, checked_reason, text_rejection},
    },
    domain::{
        issue_events::{DECLINED, REOPENED, RESOLVED},
        issues::{MAX_NOTE_LENGTH, MAX_TEXT_LENGTH, Transition, open_steps},
        policy,
        text::multi_line,
        viewer::Viewer,
    },
};

impl App {
    /// Resolves an issue. Those from whose words it was raised are asked whether they are satisfied.
    ///
    /// # Errors
    /// Rejected when the state, or an open step of the plan, does not allow it.
    pub async fn resolve_issue(
        &self,
        viewer: &Viewer,
        id: IssueId,
        resolution: &str,
        version: Option<i32>,
    ) -> Result<issue::Model, CommandError> {
        let now = self.now();
        let permit = self.permit_issue::<policy::ReportIssue>(viewer, id).await?;
        let text = multi_line(resolution, MAX_TEXT_LENGTH).map_err(|bad| text_rejection("resolution", bad))?;
        let mut locked = self.begin_with_issue(&permit, now).await?;
        check_version(locked.issue.version, version)?;
        let open_steps = open_steps(&locked.tx.plan(id).await?);
        locked.transition(Transition::Resolve { open_steps })?;
        locked.issue.resolution = Some(text);
        locked.save(self, RESOLVED).await
    }

    /// Declines an issue with a reason.
    ///
    /// # Errors
    /// Rejected when the state does not allow it, or the reason is missing.
    pub async fn decline_issue(
        &self,
        viewer: &Viewer,
        id: IssueId,
        reason: &str,
        version: Option<i32>,
    ) -> Result<issue::Model, CommandError> {
        let now = self.now();
        let permit = self.permit_issue::<policy::RunIssue>(viewer, id).await?;
        let reason = checked_reason(Some(reason), MAX_NOTE_LENGTH)?;
        let mut locked = self.begin_with_issue(&permit, now).await?;
        check_version(locked.issue.version, version)?;
        locked.transition(Transition::Decline)?;
        locked.issue.resolution = Some(reason);
        locked.save(self, DECLINED).await
    }

    /// Takes up an issue again. Its history stays, and people are asked again after the next outcome.
    ///
    /// # Errors
    /// Rejected when the issue is open, or the reason is missing.
    pub async fn reopen_issue(
        &self,
        viewer: &Viewer,
        id: IssueId,
        reason: &str,
        version: Option<i32>,
    ) -> Result<issue::Model, CommandError> {
        let now = self.now();
        let permit = self.permit_issue::<policy::RunIssue>(viewer, id).await?;
        let reason = checked_reason(Some(reason), MAX_NOTE_LENGTH)?;
        let mut locked = self.begin_with_issue(&permit, now).await?;
        check_version(locked.issue.version, version)?;
        let is_assigned = locked.issue.responsible.is_some();
        locked.transition(Transition::Reopen { is_assigned })?;
        locked.changed("reason", None, Some(reason));
        let row = &mut locked.issue;
        (row.resolution, row.satisfied, row.unsatisfied, row.is_unsatisfied) = (None, 0, 0, false);
        locked.tx.forget_answers(id).await?;
        locked.save(self, REOPENED).await
    }
}
