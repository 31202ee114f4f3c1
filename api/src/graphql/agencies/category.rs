//! Categories of issues. They are served from memory.

use std::sync::Arc;

use async_graphql::{Context, Object};

use crate::{
    domain::issue_categories,
    graphql::{context::ContextExt, enums::Language, error::ApiResult, localized::LocalizedText},
};

/// A category of issues.
#[derive(Clone)]
pub struct IssueCategory(Arc<issue_categories::IssueCategory>);

impl IssueCategory {
    /// Creates the object.
    #[must_use]
    pub const fn new(category: Arc<issue_categories::IssueCategory>) -> Self {
        Self(category)
    }
}

/// Returns all categories, in their order.
#[must_use]
pub fn issue_categories(ctx: &Context<'_>) -> Vec<IssueCategory> {
    ctx.app().issue_categories().all().iter().cloned().map(IssueCategory).collect()
}

/// A category of issues.
#[Object]
impl IssueCategory {
    /// Code, for example `water-supply`. A code never changes its meaning.
    async fn code(&self) -> &str {
        &self.0.code
    }

    /// Name, in the caller's language by default; in Kazakh if there is none in that language.
    async fn name(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Language of the name.")] language: Option<Language>,
    ) -> ApiResult<&str> {
        ctx.text(self.0.names.in_language(language.map_or_else(|| ctx.language(), Into::into)))
    }

    /// Names in all languages.
    async fn names(&self, ctx: &Context<'_>) -> ApiResult<LocalizedText> {
        LocalizedText::from(&self.0.names).metered(ctx)
    }
}
