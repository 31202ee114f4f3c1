//! The inputs of the mutations of issues.

use async_graphql::{ID, InputObject};
use entities::ids::{IssueId, PlanStepId};

use crate::{
    app::issues::{AssignIssue, FundingInput, RaiseIssue, ReportProgress, SourceId},
    domain::issues::WantedStep,
    graphql::{
        entity::parse_id,
        enums::Language,
        error::{ApiError, ApiResult},
        issues::{
            Issue,
            enums::{FundingDecision, IssueLevel},
            parts::parse_step_id,
        },
        meetings::Meeting,
        node::GlobalId,
        scalars::{Date, KatoCode, Tenge},
    },
};

/// An issue to raise.
#[derive(InputObject)]
pub struct RaiseIssueInput {
    /// The unit that it is about.
    pub region: KatoCode,
    /// The meeting at which it was raised; that of its sources by default.
    pub meeting_id: Option<ID>,
    /// Comments, registrations and requests that it is raised from, at most 200. Each has one issue.
    pub sources: Option<Vec<ID>>,
    /// Title, which is public: without personal data, at most 200 code points.
    pub title: String,
    /// Description for staff, at most 10,000 code points. The public reads what `releaseDescription` releases.
    pub description: String,
    /// Code of the category.
    pub category: String,
    /// Language of the texts.
    pub language: Language,
    /// Which bodies it needs.
    #[graphql(default_with = "Some(IssueLevel::Local)")]
    pub level: Option<IssueLevel>,
    /// Idempotency key: a retry with the same key and input returns the first result. At most 200 code
    /// points, without control characters.
    pub idempotency_key: Option<String>,
}

impl RaiseIssueInput {
    /// Returns the command and the idempotency key.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` if an id is malformed, or names something that no issue is raised from.
    pub fn parse(self) -> ApiResult<(RaiseIssue, Option<String>)> {
        let source = |id: &ID| match GlobalId::parse(id) {
            Some(GlobalId::Comment(id)) => Ok(SourceId::Comment(id)),
            Some(GlobalId::Registration(id)) => Ok(SourceId::Registration(id)),
            Some(GlobalId::PublicRequest(id)) => Ok(SourceId::Request(id)),
            _ => Err(ApiError::bad("input.sources")),
        };
        let raise = RaiseIssue {
            region: self.region.0,
            meeting: self.meeting_id.map(|id| parse_id::<Meeting>(&id, "input.meetingId")).transpose()?,
            sources: self.sources.unwrap_or_default().iter().map(source).collect::<ApiResult<_>>()?,
            title: self.title,
            description: self.description,
            category: self.category,
            language: self.language.into(),
            level: self.level.unwrap_or(IssueLevel::Local).into(),
        };
        Ok((raise, self.idempotency_key))
    }
}

/// A body to be responsible for an issue.
#[derive(InputObject)]
pub struct AssignIssueInput {
    /// The issue.
    pub issue_id: ID,
    /// Code of a body that exists today.
    pub agency: String,
    /// Which bodies it needs; by default, that of the body's kind.
    pub level: Option<IssueLevel>,
    /// The day by which it is to be solved: today or later.
    pub deadline: Date,
    /// The version that the client has read; a different current version refuses the change.
    pub version: Option<i32>,
}

impl AssignIssueInput {
    /// Returns the command.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` if the id is malformed.
    pub fn parse(self) -> ApiResult<AssignIssue> {
        Ok(AssignIssue {
            issue: issue_id(&self.issue_id)?,
            agency: self.agency,
            level: self.level.map(Into::into),
            deadline: self.deadline.0,
            version: self.version,
        })
    }
}

/// A plan for an issue. It replaces the present one.
#[derive(InputObject)]
pub struct PlanIssueInput {
    /// The issue.
    pub issue_id: ID,
    /// The steps in their order, 1 to 100. An open step with the same action stays; the others are struck.
    pub steps: Vec<PlanStepInput>,
    /// The version that the client has read; a different current version refuses the change.
    pub version: Option<i32>,
}

impl PlanIssueInput {
    /// Returns the issue and the steps.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` if the id is malformed.
    pub fn parse(self) -> ApiResult<(IssueId, Vec<WantedStep>)> {
        let step = |step: PlanStepInput| WantedStep { action: step.action, executor: step.executor, due: step.due.0 };
        Ok((issue_id(&self.issue_id)?, self.steps.into_iter().map(step).collect()))
    }
}

/// A step of a plan.
#[derive(InputObject)]
pub struct PlanStepInput {
    /// What is to be done, at most 1,000 code points.
    pub action: String,
    /// Code of the body that does it.
    pub executor: String,
    /// The day by which it is due. For a new step, today or later.
    pub due: Date,
}

/// A decision of a maslikhat session about money.
#[derive(InputObject)]
pub struct DecideFundingInput {
    /// The issue.
    pub issue_id: ID,
    /// The money that is needed, in tenge; 0 with NOT_NEEDED.
    pub needed: Tenge,
    /// Day of the session. With PENDING, it may be in the future.
    pub session: Date,
    /// The decision.
    pub decision: FundingDecision,
    /// Where the money comes from, at most 1,000 code points.
    pub source: Option<String>,
    /// The version that the client has read; a different current version refuses the change.
    pub version: Option<i32>,
}

