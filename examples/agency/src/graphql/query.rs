//! What can be asked, and how a gateway's references are resolved.

use async_graphql::{Any, Context, Object, Value};

use crate::{
    case::{CaseId, CaseState, CommentId, IssueId},
    graphql::{
        case::CaseObject,
        context::Scene,
        error::ApiResult,
        joined::{Comment, Issue, Region},
        loaders::Number,
        page::{CaseConnection, DEFAULT_PAGE, page_cost, window},
    },
};

/// The root of everything that is read.
pub(in crate::graphql) struct Query;

// A reference resolver takes any value as its key: one that cannot be a key is null in its place, where an error would take
// all others of the batch with it. It looks up here what it can: the library begins all of these before it waits for any,
// where the fields of objects are begun a few at a time, so that their look-ups may come in more than one batch.

/// Everything that can be read.
#[Object]
impl Query {
    /// The case with this number; null where there is none.
    #[graphql(tag = "public")]
    async fn case(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Number in the register, for example `2026-00017`.")] number: String,
    ) -> ApiResult<Option<CaseObject>> {
        let found = ctx.register().store().by_numbers([number.as_str()].into_iter()).await?;
        Ok(found.into_iter().next().map(CaseObject))
    }

    /// The agency's cases, the newest first.
    #[graphql(tag = "public", complexity = "page_cost(first, child_complexity)")]
    async fn cases(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only those in this state.")] state: Option<CaseState>,
        #[graphql(default_with = "DEFAULT_PAGE", desc = "How many, 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
    ) -> ApiResult<CaseConnection> {
        let window = window(state, first, after.as_deref())?;
        Ok(CaseConnection::new(ctx.register().store().page(&window).await?, &window))
    }

    #[graphql(entity)]
    async fn case_by_id(&self, ctx: &Context<'_>, id: Any) -> ApiResult<Option<CaseObject>> {
        let Some(id) = text(&id).and_then(|id| id.parse::<CaseId>().ok()) else { return Ok(None) };
        Ok(ctx.batch().load_one(id).await?.map(CaseObject))
    }

    #[graphql(entity)]
    async fn case_by_number(&self, ctx: &Context<'_>, number: Any) -> ApiResult<Option<CaseObject>> {
        let Some(number) = text(&number) else { return Ok(None) };
        Ok(ctx.batch().load_one(Number(number.to_owned())).await?.map(CaseObject))
    }

    /// Which units there are is Kezdesu's to say: whatever code it asks for is taken.
    #[graphql(entity)]
    async fn region(&self, code: Any) -> Option<Region> {
        text(&code)?.parse().ok().map(Region::new)
    }

    /// Which comments there are, and for whom, is Kezdesu's to say: whatever identity it asks for is taken.
    #[graphql(entity)]
    async fn comment(&self, ctx: &Context<'_>, id: Any) -> ApiResult<Option<Comment>> {
        let Some(id) = text(&id).and_then(|id| id.parse::<CommentId>().ok()) else { return Ok(None) };
        let case = ctx.batch().load_one(id.clone()).await?;
        Ok(Some(Comment::new(&id, case)))
    }

    /// Which issues there are, and for whom, is Kezdesu's to say: whatever identity it asks for is taken. An issue is joined
    /// by its identity alone: a number can be typed in several ways, and a case about each would be one too many.
    #[graphql(entity)]
    async fn issue(&self, ctx: &Context<'_>, id: Any) -> ApiResult<Option<Issue>> {
        let Some(id) = text(&id).and_then(|id| id.parse::<IssueId>().ok()) else { return Ok(None) };
        let case = ctx.batch().load_one(id.clone()).await?;
        Ok(Some(Issue::new(&id, case)))
    }
}

fn text(key: &Any) -> Option<&str> {
    match &key.0 {
        Value::String(text) => Some(text),
        _ => None,
    }
}
