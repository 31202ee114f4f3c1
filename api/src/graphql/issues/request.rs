//! The fields of a request, and lists of requests.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object};
use entities::{enums::IssueSourceKind, ids::RequestId};
use uuid::Uuid;

use crate::{
    app::reads::{Reads, RequestFilter},
    connection,
    graphql::{
        context::ContextExt,
        entity::{Entity as _, parse_id},
        enums::Language,
        error::{ApiError, ApiResult},
        issues::{
            entity::{Issue, PublicRequest, unit},
            enums::RequestChannel,
            loaders::IssueFrom,
        },
        meetings::Meeting,
        meter::request_bytes,
        page::{Cursor, Page, PageArgs, STATEMENT_COST, parse_search, text_search_cost},
        regions::Region,
        scalars::{Date, KatoCode},
    },
};

connection!(PublicRequestConnection, PublicRequestEdge, PublicRequest, RequestCounter, "requests", "STATEMENT_COST");

/// Filter of a list of requests. All given conditions must hold.
#[derive(InputObject, Clone, Debug, Default)]
#[graphql(name = "PublicRequestFilter")]
pub struct RequestFilterInput {
    /// For this meeting.
    pub meeting_id: Option<ID>,
    /// About this unit or one below it.
    pub region: Option<KatoCode>,
    /// By this channel.
    pub channel: Option<RequestChannel>,
    /// Only those from which no issue was raised.
    pub unassigned: Option<bool>,
    /// Words that the text must all contain. At most 20 words and 200 code points.
    pub search: Option<String>,
}

impl RequestFilterInput {
    /// Returns the cost of the filter.
    #[must_use]
    pub fn cost(filter: &Option<Self>) -> usize {
        text_search_cost(filter.as_ref().and_then(|filter| filter.search.as_deref()))
    }

    /// Converts the filter for the store.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` if the id is malformed, or the search has too many words.
    pub fn parse(self) -> ApiResult<RequestFilter> {
        Ok(RequestFilter {
            meeting: self.meeting_id.map(|id| parse_id::<Meeting>(&id, "filter.meetingId")).transpose()?,
            region: self.region.map(|code| code.0),
            channel: self.channel.map(Into::into),
            unassigned: self.unassigned.unwrap_or_default(),
            words: parse_search(self.search.as_deref(), "filter.search")?,
            ..RequestFilter::default()
        })
    }
}

/// Counts the requests that a filter selects.
pub struct RequestCounter(RequestFilter);

impl RequestCounter {
    /// Returns the count.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn count(&self, ctx: &Context<'_>) -> ApiResult<i32> {
        ctx.meter().statement()?;
        Ok(i32::try_from(ctx.reads().count_requests(&self.0).await?).unwrap_or(i32::MAX))
    }
}

impl Cursor for RequestId {
    fn write(&self) -> String {
        self.0.simple().to_string()
    }

    fn read(text: &str) -> Option<Self> {
        Uuid::try_parse(text).ok().map(Self)
    }
}

async fn page_of(ctx: &Context<'_>, filter: RequestFilter, page: PageArgs) -> ApiResult<PublicRequestConnection> {
    let request = page.request()?;
    ctx.meter().statement()?;
    let slice = ctx.reads().public_requests(&filter, &request).await?;
    ctx.meter().rows(slice.rows.iter().map(request_bytes).sum())?;
    let page = Page::new(slice, |row| row.id, |row| PublicRequest(Arc::new(row)));
    Ok(PublicRequestConnection::new(page, RequestCounter(filter)))
}

/// Returns a page of the requests that the viewer sees as staff and a filter selects, oldest first.
///
/// # Errors
/// `BAD_USER_INPUT` if the page arguments are invalid, `UNAUTHENTICATED` or `FORBIDDEN` if the viewer sees none.
pub async fn list_requests(
    ctx: &Context<'_>,
    filter: RequestFilter,
    page: PageArgs,
) -> ApiResult<PublicRequestConnection> {
    page_of(ctx, Reads::visible_requests(ctx.viewer(), filter)?, page).await
}

/// Returns a page of the viewer's own requests, oldest first.
///
/// # Errors
/// `BAD_USER_INPUT` if the page arguments are invalid.
pub async fn own_requests(ctx: &Context<'_>, page: PageArgs) -> ApiResult<PublicRequestConnection> {
    let own = Reads::own_requests(ctx.viewer()).ok_or(ApiError::Unauthenticated)?;
    page_of(ctx, own, page).await
}

/// A request that was sent in before a meeting (p. 3.4).
#[Object]
impl PublicRequest {
    /// Global id, opaque.
    pub async fn id(&self) -> ID {
        Self::global_id(self.0.id)
    }

    /// The number to quote, for example `R-ALM-2026-000123`.
    async fn number(&self) -> &str {
        &self.0.number
    }

    /// The meeting for which it was sent.
    async fn meeting(&self, ctx: &Context<'_>) -> ApiResult<Option<Meeting>> {
        let Some(id) = self.0.meeting_id else { return Ok(None) };
        Ok(ctx.load(id).await?.map(Meeting))
    }

    /// The unit that it is about.
    async fn region(&self, ctx: &Context<'_>) -> ApiResult<Region> {
        unit(ctx, &self.0.region_code)
    }

    /// The channel by which it came.
    async fn channel(&self) -> RequestChannel {
        self.0.channel.into()
    }

    /// The text.
    async fn text(&self, ctx: &Context<'_>) -> ApiResult<&str> {
        ctx.text(self.0.text.as_str())
    }

    /// Language of the text.
    async fn language(&self) -> Language {
        self.0.language.into()
    }

    /// How many people asked the same.
    async fn count(&self) -> i32 {
        self.0.count
    }

    /// The day on which it came.
    async fn received_on(&self) -> Date {
        Date(self.0.received_on)
    }

    /// The issue that was raised from it.
    async fn issue(&self, ctx: &Context<'_>) -> ApiResult<Option<Issue>> {
        issue_from(ctx, IssueSourceKind::Request, self.0.id.0).await
    }
}

/// Returns the issue that was raised from a source.
///
/// # Errors
/// If the database fails.
pub async fn issue_from(ctx: &Context<'_>, kind: IssueSourceKind, source: Uuid) -> ApiResult<Option<Issue>> {
    match ctx.load(IssueFrom(kind, source)).await? {
        Some(id) => Issue::load(ctx, id).await,
        None => Ok(None),
    }
}
