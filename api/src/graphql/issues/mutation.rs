//! The mutations of issues. They only translate.

use std::sync::Arc;

use async_graphql::{Context, Object, SimpleObject};
use entities::{issue, public_request};

use crate::{
    app::CommandError,
    graphql::{
        context::ContextExt,
        error::ApiResult,
        issues::{
            Issue, PublicRequest,
            input::{
                AssignIssueInput, CompleteStepInput, ConfirmResolutionInput, DecideFundingInput, DeclineIssueInput,
                FollowIssueInput, MergeIssuesInput, PlanIssueInput, RaiseIssueInput, ReleaseDescriptionInput,
                ReopenIssueInput, ReportProgressInput, ResolveIssueInput, issue_id,
            },
            request_input::{RecordRequestsInput, SubmitRequestInput},
        },
        meetings::{MeetingPayload, meeting_payload},
        mutation::{payload, run_with_retry},
        refusal::Refusal,
    },
};

/// An issue or a refusal: exactly one of the two is set.
#[derive(SimpleObject)]
pub struct IssuePayload {
    /// The issue after the change.
    pub issue: Option<Issue>,
    /// Why nothing was changed.
    pub refusal: Option<Refusal>,
}

/// A request or a refusal: exactly one of the two is set.
#[derive(SimpleObject)]
pub struct PublicRequestPayload {
    /// The request as recorded.
    pub request: Option<PublicRequest>,
    /// Why nothing was recorded.
    pub refusal: Option<Refusal>,
}

fn issue(ctx: &Context<'_>, result: Result<issue::Model, CommandError>) -> ApiResult<IssuePayload> {
    payload(ctx, result, |row, refusal| IssuePayload { issue: row.map(|row| Issue(Arc::new(row))), refusal })
}

fn request(ctx: &Context<'_>, result: Result<public_request::Model, CommandError>) -> ApiResult<PublicRequestPayload> {
    payload(ctx, result, |row, refusal| PublicRequestPayload {
        request: row.map(|row| PublicRequest(Arc::new(row))),
        refusal,
    })
}

/// Mutations of issues and requests.
#[derive(Default)]
pub struct IssueMutation;

/// Mutations of issues and requests.
#[Object]
impl IssueMutation {
    /// Raises an issue from comments, registrations and requests, or from none. Those from whose words it is raised follow
    /// it. For akimat staff.
    #[graphql(tag = "internal")]
    async fn raise_issue(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The issue.")] input: RaiseIssueInput,
    ) -> ApiResult<IssuePayload> {
        let (raise, key) = input.parse()?;
        let (app, viewer, key) = (ctx.app(), ctx.viewer(), key.as_deref());
        issue(ctx, run_with_retry(|| app.raise_issue(viewer, &raise, key)).await)
    }

    /// Makes a body responsible for an issue, with a deadline. For akimat staff.
    #[graphql(tag = "internal")]
    async fn assign_issue(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The body and the deadline.")] input: AssignIssueInput,
    ) -> ApiResult<IssuePayload> {
        let command = input.parse()?;
        let (app, viewer) = (ctx.app(), ctx.viewer());
        issue(ctx, run_with_retry(|| app.assign_issue(viewer, command.clone())).await)
    }

    /// Replaces the plan of an issue. Steps that are done stay. For akimat staff.
    #[graphql(tag = "internal")]
    async fn plan_issue(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The plan.")] input: PlanIssueInput,
    ) -> ApiResult<IssuePayload> {
        let version = input.version;
        let (id, steps) = input.parse()?;
        let (app, viewer) = (ctx.app(), ctx.viewer());
        issue(ctx, run_with_retry(|| app.plan_issue(viewer, id, &steps, version)).await)
    }

    /// Records what a maslikhat session decided about the money for an issue. For akimat staff and the maslikhat.
    #[graphql(tag = "internal")]
    async fn decide_funding(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The decision.")] input: DecideFundingInput,
    ) -> ApiResult<IssuePayload> {
        let version = input.version;
        let (id, funding) = input.parse()?;
        let (app, viewer) = (ctx.app(), ctx.viewer());
        issue(ctx, run_with_retry(|| app.decide_funding(viewer, id, &funding, version)).await)
    }

    /// Reports on an issue for a quarter. A second report for the same quarter replaces the first; both stay in the
    /// history. For akimat staff and the responsible body.
    #[graphql(tag = "internal")]
    async fn report_progress(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The report.")] input: ReportProgressInput,
    ) -> ApiResult<IssuePayload> {
        let (report, key) = input.parse()?;
        let (app, viewer, key) = (ctx.app(), ctx.viewer(), key.as_deref());
        issue(ctx, run_with_retry(|| app.report_progress(viewer, &report, key)).await)
    }

