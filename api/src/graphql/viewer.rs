//! The viewer.

use async_graphql::{Context, Object};

use crate::{
    domain::viewer::Person,
    graphql::{
        context::ContextExt,
        enums::Role,
        error::ApiResult,
        page::{PageArgs, STATEMENT_COST, connection_cost},
        questions::{CommentConnection, own_comments},
        regions::Region,
    },
};

/// The signed-in caller, as the token says.
pub struct Viewer(pub Person);

/// The signed-in caller, as the token says.
#[Object]
impl Viewer {
    /// The token's subject: one person, whatever their roles.
    async fn subject(&self) -> &str {
        &self.0.subject
    }

    /// The name shown beside what the caller writes.
    async fn display_name(&self) -> Option<&str> {
        Some(&self.0.name)
    }

    /// What the caller may be.
    async fn roles(&self) -> Vec<Role> {
        self.0.roles.iter().copied().map(Into::into).collect()
    }

    /// The caller's own comments whatever their state, newest first.
    #[graphql(complexity = "connection_cost(first, None, child_complexity)")]
    async fn comments(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, 1 to 100; 20 unless told.")] first: Option<i32>,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
    ) -> ApiResult<CommentConnection> {
        own_comments(ctx, PageArgs::forward(first, after)).await
    }

    /// Position of the newest notification: read it with the comments or before them, then subscribe to `notifications` after it.
    #[graphql(complexity = "STATEMENT_COST")]
    async fn notifications_head(&self, ctx: &Context<'_>) -> ApiResult<i64> {
        ctx.meter().statement()?;
        Ok(ctx.app().notifications_head(&self.0.subject).await?)
    }

    /// The unit over whose subtree the caller has authority.
    async fn region(&self, ctx: &Context<'_>) -> Option<Region> {
        Region::current(ctx, self.0.region?)
    }
}
