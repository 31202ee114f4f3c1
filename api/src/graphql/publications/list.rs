//! Lists of publications.

use std::sync::Arc;

use async_graphql::Context;
use entities::ids::PublicationId;

use crate::{
    app::reads::PublicationFilter,
    connection,
    graphql::{
        context::ContextExt,
        error::ApiResult,
        page::{Cursor, Page, PageArgs, STATEMENT_COST},
        publications::{entity::Publication, loaders::publication_bytes},
    },
};

connection!(
    PublicationConnection,
    PublicationEdge,
    Publication,
    PublicationCounter,
    "publications",
    "STATEMENT_COST",
    "Number of items in the whole list, or 10,000 if there are more. Counted only if selected."
);

/// Counts the publications that a filter selects.
pub struct PublicationCounter(PublicationFilter);

impl PublicationCounter {
    /// Returns the count, at most 10,000.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn count(&self, ctx: &Context<'_>) -> ApiResult<i32> {
        ctx.meter().statement()?;
        let count = ctx.reads().count_publications(&self.0).await?;
        Ok(i32::try_from(count).unwrap_or(i32::MAX))
    }
}

impl Cursor for PublicationId {
    fn write(&self) -> String {
        self.0.simple().to_string()
    }

    fn read(text: &str) -> Option<Self> {
        uuid::Uuid::try_parse(text).ok().map(Self)
    }
}

/// Returns a page of the publications that a filter selects, newest first.
///
/// # Errors
/// `BAD_USER_INPUT` if the page arguments are invalid.
pub async fn list_publications(
    ctx: &Context<'_>,
    filter: PublicationFilter,
    page: PageArgs,
) -> ApiResult<PublicationConnection> {
    let request = page.request::<PublicationId>()?;
    ctx.meter().statement()?;
    let slice = ctx.reads().publications(&filter, &request).await?;
    ctx.meter().rows(slice.rows.iter().map(publication_bytes).sum())?;
    let page = Page::new(slice, |row| row.id, |row| Publication(Arc::new(row)));
    Ok(PublicationConnection::new(page, PublicationCounter(filter)))
}
