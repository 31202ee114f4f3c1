//! What queries and pages read of publications. They are public; what would be published is for those who publish it.

use entities::{
    ids::{MeetingId, PublicationId},
    publication, publication_placement,
};

use crate::{
    app::{
        CommandError,
        publications::collect::{issue_ids, missing_parts},
        reads::{IssueFilter, PageRequest, PageSlice, PublicationFilter, Reads},
    },
    domain::{
        publications::{MissingPart, WantedPublication},
        viewer::Viewer,
    },
    store::StoreError,
};

/// The most publications about meetings that are read at once.
const MAX_OF_MEETINGS: u64 = 1_000;

/// What would be published.
#[derive(Clone, Debug)]
pub struct DraftedPublication {
    /// What it is about, as it was named.
    pub wanted: WantedPublication,
    /// Which issues it is about.
    pub issues: IssueFilter,
}

impl Reads {
    /// Returns what would be published, for those who may publish it.
    ///
    /// # Errors
    /// When the viewer may not, or a field breaks a rule.
    pub async fn publication_draft(
        &self,
        viewer: &Viewer,
        wanted: WantedPublication,
    ) -> Result<DraftedPublication, CommandError> {
        let permit = self.app().permit_publication(self.store(), viewer, &wanted).await?;
        let issues = permit.issues();
        Ok(DraftedPublication { wanted, issues })
    }

    /// Returns what is missing before it can be published, the first parts if there are many.
    ///
    /// # Errors
    /// When the viewer may not publish it, or it would be too large.
    pub async fn missing_parts(
        &self,
        viewer: &Viewer,
        wanted: &WantedPublication,
    ) -> Result<Vec<MissingPart>, CommandError> {
        let permit = self.app().permit_publication(self.store(), viewer, wanted).await?;
        let snapshot = self.store().issue_snapshot().await?;
        let ids = issue_ids(&snapshot, &permit).await?;
        Ok(missing_parts(&snapshot, &permit, &ids).await?.listed)
    }

    /// Returns editions by id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn publications_by_id(&self, ids: &[PublicationId]) -> Result<Vec<publication::Model>, StoreError> {
        self.store().publications_by_id(ids).await
    }

    /// Returns a page of the editions that a filter selects, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn publications(
        &self,
        filter: &PublicationFilter,
        request: &PageRequest<PublicationId>,
    ) -> Result<PageSlice<publication::Model>, StoreError> {
        self.store().publications(filter, request).await
    }

    /// Counts the editions that a filter selects, up to 10,000.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count_publications(&self, filter: &PublicationFilter) -> Result<u64, StoreError> {
        self.store().count_publications(filter).await
    }

    /// Returns the editions about meetings, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn publications_of(&self, meetings: &[MeetingId]) -> Result<Vec<publication::Model>, StoreError> {
        self.store().publications_of(meetings, MAX_OF_MEETINGS).await
    }

    /// Returns where else editions were placed, by time.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn placements(&self, ids: &[PublicationId]) -> Result<Vec<publication_placement::Model>, StoreError> {
        self.store().placements(ids).await
    }

    /// Returns the published bytes of an edition.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn published_bytes(&self, id: PublicationId) -> Result<Option<Vec<u8>>, StoreError> {
        self.store().publication_content(id).await
    }

    /// Returns the newest edition of what an edition is about.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn newest_edition(&self, of: &publication::Model) -> Result<Option<publication::Model>, StoreError> {
        self.store().newest_edition(&of.series).await
    }
}
