//! Plans an issue: steps, each with an executor and a date.

use chrono::{NaiveDate, NaiveTime};
use chrono_tz::Asia::Almaty;
use entities::{
    ids::{IssueId, PlanStepId},
    issue,
};

use crate::{
    app::{
        App, CommandError, Rejection,
        input::{check_version, checked_text},
        issues::{check_due, locked::LockedIssue},
        rejection::Invalid,
    },
    domain::{
        issue_events::PLANNED,
        issues::{MAX_NOTE_LENGTH, MAX_STEPS, Step, Transition, WantedStep, replace_plan},
        policy,
        viewer::Viewer,
    },
};

/// The name of the list in the input.
const STEPS: &str = "steps";

impl App {
    /// Replaces the plan of an issue (p. 3.5). Open steps that are left out are struck; those that are done stay.
    ///
    /// # Errors
    /// Rejected when the state does not allow it, or a step breaks a rule.
    pub async fn plan_issue(
        &self,
        viewer: &Viewer,
        id: IssueId,
        steps: &[WantedStep],
        version: Option<i32>,
    ) -> Result<issue::Model, CommandError> {
        let now = self.now();
        let permit = self.permit_issue::<policy::RunIssue>(viewer, id).await?;
        let wanted = checked_steps(steps)?;
        let mut locked = self.begin_with_issue(&permit, now).await?;
        check_version(locked.issue.version, version)?;
        locked.transition(Transition::Plan)?;
        let current = locked.tx.plan(id).await?;
        let change = replace_plan(&current, &wanted);
        self.check_new_steps(&locked, &change.added, &wanted)?;
        let added: Vec<Step> =
            change.added.into_iter().map(|(ordinal, step)| self.new_step(&locked, ordinal, step)).collect();
        let struck = change.struck.into_iter().map(|step| Step { struck_at: Some(now), ..step });
        let saved: Vec<(Step, Step)> = change
            .kept
            .into_iter()
            .chain(struck)
            .filter_map(|after| Some((current.iter().find(|step| step.id == after.id)?.clone(), after)))
            .filter(|(before, after)| before != after)
            .collect();
        if added.is_empty() && saved.is_empty() && locked.issue == locked.before {
            return Ok(locked.before);
        }
        for (before, after) in &saved {
            let after_text = if after.struck_at.is_some() { None } else { Some(described(after)) };
            if after_text.as_ref() != Some(&described(before)) {
                locked.changed(field(after.id), Some(described(before)), after_text);
            }
        }
        for step in &added {
            locked.changed(field(step.id), None, Some(described(step)));
        }
        locked.tx.save_steps(id, &saved).await?;
        locked.tx.insert_steps(id, &added).await?;
        locked.save(self, PLANNED).await
    }

    /// Records that a step of the plan is done, today or on an earlier day.
    ///
    /// # Errors
    /// Rejected when the step does not exist, or the day is in the future.
    pub async fn complete_step(
        &self,
        viewer: &Viewer,
        id: IssueId,
        (step, done_on): (PlanStepId, Option<NaiveDate>),
        version: Option<i32>,
    ) -> Result<issue::Model, CommandError> {
        let now = self.now();
        let permit = self.permit_issue::<policy::ReportIssue>(viewer, id).await?;
        let mut locked = self.begin_with_issue(&permit, now).await?;
        check_version(locked.issue.version, version)?;
        locked.transition(Transition::CompleteStep)?;
        let plan = locked.tx.plan(id).await?;
        let before = plan.into_iter().find(|known| known.id == step && known.struck_at.is_none());
        let before = before.ok_or(Rejection::NotFound { field: "stepId" })?;
        if before.done_at.is_some() {
            return Ok(locked.before);
        }
        let today = locked.today();
        let raised_on = crate::clock::almaty_date(locked.issue.created_at);
        let done_at = match done_on {
            Some(day) if day > today || day < raised_on => {
                return Err(
                    Rejection::Invalid { field: "doneOn", why: Invalid::Dates { from: raised_on, to: today } }.into()
                );
            }
            Some(day) if day < today => noon(day).unwrap_or(now),
            _ => now,
        };
        let after = Step { done_at: Some(done_at), ..before.clone() };
        locked.changed(format!("{}.doneAt", field(step)), None, Some(done_at.to_rfc3339()));
        locked.tx.save_steps(id, &[(before, after)]).await?;
        locked.save(self, PLANNED).await
    }

    /// Checks what a plan says anew. A step that stays as it was may be overdue.
    fn check_new_steps(
        &self,
        locked: &LockedIssue,
        added: &[(i32, WantedStep)],
        wanted: &[WantedStep],
    ) -> Result<(), Rejection> {
        let today = locked.today();
        for (index, step) in wanted.iter().enumerate() {
            self.check_agency("executor", &step.executor, today).map_err(|bad| bad.at_index(STEPS, index))?;
            if added.iter().any(|(_, new)| new == step) {
                check_due("due", step.due, today).map_err(|bad| bad.at_index(STEPS, index))?;
            }
        }
        Ok(())
    }

    fn new_step(&self, locked: &LockedIssue, ordinal: i32, step: WantedStep) -> Step {
        let WantedStep { action, executor, due } = step;
        let id = PlanStepId(self.ids.next(locked.now));
        Step { id, ordinal, action, executor, due, done_at: None, struck_at: None }
    }
}

fn checked_steps(steps: &[WantedStep]) -> Result<Vec<WantedStep>, CommandError> {
    if steps.is_empty() {
        return Err(Rejection::Invalid { field: STEPS, why: Invalid::Empty }.into());
    }
    if steps.len() > MAX_STEPS {
        return Err(Rejection::Invalid { field: STEPS, why: Invalid::TooMany { max: MAX_STEPS } }.into());
    }
    let checked = |(index, step): (usize, &WantedStep)| match checked_text("action", &step.action, MAX_NOTE_LENGTH) {
        Ok(action) => Ok(WantedStep { action, ..step.clone() }),
        Err(CommandError::Rejected(cause)) => Err(cause.at_index(STEPS, index).into()),
        Err(other) => Err(other),
    };
    steps.iter().enumerate().map(checked).collect()
}

/// Returns the name of a step in the history.
fn field(id: PlanStepId) -> String {
    format!("plan.{}", id.0.simple())
}

/// Returns a step as the history shows it.
fn described(step: &Step) -> String {
    format!("{} ({}, {})", step.action, step.executor, step.due)
}

/// Returns noon of a day in Kazakhstan.
fn noon(day: NaiveDate) -> Option<chrono::DateTime<chrono::Utc>> {
    let noon = NaiveTime::from_hms_opt(12, 0, 0)?;
    Some(day.and_time(noon).and_local_timezone(Almaty).earliest()?.to_utc())
}
