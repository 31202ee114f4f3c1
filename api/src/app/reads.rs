//! What queries and subscriptions read, each as a viewer may see it.
//!
//! The API reads through this module only, so that no read goes without the check that belongs to it.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use entities::{
    audit_entry, blocked_words, broadcast, comment,
    ids::{BroadcastId, CommentId, MeetingId},
    meeting, stage_segment,
};

pub use crate::store::{
    StoreError,
    audit_reads::{AuditCursor, AuditFilter},
    comments::{CommentCursor, CommentFilter, CommentOrder},
    issue_lists::{IssueCursor, IssueFilter, IssueOrder, PublishedIssues},
    issue_parts::QuarterReport,
    keyset::{PageRequest, PageSlice},
    meetings::{MeetingCursor, MeetingFilter},
    public_requests::RequestFilter,
    publications::PublicationFilter,
};
use crate::{
    app::App,
    domain::{
        comment::is_public,
        comment_events::comment_feed,
        notification::{PersonKey, notification_feed},
        policy::{AuditScope, Denied, audit_scope, author_key},
        viewer::{Person, Viewer},
    },
    store::Store,
};

/// Why the audit log is not shown.
#[derive(Debug, thiserror::Error)]
pub enum AuditLogError {
    /// The viewer may see no entry.
    #[error("not allowed")]
    Denied(Denied),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Reads over one of the service's pools of connections.
#[derive(Clone)]
pub struct Reads {
    app: Arc<App>,
    store: Store,
    pool: ReadPool,
}

/// Whose connections reads take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::app) enum ReadPool {
    /// Those of queries.
    Queries,
    /// Those of commands and feeds.
    Commands,
}

impl Reads {
    /// Reads of queries: with connections of their own, so that no flood of them delays a command.
    #[must_use]
    pub fn of_queries(app: &Arc<App>) -> Self {
        Self { app: Arc::clone(app), store: app.reads.clone(), pool: ReadPool::Queries }
    }

    /// Reads of mutations and of subscriptions, with the connections of commands.
    #[must_use]
    pub fn of_commands(app: &Arc<App>) -> Self {
        Self { app: Arc::clone(app), store: app.store.clone(), pool: ReadPool::Commands }
    }

    /// Whose connections these reads take.
    pub(in crate::app) const fn pool(&self) -> ReadPool {
        self.pool
    }

    /// The application, for the permissions of a feature's reads.
    pub(in crate::app) const fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// The database, for a feature's reads.
    pub(in crate::app) const fn store(&self) -> &Store {
        &self.store
    }

