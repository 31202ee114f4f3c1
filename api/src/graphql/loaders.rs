//! The data loaders of a request: a list of any length costs one query per kind of object.
//!
//! Loaders belong to one request and its viewer, so nothing leaks to another viewer. Nothing is cached: a
//! subscription may last for hours, and permissions are checked each time.

use std::{
    collections::HashMap,
    hash::{Hash, Hasher},
    sync::Arc,
};

use async_graphql::dataloader::Loader;
use chrono::{DateTime, Utc};
use entities::{
    broadcast, comment,
    ids::{BroadcastId, CommentId, MeetingId, ReceptionId, RegistrationId, WebhookId},
    meeting, reception, reception_host, registration, stage_segment, webhook,
};

use crate::{
    app::{personal_data::Applicant, reads::Reads},
    domain::{receptions::Queue, viewer::Viewer},
    graphql::{
        caller::ViewerAccess,
        error::{ApiError, ApiResult},
        meter::{Meter, comment_bytes, meeting_bytes, queue_bytes, reception_bytes, registration_bytes},
    },
};

/// The data loaders of a request.
pub struct Loaders {
    reads: Reads,
    viewer: Viewer,
    viewer_access: ViewerAccess,
    meter: Arc<Meter>,
}

impl Loaders {
    /// Creates loaders for a viewer.
    #[must_use]
    pub const fn new(reads: Reads, viewer: Viewer, viewer_access: ViewerAccess, meter: Arc<Meter>) -> Self {
        Self { reads, viewer, viewer_access, meter }
    }

    /// Counts a statement and returns what sends it.
    pub(in crate::graphql) fn reads(&self) -> ApiResult<&Reads> {
        self.meter.statement()?;
        Ok(&self.reads)
    }

    pub(in crate::graphql) fn viewer(&self) -> &Viewer {
        self.viewer_access.record();
        &self.viewer
    }

    /// The resource usage of the operation.
    pub(in crate::graphql) fn meter(&self) -> &Meter {
        &self.meter
    }
}

/// The key of a comment that is loaded only if it is public.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicComment(pub CommentId);

/// The key of a meeting's broadcasts.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct BroadcastsOf(pub MeetingId);

/// The key of a meeting's blocked words: a JSON array, missing if there never were any.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct BlockedWordsOf(pub MeetingId);

/// The key of a meeting's stage segments.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SegmentsOf(pub MeetingId);

/// The key that tells whether the viewer has voted for a comment.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct VotedFor(pub CommentId);

/// The key of the time until which the viewer is muted at a meeting.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct MutedAt(pub MeetingId);

/// The key of the receptions of a meeting that the viewer may see, by start.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ReceptionsOf(pub MeetingId);

/// The key of a reception's hosts.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct HostsOf(pub ReceptionId);

/// The key of a reception's queue.
#[derive(Clone)]
pub struct QueueOf(pub Arc<reception::Model>);

impl PartialEq for QueueOf {
    fn eq(&self, other: &Self) -> bool {
        self.0.id == other.0.id
    }
}

impl Eq for QueueOf {}

impl Hash for QueueOf {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.id.hash(state);
    }
}

/// The key of the viewer's own registration for a reception: the active one, else the newest.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct OwnRegistrationAt(pub ReceptionId);

/// The key of the personal data of a registration.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ApplicantOf(pub RegistrationId);

impl Loader<MeetingId> for Loaders {
    type Value = Arc<meeting::Model>;
    type Error = ApiError;

    async fn load(&self, ids: &[MeetingId]) -> Result<HashMap<MeetingId, Self::Value>, ApiError> {
        let rows = self.reads()?.meetings_by_id(ids).await?;
        self.meter.rows(rows.iter().map(meeting_bytes).sum())?;
        Ok(rows.into_iter().map(|row| (row.id, Arc::new(row))).collect())
    }
}

impl Loader<BroadcastId> for Loaders {
    type Value = broadcast::Model;
    type Error = ApiError;

    async fn load(&self, ids: &[BroadcastId]) -> Result<HashMap<BroadcastId, Self::Value>, ApiError> {
        let rows = self.reads()?.broadcasts_by_id(ids).await?;
        Ok(rows.into_iter().map(|row| (row.id, row)).collect())
    }
}

