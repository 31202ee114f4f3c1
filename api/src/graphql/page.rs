//! Relay connections: the window is checked once, the cursor is opaque, the total is counted only when asked for.

use async_graphql::SimpleObject;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{
    domain::normalization::{MAX_SEARCH_TERMS, search_terms},
    graphql::error::{ApiError, ApiResult},
    store::keyset::{PageRequest, PageSlice},
};

/// How many items a page holds unless told.
pub const DEFAULT_PAGE: i32 = 20;
/// How many items a page holds at most.
pub const LARGEST_PAGE: i32 = 100;

/// What a page of a list costs: every item costs its children.
#[must_use]
pub fn page_cost(first: Option<i32>, last: Option<i32>, child: usize) -> usize {
    let items = first.or(last).unwrap_or(DEFAULT_PAGE).clamp(1, LARGEST_PAGE);
    usize::try_from(items).unwrap_or(1).saturating_mul(child.max(1)).saturating_add(1)
}

/// The wishes of a list of enum values, each once: they become parameters of the database's statement, and are looked through for each
/// unit.
#[must_use]
pub fn each_once<G: Into<E>, E: PartialEq>(wishes: Vec<G>) -> Vec<E> {
    let mut once = Vec::new();
    for wish in wishes.into_iter().map(Into::into) {
        if !once.contains(&wish) {
            once.push(wish);
        }
    }
    once
}

/// The terms that a list is searched for: its words, or its signs where it has no word.
///
/// # Errors
/// `BAD_USER_INPUT` when there are more than can be looked for at once.
pub fn wanted_words(search: Option<&str>, field: &str) -> ApiResult<Vec<String>> {
    search.map_or_else(|| Ok(Vec::new()), |text| search_terms(text).ok_or_else(|| ApiError::bad(field)))
}

/// What it costs to ask the database once more, beside what comes of it: a field that does is no cheap one, however little it
/// gives.
pub const STATEMENT: usize = 30;

/// What it costs to look for words in the names of units, which are in memory.
#[must_use]
pub fn names_cost(search: Option<&str>) -> usize {
    words_cost(search, 10, 5)
}

/// What it costs to look for words in the texts of a list: the database reads the whole list for each page and each count.
#[must_use]
pub fn texts_cost(search: Option<&str>) -> usize {
    words_cost(search, 50, 20)
}

fn words_cost(search: Option<&str>, any: usize, each: usize) -> usize {
    // More words than can be looked for are refused, whatever they cost.
    let words = search.map_or(0, |text| text.split_whitespace().take(MAX_SEARCH_TERMS + 1).count());
    if search.is_some() { each.saturating_mul(words).saturating_add(any) } else { 0 }
}

/// What a page of a list costs that is read for each object by itself.
#[must_use]
pub fn read_cost(first: Option<i32>, last: Option<i32>, child: usize) -> usize {
    page_cost(first, last, child).saturating_add(STATEMENT)
}

/// The four arguments of a connection.
#[derive(Clone, Debug, Default)]
pub struct PageArgs {
    /// How many from the beginning.
    pub first: Option<i32>,
    /// Only those after this cursor.
    pub after: Option<String>,
    /// How many from the end.
    pub last: Option<i32>,
    /// Only those before this cursor.
    pub before: Option<String>,
}

impl PageArgs {
    /// The arguments of a list that can only be read forwards.
    #[must_use]
    pub const fn forward(first: Option<i32>, after: Option<String>) -> Self {
        Self { first, after, last: None, before: None }
    }

    /// Checks the arguments.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` when both directions are given, a size is not in 1..=100, or a cursor is not of this list.
    pub fn window<C: Cursor>(self) -> ApiResult<PageRequest<C>> {
        let (size, backward) = match (self.first, self.last) {
            (Some(_), Some(_)) => return Err(ApiError::bad("last")),
            (first, None) => (first.unwrap_or(DEFAULT_PAGE), false),
            (None, Some(last)) => (last, true),
        };
        let field = if backward { "last" } else { "first" };
        if !(1..=LARGEST_PAGE).contains(&size) {
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

/// A sort key that can be written into a cursor.
pub trait Cursor: Sized {
    /// The key as text.
    fn write(&self) -> String;
    /// The key that a text means.
    fn read(text: &str) -> Option<Self>;
}

/// A cursor as shown.
#[must_use]
pub fn encode<C: Cursor>(cursor: &C) -> String {
    URL_SAFE_NO_PAD.encode(cursor.write())
}

fn decode<C: Cursor>(text: &str) -> Option<C> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    C::read(std::str::from_utf8(&bytes).ok()?)
}

/// Where a page lies in its list.
#[derive(SimpleObject, Clone, Debug, PartialEq, Eq)]
#[graphql(shareable)]
pub struct PageInfo {
    /// Whether more items follow.
    pub has_next_page: bool,
    /// Whether items go before.
    pub has_previous_page: bool,
    /// Cursor of the first item of the page.
    pub start_cursor: Option<String>,
    /// Cursor of the last item of the page.
    pub end_cursor: Option<String>,
}

/// A page ready to be put into a connection: cursors with their items.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// The items, each behind its cursor.
    pub items: Vec<(String, T)>,
    /// Where the page lies.
    pub info: PageInfo,
}

impl<T> Page<T> {
    /// Makes a page from what a store cut out.
    pub fn new<R, C: Cursor>(cut: PageSlice<R>, key: impl Fn(&R) -> C, item: impl Fn(R) -> T) -> Self {
        let PageSlice { rows, has_next, has_previous } = cut;
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

/// Declares the connection and edge types of one node type. The last argument is what it costs to count the list.
#[macro_export]
macro_rules! connection {
    ($connection:ident, $edge:ident, $node:ty, $counter:ty, $what:literal, $count_cost:literal) => {
        #[doc = concat!("One of a list of ", $what, ", with its place in the list.")]
        #[derive(async_graphql::SimpleObject)]
        pub struct $edge {
            /// Place in the list: give it as `after` or `before`.
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

            /// Where the page lies in the list.
            async fn page_info(&self) -> $crate::graphql::page::PageInfo {
                self.page.info.clone()
            }

            /// How many items the whole list has. Counted only when asked for.
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
    fn wishes_are_kept_once_in_their_order() {
        let wishes: Vec<u8> = [3, 1, 3, 2, 1].repeat(10_000);
        assert_eq!(each_once::<u8, u32>(wishes), [3, 1, 2]);
        assert_eq!(each_once::<u8, u32>(Vec::new()), [0_u32; 0]);
    }
}