    /// Records that a step of the plan is done. For akimat staff and the responsible body.
    #[graphql(tag = "internal")]
    async fn complete_step(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The step.")] input: CompleteStepInput,
    ) -> ApiResult<IssuePayload> {
        let (id, step) = input.parse()?;
        let (version, done_on) = (input.version, input.done_on.map(|day| day.0));
        let (app, viewer) = (ctx.app(), ctx.viewer());
        issue(ctx, run_with_retry(|| app.complete_step(viewer, id, (step, done_on), version)).await)
    }

    /// Resolves an issue. Steps of the plan must be done or struck. Those from whose words it was raised are asked whether
    /// they are satisfied. For akimat staff and the responsible body.
    #[graphql(tag = "internal")]
    async fn resolve_issue(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The outcome.")] input: ResolveIssueInput,
    ) -> ApiResult<IssuePayload> {
        let (id, version, text) = (issue_id(&input.issue_id)?, input.version, input.resolution);
        let (app, viewer) = (ctx.app(), ctx.viewer());
        issue(ctx, run_with_retry(|| app.resolve_issue(viewer, id, &text, version)).await)
    }

    /// Declines an issue with a reason. For akimat staff.
    #[graphql(tag = "internal")]
    async fn decline_issue(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The reason.")] input: DeclineIssueInput,
    ) -> ApiResult<IssuePayload> {
        let (id, version, reason) = (issue_id(&input.issue_id)?, input.version, input.reason);
        let (app, viewer) = (ctx.app(), ctx.viewer());
        issue(ctx, run_with_retry(|| app.decline_issue(viewer, id, &reason, version)).await)
    }

    /// Takes up an issue again that was resolved or declined. Its history stays. For akimat staff.
    #[graphql(tag = "internal")]
    async fn reopen_issue(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The reason.")] input: ReopenIssueInput,
    ) -> ApiResult<IssuePayload> {
        let (id, version, reason) = (issue_id(&input.issue_id)?, input.version, input.reason);
        let (app, viewer) = (ctx.app(), ctx.viewer());
        issue(ctx, run_with_retry(|| app.reopen_issue(viewer, id, &reason, version)).await)
    }

    /// Releases the description that the public reads. Each edition is kept. For akimat staff.
    #[graphql(tag = "internal")]
    async fn release_description(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The description.")] input: ReleaseDescriptionInput,
    ) -> ApiResult<IssuePayload> {
        let (id, version, text) = (issue_id(&input.issue_id)?, input.version, input.text);
        let (app, viewer) = (ctx.app(), ctx.viewer());
        issue(ctx, run_with_retry(|| app.release_description(viewer, id, &text, version)).await)
    }

    /// Merges issues about the same problem. Sources and followers move; the old numbers stay valid. For akimat staff.
    #[graphql(tag = "internal")]
    async fn merge_issues(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The issues.")] input: MergeIssuesInput,
    ) -> ApiResult<IssuePayload> {
        let (into, ids) = input.parse()?;
        let (app, viewer) = (ctx.app(), ctx.viewer());
        issue(ctx, run_with_retry(|| app.merge_issues(viewer, into, &ids)).await)
    }

    /// Starts or stops to notify the viewer of an issue's changes. For citizens.
    #[graphql(tag = "public")]
    async fn follow_issue(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The issue.")] input: FollowIssueInput,
    ) -> ApiResult<IssuePayload> {
        let (id, follow) = (issue_id(&input.issue_id)?, input.follow);
        let (app, viewer) = (ctx.app(), ctx.viewer());
        issue(ctx, run_with_retry(|| app.follow_issue(viewer, id, follow)).await)
    }

    /// Says whether the viewer is satisfied with the outcome of a resolved issue that was raised from their words. The
    /// answer may be changed until the issue is reopened. For citizens.
    #[graphql(tag = "public")]
    async fn confirm_resolution(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The answer.")] input: ConfirmResolutionInput,
    ) -> ApiResult<IssuePayload> {
        let (id, satisfied, comment) = (issue_id(&input.issue_id)?, input.satisfied, input.comment);
        let (app, viewer) = (ctx.app(), ctx.viewer());
        issue(ctx, run_with_retry(|| app.confirm_resolution(viewer, id, satisfied, comment.as_deref())).await)
    }

    /// Sends a request before a meeting. It is seen by staff, and by the viewer. For citizens.
    #[graphql(tag = "public")]
    async fn submit_request(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The request.")] input: SubmitRequestInput,
    ) -> ApiResult<PublicRequestPayload> {
        let (submit, key) = input.parse()?;
        let (app, viewer, key) = (ctx.app(), ctx.viewer(), key.as_deref());
        request(ctx, run_with_retry(|| app.submit_request(viewer, &submit, key)).await)
    }

    /// Records requests that came by other channels. Those whose ids are recorded already are left out. For akimat staff.
    #[graphql(tag = "internal")]
    async fn record_requests(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The requests.")] input: RecordRequestsInput,
    ) -> ApiResult<MeetingPayload> {
        let (record, key) = input.parse()?;
        let (app, viewer, key) = (ctx.app(), ctx.viewer(), key.as_deref());
        meeting_payload(ctx, run_with_retry(|| app.record_requests(viewer, &record, key)).await)
    }
}