impl Loader<CommentId> for Loaders {
    type Value = Arc<comment::Model>;
    type Error = ApiError;

    async fn load(&self, ids: &[CommentId]) -> Result<HashMap<CommentId, Self::Value>, ApiError> {
        let rows = self.reads()?.comments_by_id(self.viewer(), ids).await?;
        self.meter.rows(rows.iter().map(comment_bytes).sum())?;
        Ok(rows.into_iter().map(|row| (row.id, Arc::new(row))).collect())
    }
}

impl Loader<PublicComment> for Loaders {
    type Value = Arc<comment::Model>;
    type Error = ApiError;

    async fn load(&self, keys: &[PublicComment]) -> Result<HashMap<PublicComment, Self::Value>, ApiError> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let rows = self.reads()?.public_comments_by_id(&ids).await?;
        self.meter.rows(rows.iter().map(comment_bytes).sum())?;
        Ok(rows.into_iter().map(|row| (PublicComment(row.id), Arc::new(row))).collect())
    }
}

impl Loader<BroadcastsOf> for Loaders {
    type Value = Vec<broadcast::Model>;
    type Error = ApiError;

    async fn load(&self, keys: &[BroadcastsOf]) -> Result<HashMap<BroadcastsOf, Self::Value>, ApiError> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let mut by_key: HashMap<_, Self::Value> = HashMap::new();
        for row in self.reads()?.broadcasts_of(&ids).await? {
            by_key.entry(BroadcastsOf(row.meeting_id)).or_default().push(row);
        }
        Ok(by_key)
    }
}

impl Loader<BlockedWordsOf> for Loaders {
    type Value = String;
    type Error = ApiError;

    async fn load(&self, keys: &[BlockedWordsOf]) -> Result<HashMap<BlockedWordsOf, String>, ApiError> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let rows = self.reads()?.blocked_words_of(&ids).await?;
        self.meter.rows(rows.iter().map(|row| row.words.len()).sum())?;
        Ok(rows.into_iter().map(|row| (BlockedWordsOf(row.meeting_id), row.words)).collect())
    }
}

impl Loader<SegmentsOf> for Loaders {
    type Value = Arc<Vec<stage_segment::Model>>;
    type Error = ApiError;

    async fn load(&self, keys: &[SegmentsOf]) -> Result<HashMap<SegmentsOf, Self::Value>, ApiError> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let mut by_key: HashMap<_, Vec<_>> = HashMap::new();
        for row in self.reads()?.segments_of(&ids).await? {
            by_key.entry(SegmentsOf(row.meeting_id)).or_default().push(row);
        }
        Ok(by_key.into_iter().map(|(key, rows)| (key, Arc::new(rows))).collect())
    }
}

impl Loader<VotedFor> for Loaders {
    type Value = ();
    type Error = ApiError;

    async fn load(&self, keys: &[VotedFor]) -> Result<HashMap<VotedFor, ()>, ApiError> {
        let viewer = self.viewer();
        if viewer.person().is_none() {
            return Ok(HashMap::new());
        }
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let voted = self.reads()?.voted(viewer, &ids).await?;
        Ok(voted.into_iter().map(|id| (VotedFor(id), ())).collect())
    }
}

impl Loader<MutedAt> for Loaders {
    type Value = DateTime<Utc>;
    type Error = ApiError;

    async fn load(&self, keys: &[MutedAt]) -> Result<HashMap<MutedAt, Self::Value>, ApiError> {
        let viewer = self.viewer();
        if viewer.person().is_none() {
            return Ok(HashMap::new());
        }
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let muted = self.reads()?.muted_at(viewer, &ids).await?;
        Ok(muted.into_iter().map(|(id, until)| (MutedAt(id), until)).collect())
    }
}

impl Loader<ReceptionId> for Loaders {
    type Value = Arc<reception::Model>;
    type Error = ApiError;

    async fn load(&self, ids: &[ReceptionId]) -> Result<HashMap<ReceptionId, Self::Value>, ApiError> {
        let rows = self.reads()?.receptions_by_id(self.viewer(), ids).await?;
        self.meter.rows(rows.iter().map(reception_bytes).sum())?;
        Ok(rows.into_iter().map(|row| (row.id, Arc::new(row))).collect())
    }
}

