//! Look-ups of one request, batched: a list of any length costs one query a kind.
//!
//! A batch belongs to one request and holds its viewer, so nothing loaded for one can reach another. Nothing is cached: a
//! subscription may live for hours, and what its viewer may see is asked anew each time.

use std::{collections::HashMap, sync::Arc};

use async_graphql::dataloader::Loader;
use chrono::{DateTime, Utc};
use entities::{
    broadcast, comment,
    ids::{BroadcastId, CommentId, MeetingId},
    meeting, stage_segment,
};

use crate::{
    app::App,
    domain::{comment::is_public, policy::author_key, viewer::Viewer},
    graphql::{
        context::Asked,
        error::{ApiError, ApiResult},
        meter::{Meter, comment_bytes, meeting_bytes},
    },
    store::Store,
};

/// The look-ups of one request.
pub struct Batch {
    app: Arc<App>,
    store: Store,
    viewer: Viewer,
    asked: Asked,
    meter: Arc<Meter>,
}

impl Batch {
    /// Look-ups for one viewer, read from `store`.
    #[must_use]
    pub const fn new(app: Arc<App>, store: Store, viewer: Viewer, asked: Asked, meter: Arc<Meter>) -> Self {
        Self { app, store, viewer, asked, meter }
    }

    /// The database, for one statement.
    fn store(&self) -> ApiResult<&Store> {
        self.meter.statement()?;
        Ok(&self.store)
    }

    fn viewer(&self) -> &Viewer {
        self.asked.note();
        &self.viewer
    }
}

/// A comment, if everybody may see it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct InPublic(pub CommentId);

/// The broadcasts of a meeting.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct BroadcastsOf(pub MeetingId);

/// The words that are blocked at a meeting, as a JSON array; none where there never were any.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct BlockedWordsOf(pub MeetingId);

/// The stretches of a meeting's stages.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SegmentsOf(pub MeetingId);

/// Whether the viewer has voted for a comment.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct VotedFor(pub CommentId);

/// Until when the viewer may not write at a meeting, if that was ever said.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct MutedAt(pub MeetingId);

impl Loader<MeetingId> for Batch {
    type Value = Arc<meeting::Model>;
    type Error = ApiError;

    async fn load(&self, ids: &[MeetingId]) -> Result<HashMap<MeetingId, Self::Value>, ApiError> {
        let rows = self.store()?.meetings_by_id(ids).await?;
        self.meter.rows(rows.iter().map(meeting_bytes).sum())?;
        Ok(rows.into_iter().map(|row| (row.id, Arc::new(row))).collect())
    }
}

impl Loader<BroadcastId> for Batch {
    type Value = broadcast::Model;
    type Error = ApiError;

    async fn load(&self, ids: &[BroadcastId]) -> Result<HashMap<BroadcastId, Self::Value>, ApiError> {
        let rows = self.store()?.broadcasts_by_id(ids).await?;
        Ok(rows.into_iter().map(|row| (row.id, row)).collect())
    }
}

impl Loader<CommentId> for Batch {
    type Value = Arc<comment::Model>;
    type Error = ApiError;

    async fn load(&self, ids: &[CommentId]) -> Result<HashMap<CommentId, Self::Value>, ApiError> {
        self.meter.statement()?;
        let rows = self.app.visible_comments(&self.store, self.viewer(), ids).await?;
        self.meter.rows(rows.iter().map(comment_bytes).sum())?;
        Ok(rows.into_iter().map(|row| (row.id, Arc::new(row))).collect())
    }
}

impl Loader<InPublic> for Batch {
    type Value = Arc<comment::Model>;
    type Error = ApiError;

    async fn load(&self, keys: &[InPublic]) -> Result<HashMap<InPublic, Self::Value>, ApiError> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let rows = self.store()?.comments_by_id(&ids).await?;
        self.meter.rows(rows.iter().map(comment_bytes).sum())?;
        let public = rows.into_iter().filter(|row| is_public(row.state));
        Ok(public.map(|row| (InPublic(row.id), Arc::new(row))).collect())
    }
}

impl Loader<BroadcastsOf> for Batch {
    type Value = Vec<broadcast::Model>;
    type Error = ApiError;

    async fn load(&self, keys: &[BroadcastsOf]) -> Result<HashMap<BroadcastsOf, Self::Value>, ApiError> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let mut found: HashMap<_, Self::Value> = HashMap::new();
        for row in self.store()?.broadcasts_of(&ids).await? {
            found.entry(BroadcastsOf(row.meeting_id)).or_default().push(row);
        }
        Ok(found)
    }
}

impl Loader<BlockedWordsOf> for Batch {
    type Value = String;
    type Error = ApiError;

    async fn load(&self, keys: &[BlockedWordsOf]) -> Result<HashMap<BlockedWordsOf, String>, ApiError> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let rows = self.store()?.blocked_words_of(&ids).await?;
        self.meter.rows(rows.iter().map(|row| row.words.len()).sum())?;
        Ok(rows.into_iter().map(|row| (BlockedWordsOf(row.meeting_id), row.words)).collect())
    }
}

impl Loader<SegmentsOf> for Batch {
    type Value = Arc<Vec<stage_segment::Model>>;
    type Error = ApiError;

    async fn load(&self, keys: &[SegmentsOf]) -> Result<HashMap<SegmentsOf, Self::Value>, ApiError> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let mut found: HashMap<_, Vec<_>> = HashMap::new();
        for row in self.store()?.segments_of(&ids).await? {
            found.entry(SegmentsOf(row.meeting_id)).or_default().push(row);
        }
        Ok(found.into_iter().map(|(key, rows)| (key, Arc::new(rows))).collect())
    }
}

impl Loader<VotedFor> for Batch {
    type Value = ();
    type Error = ApiError;

    async fn load(&self, keys: &[VotedFor]) -> Result<HashMap<VotedFor, ()>, ApiError> {
        let Some(subject) = self.viewer().subject() else { return Ok(HashMap::new()) };
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let voted = self.store()?.voted(&ids, subject).await?;
        Ok(voted.into_iter().map(|id| (VotedFor(id), ())).collect())
    }
}

impl Loader<MutedAt> for Batch {
    type Value = DateTime<Utc>;
    type Error = ApiError;

    async fn load(&self, keys: &[MutedAt]) -> Result<HashMap<MutedAt, Self::Value>, ApiError> {
        let Some(author) = author_key(self.viewer()) else { return Ok(HashMap::new()) };
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let muted = self.store()?.muted_at(&ids, &author).await?;
        Ok(muted.into_iter().map(|(id, until)| (MutedAt(id), until)).collect())
    }
}
