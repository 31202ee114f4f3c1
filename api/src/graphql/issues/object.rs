//! The fields of an issue.

use async_graphql::{Context, ID, Object, Union};
use chrono::{DateTime, Utc};
use entities::{
    enums::IssueSourceKind,
    ids::{CommentId, RegistrationId, RequestId},
};

use crate::{
    app::issues::own_deadline,
    clock::almaty_date,
    domain::{
        issues::is_overdue,
        policy::{ReportIssue, RunIssue},
    },
    graphql::{
        agencies::Agency,
        context::ContextExt,
        entity::Entity as _,
        enums::Language,
        error::ApiResult,
        issues::{
            entity::{Issue, PublicRequest, unit},
            enums::{IssueLevel, IssueState},
            history::{IssueChangeConnection, list_history},
            loaders::{OwnPartIn, PlanOf, ReportsOn, SourcesOf},
            parts::{Confirmations, Funding, PlanStep, ProgressReport},
        },
        meetings::Meeting,
        page::{PageArgs, STATEMENT_COST, connection_cost},
        questions::Comment,
        receptions::Registration,
        regions::Region,
        scalars::Date,
    },
};

/// The number of items by which lists of an issue are priced.
const PRICED_ITEMS: usize = 10;

/// What an issue was raised from.
#[derive(Union)]
pub enum IssueSource {
    /// A comment on a meeting.
    Comment(Comment),
    /// A registration for a personal reception.
    Registration(Registration),
    /// A request that was sent in before a meeting.
    PublicRequest(PublicRequest),
}

/// A problem issue that a citizen raised (p. 3.5, 5).
#[Object]
impl Issue {
    /// Global id, opaque.
    pub async fn id(&self) -> ID {
        Self::global_id(self.0.id)
    }

    /// The number to quote, for example `ALM-2026-000123`.
    async fn number(&self) -> &str {
        &self.0.number
    }

    /// Title.
    async fn title(&self, ctx: &Context<'_>) -> ApiResult<&str> {
        ctx.text(self.0.title.as_str())
    }

    /// Description: for the public the released one, empty until staff has released it.
    async fn description(&self, ctx: &Context<'_>) -> ApiResult<&str> {
        let released = self.0.released_description.as_deref().unwrap_or_default();
        ctx.text(if self.shows_internals(ctx)? { self.0.description.as_str() } else { released })
    }

    /// The description that the public reads; null until staff has released it.
    async fn released_description(&self, ctx: &Context<'_>) -> ApiResult<Option<&str>> {
        self.0.released_description.as_deref().map(|released| ctx.text(released)).transpose()
    }

    /// Code of the category.
    async fn category(&self) -> &str {
        &self.0.category
    }

    /// Language of the texts.
    async fn language(&self) -> Language {
        self.0.language.into()
    }

    /// The unit that it is about.
    async fn region(&self, ctx: &Context<'_>) -> ApiResult<Region> {
        unit(ctx, &self.0.region_code)
    }

    /// The meeting at which it was raised.
    async fn meeting(&self, ctx: &Context<'_>) -> ApiResult<Option<Meeting>> {
        let Some(id) = self.0.meeting_id else { return Ok(None) };
        Ok(ctx.load(id).await?.map(Meeting))
    }

    /// What it was raised from, as far as the viewer may see it. The public sees published comments only.
    #[graphql(complexity = "PRICED_ITEMS.saturating_mul(child_complexity).saturating_add(STATEMENT_COST)")]
    async fn raised_by(&self, ctx: &Context<'_>) -> ApiResult<Vec<IssueSource>> {
        let rows = ctx.load(SourcesOf(self.0.id)).await?.unwrap_or_default();
        let sources = rows.into_iter().map(|(kind, id)| async move {
            ApiResult::Ok(match kind {
                IssueSourceKind::Comment => {
                    ctx.loaders().load_one(CommentId(id)).await?.map(Comment).map(IssueSource::Comment)
                }
                IssueSourceKind::Registration => {
                    let row = ctx.loaders().load_one(RegistrationId(id)).await?;
                    row.map(Registration::new).map(IssueSource::Registration)
                }
                IssueSourceKind::Request => {
                    ctx.loaders().load_one(RequestId(id)).await?.map(PublicRequest).map(IssueSource::PublicRequest)
                }
                IssueSourceKind::Unknown => None,
            })
        });
        Ok(futures_util::future::try_join_all(sources).await?.into_iter().flatten().collect())
    }

