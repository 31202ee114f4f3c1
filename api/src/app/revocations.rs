//! Revocations of tokens, as a replica caches them.

use crate::{app::App, domain::viewer::Revocations, store::StoreError};

impl App {
    /// Returns all revocations with their revision, or `None` if the revision is still `known`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn revocations_since(&self, known: Option<i64>) -> Result<Option<(i64, Revocations)>, StoreError> {
        // Read the revision first, so that a revocation in between is read again.
        let revision = self.store.revocations_revision().await?;
        if known == Some(revision) {
            return Ok(None);
        }
        Ok(Some((revision, self.store.revocations().await?)))
    }
}
