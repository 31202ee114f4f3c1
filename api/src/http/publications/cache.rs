//! Keeps the content of editions, which never changes, so that a crowd costs one read.

use std::sync::{Arc, OnceLock};

use axum::body::Bytes;
use entities::{ids::PublicationId, publication};
use lru::LruCache;
use parking_lot::Mutex;

use crate::{
    app::publications::{PublishedError, PublishedReads},
    domain::publications::Document,
    feed::single_flight::SingleFlight,
    graphql::meter::ResponseMemory,
};

/// Maximum size of all kept editions. One that is larger is kept alone.
const MAX_BYTES: usize = 24 << 20;
/// How much larger an edition is in memory than its bytes, once it is parsed.
const FACTOR: usize = 3;
/// Approximate size of an entry beside its content.
const ENTRY_BYTES: usize = 1_000;

/// Why an edition cannot be read.
#[derive(Debug)]
pub(super) enum LoadError {
    /// There is none.
    Missing,
    /// Editions hold too much memory.
    Full,
    /// The database failed.
    Published(PublishedError),
}

impl From<PublishedError> for LoadError {
    fn from(error: PublishedError) -> Self {
        Self::Published(error)
    }
}

/// An edition with its published bytes.
pub(super) struct CachedEdition {
    pub(super) row: publication::Model,
    pub(super) bytes: Bytes,
    document: OnceLock<Option<Document>>,
}

impl CachedEdition {
    /// Returns what the bytes say. They are parsed once.
    pub(super) fn document(&self) -> Option<&Document> {
        let parse = || {
            let parsed = serde_json::from_slice(&self.bytes);
            parsed.inspect_err(|error| tracing::error!(%error, "a publication cannot be parsed")).ok()
        };
        self.document.get_or_init(parse).as_ref()
    }

    fn size(&self) -> usize {
        ENTRY_BYTES + self.bytes.len().saturating_mul(FACTOR)
    }
}

/// The editions that are kept, and those that are being read.
pub struct EditionCache {
    editions: Mutex<(LruCache<PublicationId, Arc<CachedEdition>>, usize)>,
    in_flight: SingleFlight<PublicationId, Option<Arc<CachedEdition>>>,
    /// Held by the cache and by clients that read slowly; apart from that of queries, so that nobody can use it up for them.
    memory: ResponseMemory,
}

impl Default for EditionCache {
    fn default() -> Self {
        let editions = Mutex::new((LruCache::unbounded(), 0));
        Self { editions, in_flight: SingleFlight::default(), memory: ResponseMemory::default() }
    }
}

impl EditionCache {
    /// Returns an edition that is kept.
    pub(super) fn find(&self, id: PublicationId) -> Option<Arc<CachedEdition>> {
        self.editions.lock().0.get(&id).cloned()
    }

    /// Reads an edition, once for all who ask meanwhile. A failure is only of its own request.
    pub(super) async fn load(
        &self,
        reads: &PublishedReads,
        id: PublicationId,
    ) -> Result<Arc<CachedEdition>, LoadError> {
        let mut own = None;
        let shared = self.in_flight.join(id, || async {
            let result = self.read(reads, id).await;
            let edition = result.as_ref().ok().cloned();
            own = Some(result);
            edition
        });
        let shared = shared.await;
        match (own, shared) {
            (Some(result), _) => result,
            (None, Some(edition)) => Ok(edition),
            (None, None) => self.read(reads, id).await,
        }
    }

    async fn read(&self, reads: &PublishedReads, id: PublicationId) -> Result<Arc<CachedEdition>, LoadError> {
        self.memory.check().map_err(|_| LoadError::Full)?;
        let row = reads.edition(id).await?.ok_or(LoadError::Missing)?;
        let bytes = reads.bytes(id).await?.ok_or(LoadError::Missing)?;
        // The bytes count as held until the cache and all clients have released them.
        let bytes = self.memory.hold(bytes);
        let edition = Arc::new(CachedEdition { row, bytes, document: OnceLock::new() });
        self.keep(id, &edition);
        Ok(edition)
    }

    fn keep(&self, id: PublicationId, edition: &Arc<CachedEdition>) {
        let mut editions = self.editions.lock();
        let (kept, bytes) = &mut *editions;
        *bytes += edition.size();
        if let Some((_, replaced)) = kept.push(id, Arc::clone(edition)) {
            *bytes -= replaced.size();
        }
        while *bytes > MAX_BYTES && kept.len() > 1 {
            let Some((_, dropped)) = kept.pop_lru() else { break };
            *bytes -= dropped.size();
        }
    }
}
