//! Reports quarterly on the progress of an issue (p. 3.5, 5.3).

use entities::{ids::IssueId, issue, issue_report};
use serde::Serialize;

use crate::{
    app::{
        App, CommandError, Rejection,
        idempotency::idempotency_key,
        input::{check_range, text_rejection},
        rejection::Invalid,
    },
    clock::almaty_date,
    domain::{
        issue_events::PROGRESS,
        issues::{MAX_TEXT_LENGTH, Quarter, Transition},
        policy,
        text::multi_line,
        viewer::Viewer,
    },
};

/// A report to make.
#[derive(Clone, Debug, Serialize)]
pub struct ReportProgress {
    /// The issue.
    pub issue: IssueId,
    /// The quarter, for example `2026-Q4`.
    pub quarter: String,
    /// What was done.
    pub text: String,
    /// How much of it is done.
    pub percent: i32,
}

impl App {
    /// Reports on an issue for a quarter. Another report for the same quarter takes its place; both stay in the history.
    ///
    /// # Errors
    /// Rejected when the state does not allow it, the quarter has not begun, or a field breaks a rule.
    pub async fn report_progress(
        &self,
        viewer: &Viewer,
        command: &ReportProgress,
        key: Option<&str>,
    ) -> Result<issue::Model, CommandError> {
        let now = self.now();
        let permit = self.permit_issue::<policy::ReportIssue>(viewer, command.issue).await?;
        let key = idempotency_key(&permit.person.subject, "reportProgress", key, command)?;
        let tx = self.store.begin().await?;
        // The report has no id of its own, but each call has.
        if tx.claim_idempotency_key(key.as_ref(), self.ids.next(now), now).await?.is_some() {
            let first = tx.lock_issues(&[command.issue]).await?.pop();
            return first.ok_or_else(|| Rejection::NotFound { field: "idempotencyKey" }.into());
        }
        let text = multi_line(&command.text, MAX_TEXT_LENGTH).map_err(|bad| text_rejection("text", bad))?;
        check_range("percent", command.percent, 0, 100)?;
        let mut locked = self.lock_issue(tx, &permit, now).await?;
        locked.transition(Transition::Report)?;
        let quarter = checked_quarter(&command.quarter, &locked.issue, locked.today())?;
        let reports = locked.tx.reports(command.issue).await?;
        let name = quarter.to_string();
        let replaced = reports.iter().find(|report| report.quarter == name);
        let shown = |percent: i32, text: &str| format!("{percent} %: {text}");
        locked.changed(
            format!("progress.{name}"),
            replaced.map(|report| shown(report.percent, &report.text)),
            Some(shown(command.percent, &text)),
        );
        let row = issue_report::Model {
            issue_id: command.issue,
            quarter: name,
            text,
            percent: command.percent,
            reported_at: now,
            reported_by: locked.record.by.agency.clone(),
        };
        locked.tx.save_report(row).await?;
        locked.save(self, PROGRESS).await
    }
}

/// Reads a quarter that has begun and in which the issue existed.
fn checked_quarter(text: &str, issue: &issue::Model, today: chrono::NaiveDate) -> Result<Quarter, Rejection> {
    let invalid = || Rejection::Invalid { field: "quarter", why: Invalid::Quarter };
    let quarter: Quarter = text.parse().map_err(|_| invalid())?;
    let existed = Quarter::of(almaty_date(issue.created_at))..=Quarter::of(today);
    if existed.contains(&quarter) { Ok(quarter) } else { Err(invalid()) }
}
