//! The data loaders of publications.

use std::{collections::HashMap, sync::Arc};

use async_graphql::dataloader::Loader;
use entities::{
    ids::{MeetingId, PublicationId},
    publication, publication_placement,
};

use crate::graphql::{error::ApiError, loaders::Loaders};

/// Approximate size of a row beside its texts.
const ROW_BYTES: usize = 600;

/// The key of the publications about a meeting, newest first.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicationsOf(pub MeetingId);

/// The key of where else an edition was placed.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PlacementsOf(pub PublicationId);

/// Returns the approximate size of an edition without its content.
pub(super) fn publication_bytes(row: &publication::Model) -> usize {
    let others: usize = [&row.title_ru, &row.title_en].into_iter().flatten().map(String::len).sum();
    ROW_BYTES + row.title_kk.len() + others
}

impl Loader<PublicationId> for Loaders {
    type Value = Arc<publication::Model>;
    type Error = ApiError;

    async fn load(&self, ids: &[PublicationId]) -> Result<HashMap<PublicationId, Self::Value>, ApiError> {
        let rows = self.reads()?.publications_by_id(ids).await?;
        self.meter().rows(rows.iter().map(publication_bytes).sum())?;
        Ok(rows.into_iter().map(|row| (row.id, Arc::new(row))).collect())
    }
}

impl Loader<PublicationsOf> for Loaders {
    type Value = Vec<Arc<publication::Model>>;
    type Error = ApiError;

    async fn load(&self, keys: &[PublicationsOf]) -> Result<HashMap<PublicationsOf, Self::Value>, ApiError> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let rows = self.reads()?.publications_of(&ids).await?;
        self.meter().rows(rows.iter().map(publication_bytes).sum())?;
        let mut by_key: HashMap<_, Self::Value> = HashMap::new();
        for row in rows {
            let Some(meeting) = row.meeting_id else { continue };
            by_key.entry(PublicationsOf(meeting)).or_default().push(Arc::new(row));
        }
        Ok(by_key)
    }
}

impl Loader<PlacementsOf> for Loaders {
    type Value = Vec<publication_placement::Model>;
    type Error = ApiError;

    async fn load(&self, keys: &[PlacementsOf]) -> Result<HashMap<PlacementsOf, Self::Value>, ApiError> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let rows = self.reads()?.placements(&ids).await?;
        self.meter().rows(rows.len().saturating_mul(ROW_BYTES))?;
        let mut by_key: HashMap<_, Self::Value> = HashMap::new();
        for row in rows {
            by_key.entry(PlacementsOf(row.publication_id)).or_default().push(row);
        }
        Ok(by_key)
    }
}
