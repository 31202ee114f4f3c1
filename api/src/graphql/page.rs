//! Relay connections: arguments, opaque cursors, and the cost of pages.

use async_graphql::SimpleObject;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{
    app::reads::{PageRequest, PageSlice},
    domain::normalization::{MAX_SEARCH_TERMS, TRIGRAM, search_terms},
    graphql::error::{ApiError, ApiResult},
};

/// Default number of items on a page.
pub const DEFAULT_PAGE_SIZE: i32 = 20;
/// Maximum number of items on a page.
pub const MAX_PAGE_SIZE: i32 = 100;

/// Returns the cost of a page read from memory: the number of items times the cost of one.
#[must_use]
pub fn page_cost(first: Option<i32>, last: Option<i32>, child: usize) -> usize {
    let items = first.or(last).unwrap_or(DEFAULT_PAGE_SIZE).clamp(1, MAX_PAGE_SIZE);
    usize::try_from(items).unwrap_or(1).saturating_mul(child.max(1)).saturating_add(1)
}

/// Converts enum values and removes duplicates: each value becomes a parameter of a statement.
#[must_use]
pub fn dedup<G: Into<E>, E: PartialEq>(values: Vec<G>) -> Vec<E> {
    let mut unique = Vec::new();
    for value in values.into_iter().map(Into::into) {
        if !unique.contains(&value) {
            unique.push(value);
        }
    }
    unique
}

/// Parses the search terms of a list: its words, or its symbols if it has no word.
///
/// # Errors
/// `BAD_USER_INPUT` if there are too many.
pub fn parse_search(search: Option<&str>, field: &str) -> ApiResult<Vec<String>> {
    search.map_or_else(|| Ok(Vec::new()), |text| search_terms(text).ok_or_else(|| ApiError::bad(field)))
}

/// The cost of a database statement, beside that of its rows.
pub const STATEMENT_COST: usize = 30;

/// Returns the cost of searching the names of regions, which are in memory.
#[must_use]
pub fn region_search_cost(search: Option<&str>) -> usize {
    search_cost(search, 10, 5)
}

/// Returns the cost of searching the texts of a short list, which the database reads for each page and count.
#[must_use]
pub fn text_search_cost(search: Option<&str>) -> usize {
    search_cost(search, 50, 20)
}

/// Returns the cost of searching the texts of a list of the whole country. Words of one and two characters are in no
/// index, so the database reads all of it if there are no others.
#[must_use]
pub fn indexed_search_cost(search: Option<&str>) -> usize {
    let is_short = |terms: Vec<String>| !terms.is_empty() && terms.iter().all(|term| term.chars().count() < TRIGRAM);
    let reads_all = search.and_then(search_terms).is_some_and(is_short);
    search_cost(search, if reads_all { 2_000 } else { 50 }, 20)
}

fn search_cost(search: Option<&str>, base: usize, each: usize) -> usize {
    // Searches with too many words are rejected, whatever their cost.
    let Some(text) = search else { return 0 };
    let terms = search_terms(text).map_or(MAX_SEARCH_TERMS + 1, |terms| terms.len());
    each.saturating_mul(terms).saturating_add(base)
}

/// Returns the cost of a page read from the database.
#[must_use]
pub fn connection_cost(first: Option<i32>, last: Option<i32>, child: usize) -> usize {
    page_cost(first, last, child).saturating_add(STATEMENT_COST)
}

/// The four arguments of a connection.
#[derive(Clone, Debug, Default)]
pub struct PageArgs {
    /// Number of items from the start.
    pub first: Option<i32>,
    /// Only items after this cursor.
    pub after: Option<String>,
    /// Number of items from the end.
    pub last: Option<i32>,
    /// Only items before this cursor.
    pub before: Option<String>,
}

impl PageArgs {
    /// Creates the arguments of a list that can only be read forwards.
    #[must_use]
    pub const fn forward(first: Option<i32>, after: Option<String>) -> Self {
        Self { first, after, last: None, before: None }
    }

    /// Validates the arguments and returns the page request.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` if both directions are given, a size is not in 1..=100, or a cursor is not of this
    /// list.
    pub fn request<C: Cursor>(self) -> ApiResult<PageRequest<C>> {
        let (size, backward) = match (self.first, self.last) {
            (Some(_), Some(_)) => return Err(ApiError::bad("last")),
            (first, None) => (first.unwrap_or(DEFAULT_PAGE_SIZE), false),
            (None, Some(last)) => (last, true),
        };
        let field = if backward { "last" } else { "first" };
        if !(1..=MAX_PAGE_SIZE).contains(&size) {
            return Err(ApiError::bad(field));
        }
        let cursor = |text: Option<String>, field: &str| {
            text.map(|text| decode(&text).ok_or_else(|| ApiError::bad(field))).transpose()
        };
        Ok(PageRequest {
            after: cursor(self.after, "after")?,
            before: cursor(self.before, "before")?,
            limit: usize::try_from(size).map_err(|_| ApiError::bad(field))?,
            backward,
        })
    }
}

/// A sort key that is encoded as a cursor.
pub trait Cursor: Sized {
    /// Returns the key as text.
    fn write(&self) -> String;
    /// Parses the key.
    fn read(text: &str) -> Option<Self>;
}

