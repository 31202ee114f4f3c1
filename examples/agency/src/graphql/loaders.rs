//! Look-ups of one request, batched: references of any number cost one statement a kind.
//!
//! A batch belongs to one request, so nothing loaded for one caller can reach another. Nothing is cached.

use std::collections::HashMap;

use async_graphql::dataloader::Loader;

use crate::{
    case::{Case, CaseId, CommentId, IssueId, KatoCode},
    graphql::error::ApiError,
    store::{Store, Window},
};

/// The look-ups of one request.
pub(in crate::graphql) struct Batch(pub(in crate::graphql) Store);

/// A case by its number in the register.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(in crate::graphql) struct Number(pub(in crate::graphql) String);

/// A page of a region's cases.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(in crate::graphql) struct PageOf {
    pub(in crate::graphql) region: KatoCode,
    pub(in crate::graphql) window: Window,
}

impl Loader<CaseId> for Batch {
    type Value = Case;
    type Error = ApiError;

    async fn load(&self, ids: &[CaseId]) -> Result<HashMap<CaseId, Case>, ApiError> {
        Ok(self.0.by_ids(ids).await?.into_iter().map(|case| (case.id, case)).collect())
    }
}

impl Loader<Number> for Batch {
    type Value = Case;
    type Error = ApiError;

    async fn load(&self, numbers: &[Number]) -> Result<HashMap<Number, Case>, ApiError> {
        let cases = self.0.by_numbers(numbers.iter().map(|number| number.0.as_str())).await?;
        Ok(cases.into_iter().map(|case| (Number(case.number.clone()), case)).collect())
    }
}

impl Loader<CommentId> for Batch {
    type Value = Case;
    type Error = ApiError;

    async fn load(&self, comments: &[CommentId]) -> Result<HashMap<CommentId, Case>, ApiError> {
        let cases = self.0.by_comments(comments).await?;
        Ok(cases.into_iter().filter_map(|case| Some((case.comment()?.clone(), case))).collect())
    }
}

impl Loader<IssueId> for Batch {
    type Value = Case;
    type Error = ApiError;

    async fn load(&self, issues: &[IssueId]) -> Result<HashMap<IssueId, Case>, ApiError> {
        let cases = self.0.by_issues(issues).await?;
        Ok(cases.into_iter().filter_map(|case| Some((case.issue()?.clone(), case))).collect())
    }
}

impl Loader<PageOf> for Batch {
    type Value = Vec<Case>;
    type Error = ApiError;

    async fn load(&self, pages: &[PageOf]) -> Result<HashMap<PageOf, Vec<Case>>, ApiError> {
        // As many statements as there are different pages: in one operation, as many as it names the field.
        let mut windows: HashMap<&Window, Vec<&KatoCode>> = HashMap::new();
        for page in pages {
            windows.entry(&page.window).or_default().push(&page.region);
        }
        let mut found: HashMap<PageOf, Vec<Case>> = HashMap::new();
        for (window, regions) in windows {
            for case in self.0.pages_of(regions.into_iter(), window).await? {
                let page = PageOf { region: case.region.clone(), window: window.clone() };
                found.entry(page).or_default().push(case);
            }
        }
        Ok(found)
    }
}