    /// Returns meetings by id. Every meeting is public.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn meetings_by_id(&self, ids: &[MeetingId]) -> Result<Vec<meeting::Model>, StoreError> {
        self.store.meetings_by_id(ids).await
    }

    /// Returns a page of the meetings that a filter selects.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn meetings(
        &self,
        filter: &MeetingFilter,
        request: &PageRequest<MeetingCursor>,
    ) -> Result<PageSlice<meeting::Model>, StoreError> {
        self.store.meetings(filter, request).await
    }

    /// Counts the meetings that a filter selects.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count_meetings(&self, filter: &MeetingFilter) -> Result<u64, StoreError> {
        self.store.count_meetings(filter).await
    }

    /// Returns broadcasts by id. They are public with their meetings.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn broadcasts_by_id(&self, ids: &[BroadcastId]) -> Result<Vec<broadcast::Model>, StoreError> {
        self.store.broadcasts_by_id(ids).await
    }

    /// Returns the broadcasts of meetings.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn broadcasts_of(&self, ids: &[MeetingId]) -> Result<Vec<broadcast::Model>, StoreError> {
        self.store.broadcasts_of(ids).await
    }

    /// Returns the stage segments of meetings.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn segments_of(&self, ids: &[MeetingId]) -> Result<Vec<stage_segment::Model>, StoreError> {
        self.store.segments_of(ids).await
    }

    /// Returns the blocked words of meetings, which only those may see whom [`crate::domain::policy::SeeSettings`] permits: the field
    /// that shows them asks.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn blocked_words_of(&self, ids: &[MeetingId]) -> Result<Vec<blocked_words::Model>, StoreError> {
        self.store.blocked_words_of(ids).await
    }

    /// Returns the comments with these ids that the viewer may see.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn comments_by_id(&self, viewer: &Viewer, ids: &[CommentId]) -> Result<Vec<comment::Model>, StoreError> {
        self.app.visible_comments(&self.store, viewer, ids).await
    }

    /// Returns the comments with these ids that everybody may see.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn public_comments_by_id(&self, ids: &[CommentId]) -> Result<Vec<comment::Model>, StoreError> {
        let mut rows = self.store.comments_by_id(ids).await?;
        rows.retain(|row| is_public(row.state));
        Ok(rows)
    }

    /// Returns a page of the comments of a meeting that the viewer may see and a filter selects.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn comments(
        &self,
        viewer: &Viewer,
        meeting: &meeting::Model,
        filter: &CommentFilter,
        request: &PageRequest<CommentCursor>,
    ) -> Result<PageSlice<comment::Model>, StoreError> {
        let scope = self.app.comment_scope(viewer, meeting)?;
        self.store.comments(meeting.id, &scope, filter, request).await
    }

    /// Counts the comments of a meeting that the viewer may see and a filter selects.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count_comments(
        &self,
        viewer: &Viewer,
        meeting: &meeting::Model,
        filter: &CommentFilter,
    ) -> Result<u64, StoreError> {
        let scope = self.app.comment_scope(viewer, meeting)?;
        self.store.count_comments(meeting.id, &scope, filter).await
    }

    /// Returns a page of the viewer's own comments, newest first; none for the anonymous.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn own_comments(
        &self,
        viewer: &Viewer,
        request: &PageRequest<CommentId>,
    ) -> Result<PageSlice<comment::Model>, StoreError> {
        match author_key(viewer) {
            Some(author) => self.store.comments_of(&author, request).await,
            None => Ok(request.slice(Vec::new())),
        }
    }

    /// Counts the viewer's own comments.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count_own_comments(&self, viewer: &Viewer) -> Result<u64, StoreError> {
        match author_key(viewer) {
            Some(author) => self.store.count_comments_of(&author).await,
            None => Ok(0),
        }
    }

    /// Returns for which of these comments the viewer has voted.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn voted(&self, viewer: &Viewer, ids: &[CommentId]) -> Result<Vec<CommentId>, StoreError> {
        match viewer.subject() {
            Some(subject) => self.store.voted(ids, subject).await,
            None => Ok(Vec::new()),
        }
    }

    /// Returns until when the viewer is muted at meetings.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn muted_at(
        &self,
        viewer: &Viewer,
        ids: &[MeetingId],
    ) -> Result<Vec<(MeetingId, DateTime<Utc>)>, StoreError> {
        match author_key(viewer) {
            Some(author) => self.store.muted_at(ids, &author).await,
            None => Ok(Vec::new()),
        }
    }

    /// Returns the position of the newest event of a meeting's comment feed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn comments_head(&self, meeting: MeetingId) -> Result<i64, StoreError> {
        Ok(self.store.feed_extent(&comment_feed(meeting)).await?.head)
    }

    /// Returns the position of a person's newest notification.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn notifications_head(&self, person: &Person) -> Result<i64, StoreError> {
        let feed = notification_feed(&PersonKey::of(&person.subject));
        Ok(self.store.feed_extent(&feed).await?.head)
    }

    /// Returns a page of the entries of the audit log that the viewer may see and a filter selects, newest first.
    ///
    /// # Errors
    /// When the viewer may see no entry, or the database fails.
    pub async fn audit_log(
        &self,
        viewer: &Viewer,
        filter: &AuditFilter,
        request: &PageRequest<AuditCursor>,
    ) -> Result<PageSlice<audit_entry::Model>, AuditLogError> {
        Ok(self.store.audit_log(&visible_audit_log(viewer)?, filter, request).await?)
    }

    /// Counts the entries of the audit log that the viewer may see and a filter selects.
    ///
    /// # Errors
    /// When the viewer may see no entry, or the database fails.
    pub async fn count_audit_log(&self, viewer: &Viewer, filter: &AuditFilter) -> Result<u64, AuditLogError> {
        Ok(self.store.count_audit_log(&visible_audit_log(viewer)?, filter).await?)
    }
}

fn visible_audit_log(viewer: &Viewer) -> Result<AuditScope, AuditLogError> {
    audit_scope(viewer).map_err(AuditLogError::Denied)
}