/// Encodes a cursor.
#[must_use]
pub fn encode<C: Cursor>(cursor: &C) -> String {
    URL_SAFE_NO_PAD.encode(cursor.write())
}

fn decode<C: Cursor>(text: &str) -> Option<C> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    C::read(std::str::from_utf8(&bytes).ok()?)
}

/// The position of a page in its list.
#[derive(SimpleObject, Clone, Debug, PartialEq, Eq)]
#[graphql(shareable)]
pub struct PageInfo {
    /// Whether more items follow.
    pub has_next_page: bool,
    /// Whether items precede.
    pub has_previous_page: bool,
    /// Cursor of the first item of the page.
    pub start_cursor: Option<String>,
    /// Cursor of the last item of the page.
    pub end_cursor: Option<String>,
}

/// A page of a connection: items with their cursors.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// The items, each with its cursor.
    pub items: Vec<(String, T)>,
    /// Where the page lies.
    pub info: PageInfo,
}

impl<T> Page<T> {
    /// Creates a page from a slice of rows.
    pub fn new<R, C: Cursor>(slice: PageSlice<R>, key: impl Fn(&R) -> C, item: impl Fn(R) -> T) -> Self {
        let PageSlice { rows, has_next, has_previous } = slice;
        let items: Vec<_> = rows
            .into_iter()
            .map(|row| {
                let cursor = encode(&key(&row));
                (cursor, item(row))
            })
            .collect();
        let info = PageInfo {
            has_next_page: has_next,
            has_previous_page: has_previous,
            start_cursor: items.first().map(|(cursor, _)| cursor.clone()),
            end_cursor: items.last().map(|(cursor, _)| cursor.clone()),
        };
        Self { items, info }
    }
}

/// Declares the connection and edge types of a node type: their names, what is listed, the cost of counting the list, and
/// how the count is described unless it is exact.
#[macro_export]
macro_rules! connection {
    ($connection:ident, $edge:ident, $node:ty, $counter:ty, $what:literal, $count_cost:literal) => {
        $crate::connection!(
            $connection,
            $edge,
            $node,
            $counter,
            $what,
            $count_cost,
            "Number of items in the whole list. Counted only if selected."
        );
    };
    (
        $connection:ident, $edge:ident, $node:ty, $counter:ty, $what:literal, $count_cost:literal, $count:literal
    ) => {
        #[doc = concat!("One of a list of ", $what, ", with its place in the list.")]
        #[derive(async_graphql::SimpleObject)]
        pub struct $edge {
            /// Cursor of the item, for `after` or `before`.
            pub cursor: String,
            /// The item.
            pub node: $node,
        }

        #[doc = concat!("A page of a list of ", $what, ".")]
        pub struct $connection {
            page: $crate::graphql::page::Page<$node>,
            counter: $counter,
        }

        impl $connection {
            /// A page, and how the whole list is counted.
            #[must_use]
            pub const fn new(page: $crate::graphql::page::Page<$node>, counter: $counter) -> Self {
                Self { page, counter }
            }
        }

        #[doc = concat!("A page of a list of ", $what, ".")]
        #[async_graphql::Object]
        impl $connection {
            /// The items with their cursors.
            async fn edges(&self) -> Vec<$edge> {
                self.page
                    .items
                    .iter()
                    .map(|(cursor, node)| $edge { cursor: cursor.clone(), node: node.clone() })
                    .collect()
            }

            /// The items.
            async fn nodes(&self) -> Vec<$node> {
                self.page.items.iter().map(|(_, node)| node.clone()).collect()
            }

            /// The position of the page in the list.
            async fn page_info(&self) -> $crate::graphql::page::PageInfo {
                self.page.info.clone()
            }

            #[doc = concat!($count)]
            #[graphql(complexity = $count_cost)]
            async fn total_count(&self, ctx: &async_graphql::Context<'_>) -> $crate::graphql::error::ApiResult<i32> {
                self.counter.count(ctx).await
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_costs_by_its_terms_however_they_are_separated() {
        let terms: Vec<String> = ('а'..='у').map(|letter| format!("{letter}ол")).collect();
        let cost = text_search_cost(Some(&terms.join(" ")));
        assert_eq!(cost, 50 + 20 * terms.len());
        for separator in [",", " , ", "\u{a0}", "/"] {
            assert_eq!(text_search_cost(Some(&terms.join(separator))), cost, "{separator:?}");
        }
        assert!(text_search_cost(Some(&"аул,".repeat(500))) > cost, "one that is refused costs no less");
        assert_eq!((text_search_cost(None), text_search_cost(Some(" "))), (0, 50));
        assert_eq!(indexed_search_cost(Some("су")), 2_020, "one without an indexed word");
        assert_eq!(indexed_search_cost(Some("су жол")), 90);
    }

    #[test]
    fn dedup_keeps_the_first_of_each_value() {
        let values: Vec<u8> = [3, 1, 3, 2, 1].repeat(10_000);
        assert_eq!(dedup::<u8, u32>(values), [3, 1, 2]);
        assert_eq!(dedup::<u8, u32>(Vec::new()), [0_u32; 0]);
    }
}
