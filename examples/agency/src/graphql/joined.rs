//! What the agency adds to Kezdesu's types. Of each it declares the key and its own fields; the rest comes from Kezdesu.

use async_graphql::{ComplexObject, Context, ID, SimpleObject};

use crate::{
    case::{Case, CaseState, CommentId, IssueId, KatoCode},
    graphql::{
        case::CaseObject,
        context::Scene,
        error::ApiResult,
        loaders::PageOf,
        page::{CaseConnection, DEFAULT_PAGE, page_cost, window},
    },
};

/// A unit of the classifier.
#[derive(SimpleObject)]
#[graphql(complex)]
pub(in crate::graphql) struct Region {
    /// Classifier code.
    code: KatoCode,
}

impl Region {
    /// What is added to a unit.
    pub(in crate::graphql) const fn new(code: KatoCode) -> Self {
        Self { code }
    }
}

#[ComplexObject]
impl Region {
    /// The agency's cases about this unit, the newest first. Those about units below it are not among them.
    #[graphql(complexity = "page_cost(first, child_complexity)")]
    async fn cases(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only those in this state.")] state: Option<CaseState>,
        #[graphql(default_with = "DEFAULT_PAGE", desc = "How many, 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
    ) -> ApiResult<CaseConnection> {
        let window = window(state, first, after.as_deref())?;
        let page = PageOf { region: self.code.clone(), window };
        let cases = ctx.batch().load_one(page.clone()).await?.unwrap_or_default();
        Ok(CaseConnection::new(cases, &page.window))
    }
}

/// A question, proposal or remark at a meeting.
#[derive(SimpleObject)]
pub(in crate::graphql) struct Comment {
    /// Opaque identity.
    id: ID,
    /// The case that the agency opened about this question; null where it opened none.
    case: Option<CaseObject>,
}

impl Comment {
    /// What is added to a comment.
    pub(in crate::graphql) fn new(id: &CommentId, case: Option<Case>) -> Self {
        Self { id: id.as_str().into(), case: case.map(CaseObject) }
    }
}

/// A problem issue that a citizen raised (p. 3.5, 5).
#[derive(SimpleObject)]
pub(in crate::graphql) struct Issue {
    /// Global id, opaque.
    id: ID,
    /// The case that the agency opened about this issue; null where it opened none.
    case: Option<CaseObject>,
}

impl Issue {
    /// What is added to an issue.
    pub(in crate::graphql) fn new(id: &IssueId, case: Option<Case>) -> Self {
        Self { id: id.as_str().into(), case: case.map(CaseObject) }
    }
}
