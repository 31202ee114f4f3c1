//! Connections: the page is checked once, the cursor is opaque.

use async_graphql::{Object, SimpleObject};

use crate::{
    case::{Case, CaseState},
    graphql::{
        case::CaseObject,
        error::{ApiError, ApiResult},
    },
    store::Window,
};

/// How many cases a page holds unless told.
pub(in crate::graphql) const DEFAULT_PAGE: Option<i32> = Some(20);
/// How many cases a page holds at most.
const LARGEST_PAGE: i32 = 100;

/// What a page costs: every item costs its children.
pub(in crate::graphql) fn page_cost(first: Option<i32>, child: usize) -> usize {
    let first = first.or(DEFAULT_PAGE).unwrap_or(LARGEST_PAGE);
    let items = usize::try_from(first.clamp(1, LARGEST_PAGE)).unwrap_or(1);
    items.saturating_mul(child.max(1)).saturating_add(1)
}

/// The page that the arguments mean. One row more than it shows says whether more follow.
///
/// # Errors
/// `BAD_USER_INPUT` when a size is not in 1..=100, or a cursor is none of ours.
pub(in crate::graphql) fn window(
    state: Option<CaseState>,
    first: Option<i32>,
    after: Option<&str>,
) -> ApiResult<Window> {
    let first = first.or(DEFAULT_PAGE).unwrap_or(LARGEST_PAGE);
    if !(1..=LARGEST_PAGE).contains(&first) {
        return Err(ApiError::BadInput("first"));
    }
    let after = after.map(|cursor| cursor.parse().map_err(|_| ApiError::BadInput("after"))).transpose()?;
    Ok(Window { state, after, limit: i64::from(first) + 1 })
}

/// Where a page lies in its list.
#[derive(SimpleObject, Clone, Debug)]
#[graphql(shareable)]
pub(in crate::graphql) struct PageInfo {
    /// Whether more items follow.
    has_next_page: bool,
    /// Whether items go before.
    has_previous_page: bool,
    /// Cursor of the first item of the page.
    start_cursor: Option<String>,
    /// Cursor of the last item of the page.
    end_cursor: Option<String>,
}

/// One of a list of cases, with its place in the list.
#[derive(SimpleObject)]
pub(in crate::graphql) struct CaseEdge {
    /// Place in the list: give it as `after`.
    cursor: String,
    /// The item.
    node: CaseObject,
}

/// A page of a list of cases, the newest first.
pub(in crate::graphql) struct CaseConnection {
    cases: Vec<Case>,
    has_next: bool,
    has_previous: bool,
}

impl CaseConnection {
    /// A page of the rows that were read for it.
    pub(in crate::graphql) fn new(mut cases: Vec<Case>, window: &Window) -> Self {
        let shown = usize::try_from(window.limit - 1).unwrap_or_default();
        let has_next = cases.len() > shown;
        cases.truncate(shown);
        Self { cases, has_next, has_previous: window.after.is_some() }
    }
}

/// A page of a list of cases, the newest first.
#[Object]
impl CaseConnection {
    /// The items with their cursors.
    async fn edges(&self) -> Vec<CaseEdge> {
        self.cases.iter().map(|case| CaseEdge { cursor: cursor(case), node: CaseObject(case.clone()) }).collect()
    }

    /// The items.
    async fn nodes(&self) -> Vec<CaseObject> {
        self.cases.iter().cloned().map(CaseObject).collect()
    }

    /// Where the page lies in the list.
    async fn page_info(&self) -> PageInfo {
        PageInfo {
            has_next_page: self.has_next,
            has_previous_page: self.has_previous,
            start_cursor: self.cases.first().map(cursor),
            end_cursor: self.cases.last().map(cursor),
        }
    }
}

fn cursor(case: &Case) -> String {
    case.id.to_string()
}
