//! The mutations of agencies and categories. They only translate.

use async_graphql::{Context, Object, SimpleObject};

use crate::{
    domain::{agencies::AgencyDraft, issue_categories::IssueCategoryDraft},
    graphql::{
        agencies::{
            Agency, IssueCategory,
            input::{SaveAgencyInput, SaveIssueCategoryInput},
        },
        context::ContextExt,
        error::ApiResult,
        mutation::{payload, run_with_retry},
        refusal::Refusal,
    },
};

/// An agency or a refusal: exactly one of the two is set.
#[derive(SimpleObject)]
pub struct AgencyPayload {
    /// The agency after the change.
    pub agency: Option<Agency>,
    /// Why nothing was changed.
    pub refusal: Option<Refusal>,
}

/// A category of issues or a refusal: exactly one of the two is set.
#[derive(SimpleObject)]
pub struct IssueCategoryPayload {
    /// The category after the change.
    pub category: Option<IssueCategory>,
    /// Why nothing was changed.
    pub refusal: Option<Refusal>,
}

/// Mutations of agencies and categories of issues.
#[derive(Default)]
pub struct AgencyMutation;

/// Mutations of agencies and categories of issues.
#[Object]
impl AgencyMutation {
    /// Adds an agency, or replaces all fields of the one with this code. Saving the same again changes nothing. For ADMIN.
    #[graphql(tag = "internal")]
    async fn save_agency(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The agency.")] input: SaveAgencyInput,
    ) -> ApiResult<AgencyPayload> {
        let (app, viewer, draft) = (ctx.app(), ctx.viewer(), AgencyDraft::from(input));
        let saved = run_with_retry(|| app.save_agency(viewer, draft.clone())).await;
        payload(ctx, saved, |agency, refusal| AgencyPayload { agency: agency.map(Agency::new), refusal })
    }

    /// Adds a category of issues, or renames the one with this code. Saving the same again changes nothing. For ADMIN.
    #[graphql(tag = "internal")]
    async fn save_issue_category(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The category.")] input: SaveIssueCategoryInput,
    ) -> ApiResult<IssueCategoryPayload> {
        let (app, viewer, draft) = (ctx.app(), ctx.viewer(), IssueCategoryDraft::from(input));
        let saved = run_with_retry(|| app.save_issue_category(viewer, draft.clone())).await;
        payload(ctx, saved, |category, refusal| IssueCategoryPayload {
            category: category.map(IssueCategory::new),
            refusal,
        })
    }
}
