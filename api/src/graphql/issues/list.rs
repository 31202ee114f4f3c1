//! Lists of issues and their filter.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject};
use chrono::{DateTime, Datelike as _, NaiveDate, Utc};
use entities::ids::IssueId;
use uuid::Uuid;

use crate::{
    app::reads::{IssueCursor, IssueFilter, IssueOrder as StoredOrder, Reads},
    clock::almaty_date,
    connection,
    graphql::{
        context::ContextExt,
        entity::parse_id,
        error::{ApiError, ApiResult},
        issues::{
            entity::Issue,
            enums::{IssueLevel, IssueOrder, IssueState},
        },
        meetings::Meeting,
        meter::issue_bytes,
        page::{Cursor, Page, PageArgs, dedup, indexed_search_cost, parse_search},
        scalars::KatoCode,
    },
};

connection!(
    IssueConnection,
    IssueEdge,
    Issue,
    IssueCounter,
    "issues",
    "COUNT_COST",
    "Number of items in the whole list, or 10,000 if there are more. Counted only if selected."
);

/// The cost of counting a list of issues, up to 10,000.
const COUNT_COST: usize = 60;
/// The longest code in a filter.
const MAX_CODE_LENGTH: usize = 60;

/// Filter of a list of issues. All given conditions must hold.
#[derive(InputObject, Clone, Debug, Default)]
#[graphql(name = "IssueFilter")]
pub struct IssueFilterInput {
    /// About this unit or one below it.
    pub region: Option<KatoCode>,
    /// Raised at this meeting.
    pub meeting_id: Option<ID>,
    /// Code of the responsible body.
    pub agency: Option<String>,
    /// Which bodies they need.
    pub level: Option<IssueLevel>,
    /// Any of these states.
    pub states: Option<Vec<IssueState>>,
    /// Code of the category.
    pub category: Option<String>,
    /// Whether they are open and their deadline has passed.
    pub overdue: Option<bool>,
    /// Whether so many of those who raised them are not satisfied that staff has to look again.
    pub unsatisfied: Option<bool>,
    /// Words that the number, the title or the description must all contain; Kazakh letters may be typed as Russian ones. Descriptions that are
    /// not released are searched for staff only. At most 20 words and 200 code points.
    pub search: Option<String>,
    /// The order of a list, newest first by default. Subscriptions ignore it.
    pub order_by: Option<IssueOrder>,
}

impl IssueFilterInput {
    /// Returns the cost of the filter.
    #[must_use]
    pub fn cost(filter: &Option<Self>) -> usize {
        indexed_search_cost(filter.as_ref().and_then(|filter| filter.search.as_deref()))
    }

    /// Converts the filter for the store.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` if an id or a code is malformed, or the search has too many words.
    pub fn parse(self, ctx: &Context<'_>) -> ApiResult<IssueFilter> {
        let code = |code: Option<String>, field: &str| match code {
            Some(code) if !is_code(&code) => Err(ApiError::bad(field)),
            code => Ok(code),
        };
        let today = almaty_date(ctx.app().clock.now());
        Ok(IssueFilter {
            region: self.region.map(|code| code.0),
            meeting: self.meeting_id.map(|id| parse_id::<Meeting>(&id, "filter.meetingId")).transpose()?,
            agency: code(self.agency, "filter.agency")?,
            level: self.level.map(Into::into),
            states: self.states.map(dedup),
            category: code(self.category, "filter.category")?,
            overdue: self.overdue.map(|overdue| (overdue, today)),
            unsatisfied: self.unsatisfied,
            words: parse_search(self.search.as_deref(), "filter.search")?,
            followed_by: None,
            published: None,
            order: self.order_by.map_or(StoredOrder::Newest, Into::into),
        })
    }
}

/// Returns whether a text may be a code: some databases cannot look for every text.
fn is_code(text: &str) -> bool {
    text.len() <= MAX_CODE_LENGTH && text.bytes().all(|byte| byte.is_ascii_graphic())
}

impl From<IssueOrder> for StoredOrder {
    fn from(order: IssueOrder) -> Self {
        match order {
            IssueOrder::Newest => Self::Newest,
            IssueOrder::MostUrgent => Self::MostUrgent,
            IssueOrder::LastChanged => Self::LastChanged,
        }
    }
}

/// Counts the issues that a filter selects.
pub struct IssueCounter(pub IssueFilter);

impl IssueCounter {
    /// Returns the count, at most 10,000.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn count(&self, ctx: &Context<'_>) -> ApiResult<i32> {
        ctx.meter().statement()?;
        let count = ctx.reads().count_issues(ctx.viewer(), &self.0).await?;
        Ok(i32::try_from(count).unwrap_or(i32::MAX))
    }
}

impl Cursor for IssueCursor {
    fn write(&self) -> String {
        match self {
            Self::Newest(at, id) => format!("n{}.{}", at.timestamp_micros(), id.0.simple()),
            Self::MostUrgent(day, id) => format!("u{day}.{}", id.0.simple()),
            Self::LastChanged(at, id) => format!("c{}.{}", at.timestamp_micros(), id.0.simple()),
        }
    }

    fn read(text: &str) -> Option<Self> {
        let (key, id) = text.split_once('.')?;
        let id = IssueId(Uuid::try_parse(id).ok()?);
        let instant = |micros: &str| -> Option<DateTime<Utc>> {
            let at = DateTime::from_timestamp_micros(micros.parse().ok()?)?;
            // Reject earlier years, which some databases do not support.
            (at.year() > 0).then_some(at)
        };
        let (order, key) = key.split_at_checked(1)?;
        match order {
            "n" => Some(Self::Newest(instant(key)?, id)),
            "u" => Some(Self::MostUrgent(key.parse::<NaiveDate>().ok().filter(|day| day.year() > 0)?, id)),
            "c" => Some(Self::LastChanged(instant(key)?, id)),
            _ => None,
        }
    }
}

/// Returns a page of the issues that a filter selects.
///
/// # Errors
/// `BAD_USER_INPUT` if the page arguments are invalid.
pub async fn list_issues(ctx: &Context<'_>, filter: IssueFilter, page: PageArgs) -> ApiResult<IssueConnection> {
    let request = page.request::<IssueCursor>()?;
    for (cursor, field) in [(request.after, "after"), (request.before, "before")] {
        if cursor.is_some_and(|cursor| cursor.order() != filter.order) {
            return Err(ApiError::bad(field));
        }
    }
    ctx.meter().statement()?;
    let slice = ctx.reads().issues(ctx.viewer(), &filter, &request).await?;
    ctx.meter().rows(slice.rows.iter().map(issue_bytes).sum())?;
    let order = filter.order;
    let page = Page::new(slice, |row| IssueCursor::of(order, row), |row| Issue(Arc::new(row)));
    Ok(IssueConnection::new(page, IssueCounter(filter)))
}

/// Returns a page of the issues that the viewer follows, last changed first.
///
/// # Errors
/// `BAD_USER_INPUT` if the page arguments are invalid.
pub async fn followed_issues(ctx: &Context<'_>, page: PageArgs) -> ApiResult<IssueConnection> {
    let followed_by = Reads::follower(ctx.viewer());
    let order = StoredOrder::LastChanged;
    list_issues(ctx, IssueFilter { followed_by, order, ..IssueFilter::default() }, page).await
}
