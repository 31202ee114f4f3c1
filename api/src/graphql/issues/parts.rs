//! What belongs to an issue: money, plan, reports, and what people say of the outcome.

use async_graphql::{Context, ID, Object, SimpleObject};
use chrono::{DateTime, Utc};
use entities::{ids::PlanStepId, issue};

use crate::{
    app::reads::QuarterReport,
    domain::{global_id::typed_id, issues::Step},
    graphql::{
        agencies::Agency,
        context::ContextExt,
        error::ApiResult,
        issues::enums::FundingDecision,
        scalars::{Date, Tenge},
    },
};

/// The prefix of the ids of steps.
const STEP: &str = "step";

/// Returns the id of a step as the API shows it.
#[must_use]
pub fn step_id(id: PlanStepId) -> ID {
    ID(typed_id(STEP, id.0))
}

/// Parses the id of a step.
#[must_use]
pub fn parse_step_id(id: &ID) -> Option<PlanStepId> {
    use crate::graphql::entity::{IdFormat as _, UuidFormat};
    UuidFormat::parse(STEP, id)
}

/// What a maslikhat session decided about the money for an issue (p. 3.5).
#[derive(SimpleObject, Clone, Debug)]
pub struct Funding {
    /// The money that is needed, in tenge.
    pub needed: Tenge,
    /// Day of the session.
    pub session: Option<Date>,
    /// The decision.
    pub decision: FundingDecision,
    /// Where the money comes from.
    pub source: Option<String>,
}

impl Funding {
    /// Returns the decision of an issue, if there is one.
    #[must_use]
    pub fn of(row: &issue::Model) -> Option<Self> {
        Some(Self {
            decision: row.funding_decision?.into(),
            needed: Tenge(row.funding_needed.unwrap_or_default()),
            session: row.funding_session.map(Date),
            source: row.funding_source.clone(),
        })
    }
}

/// A step of the plan of an issue.
pub struct PlanStep(pub Step);

/// A step of the plan of an issue.
#[Object]
impl PlanStep {
    /// Id of the step, opaque.
    async fn id(&self) -> ID {
        step_id(self.0.id)
    }

    /// What is to be done.
    async fn action(&self, ctx: &Context<'_>) -> ApiResult<&str> {
        ctx.text(self.0.action.as_str())
    }

    /// The body that does it.
    async fn executor(&self, ctx: &Context<'_>) -> Agency {
        Agency::by_stored_code(ctx, &self.0.executor)
    }

    /// The day by which it is due.
    async fn due(&self) -> Date {
        Date(self.0.due)
    }

    /// When it was done; null while it is open.
    async fn done_at(&self) -> Option<DateTime<Utc>> {
        self.0.done_at
    }
}

/// A quarterly report on an issue (p. 3.5, 5.3).
pub struct ProgressReport(pub QuarterReport);

/// A quarterly report on an issue (p. 3.5, 5.3).
#[Object]
impl ProgressReport {
    /// The quarter, for example `2026-Q4`.
    async fn quarter(&self) -> &str {
        &self.0.row.quarter
    }

    /// What was done.
    async fn text(&self, ctx: &Context<'_>) -> ApiResult<&str> {
        ctx.text(self.0.row.text.as_str())
    }

    /// How much is done, 0 to 100. It may be less than before: see `previousPercent`.
    async fn percent(&self) -> i32 {
        self.0.row.percent
    }

    /// What the report of an earlier quarter said; null if there was none.
    async fn previous_percent(&self) -> Option<i32> {
        self.0.previous_percent
    }

    /// When it was reported.
    async fn reported_at(&self) -> DateTime<Utc> {
        self.0.row.reported_at
    }

    /// The body that reported; null for the staff of the unit.
    async fn reported_by(&self, ctx: &Context<'_>) -> Option<Agency> {
        self.0.row.reported_by.as_deref().map(|code| Agency::by_stored_code(ctx, code))
    }
}

/// What those who raised an issue say of its outcome.
#[derive(SimpleObject, Clone, Copy, Debug)]
pub struct Confirmations {
    /// Number of people who are satisfied.
    pub satisfied: i32,
    /// Number of people who are not.
    pub unsatisfied: i32,
}