impl DecideFundingInput {
    /// Returns the issue and the decision.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` if the id is malformed.
    pub fn parse(self) -> ApiResult<(IssueId, FundingInput)> {
        let funding = FundingInput {
            needed: self.needed.0,
            session: self.session.0,
            decision: self.decision.into(),
            source: self.source,
        };
        Ok((issue_id(&self.issue_id)?, funding))
    }
}

/// A quarterly report.
#[derive(InputObject)]
pub struct ReportProgressInput {
    /// The issue.
    pub issue_id: ID,
    /// The quarter, for example `2026-Q4`: one that has begun, and in which the issue existed.
    pub quarter: String,
    /// What was done, at most 10,000 code points.
    pub text: String,
    /// How much is done, 0 to 100.
    pub percent: i32,
    /// Idempotency key: a retry with the same key and input returns the first result. At most 200 code
    /// points, without control characters.
    pub idempotency_key: Option<String>,
}

impl ReportProgressInput {
    /// Returns the command and the idempotency key.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` if the id is malformed.
    pub fn parse(self) -> ApiResult<(ReportProgress, Option<String>)> {
        let report = ReportProgress {
            issue: issue_id(&self.issue_id)?,
            quarter: self.quarter,
            text: self.text,
            percent: self.percent,
        };
        Ok((report, self.idempotency_key))
    }
}

/// A step that is done.
#[derive(InputObject)]
pub struct CompleteStepInput {
    /// The issue.
    pub issue_id: ID,
    /// The step.
    pub step_id: ID,
    /// The day on which it was done; today by default.
    pub done_on: Option<Date>,
    /// The version that the client has read; a different current version refuses the change.
    pub version: Option<i32>,
}

impl CompleteStepInput {
    /// Returns the issue and the step.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` if an id is malformed.
    pub fn parse(&self) -> ApiResult<(IssueId, PlanStepId)> {
        let step = parse_step_id(&self.step_id).ok_or_else(|| ApiError::bad("input.stepId"))?;
        Ok((issue_id(&self.issue_id)?, step))
    }
}

/// An outcome of an issue.
#[derive(InputObject)]
pub struct ResolveIssueInput {
    /// The issue.
    pub issue_id: ID,
    /// What was done about it, which is public. At most 10,000 code points.
    pub resolution: String,
    /// The version that the client has read; a different current version refuses the change.
    pub version: Option<i32>,
}

/// An issue to be declined.
#[derive(InputObject)]
pub struct DeclineIssueInput {
    /// The issue.
    pub issue_id: ID,
    /// Why, which is public. At most 1,000 code points.
    pub reason: String,
    /// The version that the client has read; a different current version refuses the change.
    pub version: Option<i32>,
}

/// An issue to be taken up again.
#[derive(InputObject)]
pub struct ReopenIssueInput {
    /// The issue.
    pub issue_id: ID,
    /// Why, which is public. At most 1,000 code points.
    pub reason: String,
    /// The version that the client has read; a different current version refuses the change.
    pub version: Option<i32>,
}

/// A description for the public.
#[derive(InputObject)]
pub struct ReleaseDescriptionInput {
    /// The issue.
    pub issue_id: ID,
    /// The text, without personal data. At most 10,000 code points.
    pub text: String,
    /// The version that the client has read; a different current version refuses the change.
    pub version: Option<i32>,
}

/// Issues to be merged.
#[derive(InputObject)]
pub struct MergeIssuesInput {
    /// The issue that stays.
    pub into: ID,
    /// The issues that are merged into it, at most 50.
    pub issue_ids: Vec<ID>,
}

impl MergeIssuesInput {
    /// Returns the ids.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` if an id is malformed.
    pub fn parse(&self) -> ApiResult<(IssueId, Vec<IssueId>)> {
        let merged = self.issue_ids.iter().map(|id| parse_id::<Issue>(id, "input.issueIds"));
        Ok((parse_id::<Issue>(&self.into, "input.into")?, merged.collect::<ApiResult<_>>()?))
    }
}

/// An issue to follow.
#[derive(InputObject)]
pub struct FollowIssueInput {
    /// The issue.
    pub issue_id: ID,
    /// Whether the viewer is notified of its changes.
    pub follow: bool,
}

/// What the viewer says of the outcome of an issue.
#[derive(InputObject)]
pub struct ConfirmResolutionInput {
    /// The issue.
    pub issue_id: ID,
    /// Whether the viewer is satisfied.
    pub satisfied: bool,
    /// Why not, at most 1,000 code points.
    pub comment: Option<String>,
}

/// Parses the id of the issue of an input.
///
/// # Errors
/// `BAD_USER_INPUT` if it is malformed.
pub fn issue_id(id: &ID) -> ApiResult<IssueId> {
    parse_id::<Issue>(id, "input.issueId")
}
