//! What pages, files and feeds read of publications. All of it is public.

use std::sync::Arc;

use entities::{ids::PublicationId, kato::KatoCode, publication, publication_placement};

pub use crate::app::rate_limit::{LimitReached, Requester};
use crate::{
    app::{
        App,
        reads::{PageRequest, PublicationFilter},
    },
    clock::almaty_date,
    domain::localized_name::LocalizedName,
    store::StoreError,
};

/// Cost units of a page or a feed, about as much as in a query.
const PAGE_COST: usize = 300;
/// The most entries of a feed.
const MAX_ENTRIES: usize = 50;

/// Why something that was published is not shown.
#[derive(Debug, thiserror::Error)]
pub enum PublishedError {
    /// The caller's budget is used up.
    #[error("the budget is used up")]
    Limited(LimitReached),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a feed is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FeedOf {
    /// A unit and all below it.
    Unit(KatoCode),
    /// A body.
    Agency(String),
}

/// What was published, as it is read over HTTP with the connections of queries.
#[derive(Clone)]
pub struct PublishedReads(Arc<App>);

impl PublishedReads {
    /// Creates the reads.
    #[must_use]
    pub fn new(app: &Arc<App>) -> Self {
        Self(Arc::clone(app))
    }

    /// Returns what links to the service begin with.
    #[must_use]
    pub fn link_base(&self) -> &str {
        &self.0.public_url
    }

    /// Returns whether a failure means that the database is busy and not that it is broken.
    #[must_use]
    pub fn is_overload(&self, error: &StoreError) -> bool {
        self.0.is_overload(error)
    }

    /// Charges a page to the budget of who asks for it.
    ///
    /// # Errors
    /// When the budget is used up.
    pub fn charge(&self, requester: Requester<'_>) -> Result<(), PublishedError> {
        self.0.rate_limiter.charge(PAGE_COST, 0, requester).map_err(PublishedError::Limited)
    }

    /// Returns an edition.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn edition(&self, id: PublicationId) -> Result<Option<publication::Model>, PublishedError> {
        Ok(self.0.reads.publications_by_id(&[id]).await?.pop())
    }

    /// Returns the published bytes of an edition.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn bytes(&self, id: PublicationId) -> Result<Option<Vec<u8>>, PublishedError> {
        Ok(self.0.reads.publication_content(id).await?)
    }

    /// Returns the newest edition of what an edition is about.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn newest(&self, of: &publication::Model) -> Result<Option<publication::Model>, PublishedError> {
        Ok(self.0.reads.newest_edition(&of.series).await?)
    }

    /// Returns where else an edition was placed, by time.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn placements(&self, id: PublicationId) -> Result<Vec<publication_placement::Model>, PublishedError> {
        Ok(self.0.reads.placements(&[id]).await?)
    }

    /// Returns the name of what a feed is about, or `None` if there is no such unit or body.
    #[must_use]
    pub fn name(&self, of: &FeedOf) -> Option<LocalizedName> {
        match of {
            FeedOf::Unit(code) => {
                let today = almaty_date(self.0.clock.now());
                let (tree, node) = self.0.region_history.load().unit_on(*code, today)?;
                let names = tree.unit(node)?.names.clone();
                Some(LocalizedName { kk: names.kk, ru: Some(names.ru), en: None })
            }
            FeedOf::Agency(code) => self.0.agencies().get(code).map(|agency| agency.names.clone()),
        }
    }

    /// Returns the newest editions of a feed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn newest_of(&self, of: &FeedOf) -> Result<Vec<publication::Model>, PublishedError> {
        let filter = match of {
            FeedOf::Unit(code) => PublicationFilter { region: Some(*code), ..PublicationFilter::default() },
            FeedOf::Agency(code) => PublicationFilter { agency: Some(code.clone()), ..PublicationFilter::default() },
        };
        let request = PageRequest { after: None, before: None, limit: MAX_ENTRIES, backward: false };
        Ok(self.0.reads.publications(&filter, &request).await?.rows)
    }
}