    /// Which bodies it needs.
    async fn level(&self) -> IssueLevel {
        self.0.level.into()
    }

    /// The state.
    async fn state(&self) -> IssueState {
        self.0.state.into()
    }

    /// The responsible body.
    async fn responsible(&self, ctx: &Context<'_>) -> Option<Agency> {
        self.0.responsible.as_deref().map(|code| Agency::by_stored_code(ctx, code))
    }

    /// The day by which it is to be solved.
    async fn deadline(&self) -> Option<Date> {
        self.0.deadline.map(Date)
    }

    /// Whether it is open and its deadline has passed.
    async fn overdue(&self, ctx: &Context<'_>) -> bool {
        is_overdue(self.0.state, own_deadline(&self.0), almaty_date(ctx.app().clock.now()))
    }

    /// What the maslikhat decided about the money (p. 3.5); null before that.
    async fn funding(&self) -> Option<Funding> {
        Funding::of(&self.0)
    }

    /// The steps of the plan, in their order.
    #[graphql(complexity = "PRICED_ITEMS.saturating_mul(child_complexity).saturating_add(STATEMENT_COST)")]
    async fn plan(&self, ctx: &Context<'_>) -> ApiResult<Vec<PlanStep>> {
        Ok(ctx.load(PlanOf(self.0.id)).await?.unwrap_or_default().into_iter().map(PlanStep).collect())
    }

    /// The newest report of each quarter, oldest first.
    #[graphql(complexity = "PRICED_ITEMS.saturating_mul(child_complexity).saturating_add(STATEMENT_COST)")]
    async fn progress(&self, ctx: &Context<'_>) -> ApiResult<Vec<ProgressReport>> {
        Ok(ctx.load(ReportsOn(self.0.id)).await?.unwrap_or_default().into_iter().map(ProgressReport).collect())
    }

    /// What was done about it, or why it was declined.
    async fn resolution(&self, ctx: &Context<'_>) -> ApiResult<Option<&str>> {
        self.0.resolution.as_deref().map(|resolution| ctx.text(resolution)).transpose()
    }

    /// All changes, oldest first.
    #[graphql(complexity = "connection_cost(first, None, child_complexity)")]
    async fn history(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Number of items, 1 to 100; 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
    ) -> ApiResult<IssueChangeConnection> {
        list_history(ctx, self, PageArgs::forward(first, after)).await
    }

    /// The issue that it was merged into. Its sources and followers are there.
    async fn merged_into(&self, ctx: &Context<'_>) -> ApiResult<Option<Self>> {
        let Some(id) = self.0.merged_into else { return Ok(None) };
        Self::load(ctx, id).await
    }

    /// Whether the viewer is notified of its changes.
    async fn viewer_follows(&self, ctx: &Context<'_>) -> ApiResult<bool> {
        Ok(ctx.load(OwnPartIn(self.0.id)).await?.is_some_and(|part| part.follows))
    }

    /// Whether it was raised from the viewer's words, so that they are asked whether they are satisfied.
    async fn viewer_raised(&self, ctx: &Context<'_>) -> ApiResult<bool> {
        Ok(ctx.load(OwnPartIn(self.0.id)).await?.is_some_and(|part| part.raised))
    }

    /// What the viewer said of the outcome; null if nothing.
    async fn viewer_satisfied(&self, ctx: &Context<'_>) -> ApiResult<Option<bool>> {
        Ok(ctx.load(OwnPartIn(self.0.id)).await?.and_then(|part| part.satisfied))
    }

    /// What those from whose words it was raised say of the outcome.
    async fn confirmations(&self) -> Confirmations {
        Confirmations { satisfied: self.0.satisfied, unsatisfied: self.0.unsatisfied }
    }

    /// Whether the viewer may assign, plan, decline, reopen and merge it.
    async fn viewer_can_edit(&self, ctx: &Context<'_>) -> ApiResult<bool> {
        Ok(self.0.merged_into.is_none() && self.permits::<RunIssue>(ctx)?)
    }

    /// Whether the viewer may report on it and resolve it.
    async fn viewer_can_report(&self, ctx: &Context<'_>) -> ApiResult<bool> {
        Ok(self.0.merged_into.is_none() && self.permits::<ReportIssue>(ctx)?)
    }

    /// When it was raised.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// When it last changed.
    async fn updated_at(&self) -> DateTime<Utc> {
        self.0.updated_at
    }

    /// Version of the object, raised by every change.
    async fn version(&self) -> i32 {
        self.0.version
    }
}
