//! The plan of an issue: steps, each with an executor and a date.

use chrono::{DateTime, NaiveDate, Utc};
use entities::ids::PlanStepId;

/// A step of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its id.
    pub id: PlanStepId,
    /// Order in the plan.
    pub ordinal: i32,
    /// What is to be done.
    pub action: String,
    /// Code of the body that does it.
    pub executor: String,
    /// The day by which it is due.
    pub due: NaiveDate,
    /// When it was done.
    pub done_at: Option<DateTime<Utc>>,
    /// When it was struck.
    pub struck_at: Option<DateTime<Utc>>,
}

impl Step {
    /// Returns whether it is neither done nor struck.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.done_at.is_none() && self.struck_at.is_none()
    }
}

/// A step as a new plan names it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct WantedStep {
    /// What is to be done.
    pub action: String,
    /// Code of the body that does it.
    pub executor: String,
    /// The day by which it is due.
    pub due: NaiveDate,
}

/// What a new plan changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlanChange {
    /// Steps that stay, with another executor, date or place.
    pub kept: Vec<Step>,
    /// New steps, with their place.
    pub added: Vec<(i32, WantedStep)>,
    /// Steps that were left out.
    pub struck: Vec<Step>,
}

/// Returns the number of open steps.
#[must_use]
pub fn open_steps(steps: &[Step]) -> usize {
    steps.iter().filter(|step| step.is_open()).count()
}

/// Replaces a plan. An open step with the action of a wanted one stays and takes its executor and date. The other open
/// steps are struck. Steps that are done stay in front, whether the new plan names them or not.
#[must_use]
pub fn replace_plan(current: &[Step], wanted: &[WantedStep]) -> PlanChange {
    let done: Vec<&Step> = current.iter().filter(|step| step.done_at.is_some() && step.struck_at.is_none()).collect();
    let mut open: Vec<&Step> = current.iter().filter(|step| step.is_open()).collect();
    let mut done_actions: Vec<&str> = done.iter().map(|step| step.action.as_str()).collect();
    let mut change = PlanChange::default();
    let mut ordinal = 0;
    for step in &done {
        change.kept.push(Step { ordinal, ..(*step).clone() });
        ordinal += 1;
    }
    for step in wanted {
        if let Some(place) = done_actions.iter().position(|action| *action == step.action) {
            done_actions.swap_remove(place);
            continue;
        }
        match open.iter().position(|known| known.action == step.action) {
            Some(place) => {
                let known = open.remove(place).clone();
                change.kept.push(Step { ordinal, executor: step.executor.clone(), due: step.due, ..known });
            }
            None => change.added.push((ordinal, step.clone())),
        }
        ordinal += 1;
    }
    change.struck = open.into_iter().cloned().collect();
    change
}
