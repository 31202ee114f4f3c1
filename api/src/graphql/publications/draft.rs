//! What would be published.

use async_graphql::{Context, Object};

use crate::{
    app::{CommandError, Rejection, publications::DraftedPublication},
    domain::publications::WantedPublication,
    graphql::{
        context::ContextExt,
        error::{ApiError, ApiResult},
        issues::{IssueConnection, list_issues},
        page::{PageArgs, connection_cost},
        publications::{enums::PublicationKind, missing::MissingPart},
    },
};

/// The number of missing parts by which their list is priced.
const PRICED_PARTS: usize = 50;
/// The cost of looking through all issues for what is missing.
const LOOK_COST: usize = 500;

/// What `publish` would publish, and what is missing.
pub struct PublicationDraft(DraftedPublication);

/// Returns what would be published, for those who may publish it.
///
/// # Errors
/// `UNAUTHENTICATED` or `FORBIDDEN` if the viewer may not, `BAD_USER_INPUT` if a field breaks a rule.
pub async fn draft_publication(ctx: &Context<'_>, wanted: WantedPublication) -> ApiResult<PublicationDraft> {
    ctx.meter().statement()?;
    let draft = ctx.reads().publication_draft(ctx.viewer(), wanted).await;
    Ok(PublicationDraft(draft.map_err(query_error)?))
}

/// Returns the error of a query whose input a command would refuse.
fn query_error(error: CommandError) -> ApiError {
    match error {
        CommandError::Unauthenticated => ApiError::Unauthenticated,
        CommandError::Forbidden => ApiError::Forbidden,
        CommandError::Store(error) => error.into(),
        CommandError::Rejected(rejection) => match *rejection {
            Rejection::NotFound { .. } => ApiError::NotFound,
            Rejection::Invalid { field, .. } => ApiError::bad(&format!("input.{field}")),
            _ => ApiError::bad("input"),
        },
    }
}

/// What `publish` would publish, and what is missing.
#[Object]
impl PublicationDraft {
    /// The kind.
    async fn kind(&self) -> PublicationKind {
        self.0.wanted.kind.into()
    }

    /// What is missing, item by item; the first 500 items if there are more. `publish` is refused until nothing is.
    #[graphql(complexity = "PRICED_PARTS.saturating_mul(child_complexity).saturating_add(LOOK_COST)")]
    async fn missing(&self, ctx: &Context<'_>) -> ApiResult<Vec<MissingPart>> {
        ctx.meter().statement()?;
        let missing = ctx.reads().missing_parts(ctx.viewer(), &self.0.wanted).await.map_err(query_error)?;
        Ok(missing.into_iter().map(MissingPart).collect())
    }

    /// The issues that it is about, newest first.
    #[graphql(complexity = "connection_cost(first, None, child_complexity)")]
    async fn issues(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Number of items, 1 to 100; 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
    ) -> ApiResult<IssueConnection> {
        list_issues(ctx, self.0.issues.clone(), PageArgs::forward(first, after)).await
    }
}
