//! The viewer.

use async_graphql::{Context, Object};

use crate::{
    domain::viewer::{self, MAX_GRANTS, Person},
    graphql::{
        agencies::Agency,
        context::ContextExt,
        enums::Role,
        error::ApiResult,
        issues::{IssueConnection, PublicRequestConnection, followed_issues, own_requests},
        page::{PageArgs, STATEMENT_COST, connection_cost},
        questions::{CommentConnection, own_comments},
        receptions::{RegistrationConnection, own_registrations},
        regions::Region,
    },
};

/// The authenticated caller, by the token.
pub struct Viewer(pub Person);

/// The authenticated caller, by the token.
#[Object]
impl Viewer {
    /// The subject of the token: identifies the person.
    async fn subject(&self) -> &str {
        &self.0.subject
    }

    /// The name shown with the viewer's comments.
    async fn display_name(&self) -> Option<&str> {
        Some(&self.0.name)
    }

    /// The roles of the caller, each in the scope of its grant.
    async fn roles(&self) -> Vec<Role> {
        self.0.roles().into_iter().map(Into::into).collect()
    }

    /// The roles of the caller, each with its scope.
    #[graphql(complexity = "MAX_GRANTS.saturating_mul(child_complexity).saturating_add(1)")]
    async fn grants(&self) -> Vec<Grant> {
        self.0.grants.iter().cloned().map(Grant).collect()
    }

    /// The viewer's own comments in any state, newest first.
    #[graphql(complexity = "connection_cost(first, None, child_complexity)")]
    async fn comments(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Number of items, 1 to 100; 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
    ) -> ApiResult<CommentConnection> {
        own_comments(ctx, PageArgs::forward(first, after)).await
    }

    /// The viewer's own registrations for receptions in any state, newest first.
    #[graphql(complexity = "connection_cost(first, None, child_complexity)")]
    async fn registrations(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Number of items, 1 to 100; 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
    ) -> ApiResult<RegistrationConnection> {
        own_registrations(ctx, PageArgs::forward(first, after)).await
    }

    /// The viewer's own requests, oldest first.
    #[graphql(complexity = "connection_cost(first, None, child_complexity)")]
    async fn requests(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Number of items, 1 to 100; 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
    ) -> ApiResult<PublicRequestConnection> {
        own_requests(ctx, PageArgs::forward(first, after)).await
    }

    /// The issues that the viewer follows, last changed first: those raised from their words, and those followed by hand.
    #[graphql(complexity = "connection_cost(first, None, child_complexity)")]
    async fn followed_issues(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Number of items, 1 to 100; 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
    ) -> ApiResult<IssueConnection> {
        followed_issues(ctx, PageArgs::forward(first, after)).await
    }

    /// Position of the newest notification. Read it with the comments and registrations or before them, then
    /// subscribe to `notifications` after it.
    #[graphql(complexity = "STATEMENT_COST")]
    async fn notifications_head(&self, ctx: &Context<'_>) -> ApiResult<i64> {
        ctx.meter().statement()?;
        Ok(ctx.reads().notifications_head(&self.0).await?)
    }

    /// The unit in which the caller has their roles, with all units below it. Null if the grants name none or several.
    async fn region(&self, ctx: &Context<'_>) -> Option<Region> {
        Region::current(ctx, self.0.region()?)
    }

    /// The agency for which the caller has their roles. Null if the grants name none or several, or an unknown one.
    async fn agency(&self, ctx: &Context<'_>) -> Option<Agency> {
        Agency::by_code(ctx, self.0.agency()?)
    }
}

/// A role with the scope in which the caller has it.
pub struct Grant(viewer::Grant);

/// A role with the scope in which the caller has it.
#[Object]
impl Grant {
    /// The role.
    async fn role(&self) -> Role {
        self.0.role.into()
    }

    /// The unit in which the caller has the role, with all units below it. ADMIN and ADMINISTRATION hold everywhere.
    async fn region(&self, ctx: &Context<'_>) -> Option<Region> {
        Region::current(ctx, self.0.region?)
    }

    /// The agency for which the caller has the role. Null if the grant names none, or an unknown one.
    async fn agency(&self, ctx: &Context<'_>) -> Option<Agency> {
        Agency::by_code(ctx, self.0.agency.as_deref()?)
    }
}