impl Loader<ReceptionsOf> for Loaders {
    type Value = Vec<Arc<reception::Model>>;
    type Error = ApiError;

    async fn load(&self, keys: &[ReceptionsOf]) -> Result<HashMap<ReceptionsOf, Self::Value>, ApiError> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let rows = self.reads()?.receptions_of(self.viewer(), &ids).await?;
        self.meter.rows(rows.iter().map(reception_bytes).sum())?;
        let mut by_key: HashMap<_, Self::Value> = HashMap::new();
        for row in rows {
            by_key.entry(ReceptionsOf(row.meeting_id)).or_default().push(Arc::new(row));
        }
        Ok(by_key)
    }
}

impl Loader<HostsOf> for Loaders {
    type Value = Vec<reception_host::Model>;
    type Error = ApiError;

    async fn load(&self, keys: &[HostsOf]) -> Result<HashMap<HostsOf, Self::Value>, ApiError> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let mut by_key: HashMap<_, Self::Value> = HashMap::new();
        for row in self.reads()?.reception_hosts(&ids).await? {
            by_key.entry(HostsOf(row.reception_id)).or_default().push(row);
        }
        Ok(by_key)
    }
}

impl Loader<QueueOf> for Loaders {
    type Value = Arc<Queue>;
    type Error = ApiError;

    async fn load(&self, keys: &[QueueOf]) -> Result<HashMap<QueueOf, Self::Value>, ApiError> {
        let receptions: Vec<_> = keys.iter().map(|key| &*key.0).collect();
        let queues = self.reads()?.queues(&receptions).await?;
        self.meter.rows(queues.iter().map(|(_, queue)| queue_bytes(queue)).sum())?;
        let mut by_id: HashMap<_, _> = queues.into_iter().collect();
        Ok(keys.iter().filter_map(|key| Some((key.clone(), by_id.remove(&key.0.id)?))).collect())
    }
}

impl Loader<RegistrationId> for Loaders {
    type Value = Arc<registration::Model>;
    type Error = ApiError;

    async fn load(&self, ids: &[RegistrationId]) -> Result<HashMap<RegistrationId, Self::Value>, ApiError> {
        let viewer = self.viewer();
        if viewer.person().is_none() {
            return Ok(HashMap::new());
        }
        let rows = self.reads()?.registrations_by_id(viewer, ids).await?;
        self.meter.rows(rows.iter().map(registration_bytes).sum())?;
        Ok(rows.into_iter().map(|row| (row.id, Arc::new(row))).collect())
    }
}

impl Loader<OwnRegistrationAt> for Loaders {
    type Value = Arc<registration::Model>;
    type Error = ApiError;

    async fn load(&self, keys: &[OwnRegistrationAt]) -> Result<HashMap<OwnRegistrationAt, Self::Value>, ApiError> {
        let viewer = self.viewer();
        if viewer.person().is_none() {
            return Ok(HashMap::new());
        }
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let rows = self.reads()?.own_registrations_at(viewer, &ids).await?;
        self.meter.rows(rows.iter().map(registration_bytes).sum())?;
        Ok(rows.into_iter().map(|row| (OwnRegistrationAt(row.reception_id), Arc::new(row))).collect())
    }
}

impl Loader<ApplicantOf> for Loaders {
    type Value = Applicant;
    type Error = ApiError;

    async fn load(&self, keys: &[ApplicantOf]) -> Result<HashMap<ApplicantOf, Applicant>, ApiError> {
        let viewer = self.viewer();
        if viewer.person().is_none() {
            return Ok(HashMap::new());
        }
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let applicants = self.reads()?.applicants(viewer, &ids).await?;
        Ok(applicants.into_iter().map(|(id, applicant)| (ApplicantOf(id), applicant)).collect())
    }
}

impl Loader<WebhookId> for Loaders {
    type Value = Arc<webhook::Model>;
    type Error = ApiError;

    async fn load(&self, ids: &[WebhookId]) -> Result<HashMap<WebhookId, Self::Value>, ApiError> {
        let rows = self.reads()?.webhooks_by_id(self.viewer(), ids).await?;
        Ok(rows.into_iter().map(|row| (row.id, Arc::new(row))).collect())
    }
}
