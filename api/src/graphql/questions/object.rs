//! The fields of a comment, and lists of comments.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};
use chrono::{DateTime, Utc};
use entities::{enums::IssueSourceKind, ids::CommentId, meeting};
use uuid::Uuid;

use crate::{
    app::reads::{CommentCursor, CommentFilter},
    connection,
    domain::{comment::receipt_text, policy::author_key},
    graphql::{
        context::ContextExt,
        entity::Entity as _,
        enums::{CommentKind, CommentState, Language, Platform, Stage},
        error::{ApiError, ApiResult},
        issues::{Issue, issue_from},
        loaders::{PublicComment, SegmentsOf, VotedFor},
        meetings::Meeting,
        meter::comment_bytes,
        page::{Cursor, Page, PageArgs, STATEMENT_COST},
        questions::entity::Comment,
    },
};

connection!(
    CommentConnection,
    CommentEdge,
    Comment,
    CommentCounter,
    "comments",
    "STATEMENT_COST",
    "Number of items in the whole list, or 10,000 if there are more. Counted only if selected."
);

/// Counts the comments of a list.
pub enum CommentCounter {
    /// The comments of a meeting that the viewer may see and a filter selects.
    Meeting(Arc<meeting::Model>, Box<CommentFilter>),
    /// The viewer's own comments.
    Own,
}

impl CommentCounter {
    /// Returns the count.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn count(&self, ctx: &Context<'_>) -> ApiResult<i32> {
        ctx.meter().statement()?;
        let (reads, viewer) = (ctx.reads(), ctx.viewer());
        let count = match self {
            Self::Meeting(meeting, filter) => reads.count_comments(viewer, meeting, filter).await?,
            Self::Own => reads.count_own_comments(viewer).await?,
        };
        Ok(i32::try_from(count).unwrap_or(i32::MAX))
    }
}

impl Cursor for CommentId {
    fn write(&self) -> String {
        self.0.simple().to_string()
    }

    fn read(text: &str) -> Option<Self> {
        Uuid::try_parse(text).ok().map(Self)
    }
}

impl Cursor for CommentCursor {
    fn write(&self) -> String {
        format!("{}.{}", self.0, self.1)
    }

    fn read(text: &str) -> Option<Self> {
        let (votes, seq) = text.split_once('.')?;
        Some((votes.parse().ok()?, seq.parse().ok()?))
    }
}

/// Returns a page of the comments of a meeting that the viewer may see.
///
/// # Errors
/// `BAD_USER_INPUT` if the page arguments are invalid.
pub async fn list_comments(
    ctx: &Context<'_>,
    meeting: &Arc<meeting::Model>,
    filter: CommentFilter,
    page: PageArgs,
) -> ApiResult<CommentConnection> {
    let request = page.request()?;
    ctx.meter().statement()?;
    let slice = ctx.reads().comments(ctx.viewer(), meeting, &filter, &request).await?;
    ctx.meter().rows(slice.rows.iter().map(comment_bytes).sum())?;
    let page = Page::new(slice, |row| (row.votes, row.posted_seq), |row| Comment(Arc::new(row)));
    let counter = CommentCounter::Meeting(Arc::clone(meeting), Box::new(filter));
    Ok(CommentConnection::new(page, counter))
}

/// Returns a page of the viewer's own comments, newest first.
///
/// # Errors
/// `BAD_USER_INPUT` if the page arguments are invalid.
pub async fn own_comments(ctx: &Context<'_>, page: PageArgs) -> ApiResult<CommentConnection> {
    let request = page.request()?;
    ctx.meter().statement()?;
    let slice = ctx.reads().own_comments(ctx.viewer(), &request).await?;
    ctx.meter().rows(slice.rows.iter().map(comment_bytes).sum())?;
    let page = Page::new(slice, |row| row.id, |row| Comment(Arc::new(row)));
    Ok(CommentConnection::new(page, CommentCounter::Own))
}

/// A question, proposal or remark at a meeting.
#[Object]
impl Comment {
    /// Global id, opaque.
    pub async fn id(&self) -> ID {
        Self::global_id(self.0.id)
    }

    /// The meeting.
    async fn meeting(&self, ctx: &Context<'_>) -> ApiResult<Meeting> {
        let meeting = ctx.load(self.0.meeting_id).await?;
        meeting.map(Meeting).ok_or(ApiError::NotFound)
    }

    /// Short number that the author can quote, for example `Q-0042`.
    async fn receipt(&self) -> String {
        receipt_text(self.0.receipt)
    }

    /// The kind of comment.
    async fn kind(&self) -> CommentKind {
        self.0.kind.into()
    }

    /// The text.
    async fn body(&self, ctx: &Context<'_>) -> ApiResult<&str> {
        ctx.text(self.0.body.as_str())
    }

    /// The language of the comment.
    async fn language(&self) -> Language {
        self.0.language.into()
    }

    /// Name of the author, as shown.
    async fn author_name(&self, ctx: &Context<'_>) -> ApiResult<&str> {
        ctx.text(self.0.author_name.as_str())
    }

    /// Whether the author chose the name, so that it is not verified by the identity provider.
    async fn author_name_chosen(&self) -> bool {
        // On a platform, authors choose their names.
        self.0.author_name_chosen || self.0.platform.is_some()
    }

    /// The platform where it was posted; null for this API.
    async fn platform(&self) -> Option<Platform> {
        self.0.platform.map(Into::into)
    }

    /// The state.
    async fn state(&self) -> CommentState {
        self.0.state.into()
    }

    /// Why it was rejected or hidden.
    async fn state_reason(&self, ctx: &Context<'_>) -> ApiResult<Option<&str>> {
        self.0.state_reason.as_deref().map(|reason| ctx.text(reason)).transpose()
    }

    /// Number of votes.
    async fn votes(&self) -> i32 {
        self.0.votes
    }

    /// Labels set by moderators.
    async fn labels(&self, ctx: &Context<'_>) -> ApiResult<Vec<String>> {
        Ok(serde_json::from_str(ctx.text(self.0.labels.as_str())?).unwrap_or_default())
    }

    /// When it was posted.
    async fn posted_at(&self) -> DateTime<Utc> {
        self.0.posted_at
    }

    /// The stage during which it was posted, by the order of events and not by clocks.
    async fn posted_during(&self, ctx: &Context<'_>) -> ApiResult<Option<Stage>> {
        let segments = ctx.load(SegmentsOf(self.0.meeting_id)).await?;
        let stage = segments.and_then(|segments| {
            segments.iter().rev().find(|segment| segment.from_seq < self.0.posted_seq).map(|segment| segment.stage)
        });
        Ok(stage.map(Into::into))
    }

    /// When it was last selected for an answer.
    async fn selected_at(&self) -> Option<DateTime<Utc>> {
        self.0.selected_at
    }

    /// When it was answered.
    async fn answered_at(&self) -> Option<DateTime<Utc>> {
        self.0.answered_at
    }

    /// The written answer; null if it was only given orally.
    async fn answer(&self, ctx: &Context<'_>) -> ApiResult<Option<&str>> {
        self.0.answer.as_deref().map(|answer| ctx.text(answer)).transpose()
    }

    /// The issue that was raised from it.
    #[graphql(complexity = "child_complexity.saturating_add(STATEMENT_COST)")]
    async fn issue(&self, ctx: &Context<'_>) -> ApiResult<Option<Issue>> {
        issue_from(ctx, IssueSourceKind::Comment, self.0.id.0).await
    }

    /// The comment that this one was merged into; null if the viewer may not see it.
    async fn merged_into(&self, ctx: &Context<'_>) -> ApiResult<Option<Self>> {
        match self.0.merged_into {
            Some(into) => match ctx.load(PublicComment(into)).await? {
                Some(row) => Ok(Some(Self(row))),
                None => Ok(ctx.load(into).await?.map(Self)),
            },
            None => Ok(None),
        }
    }

    /// Whether the viewer has voted for it.
    async fn viewer_has_voted(&self, ctx: &Context<'_>) -> ApiResult<bool> {
        Ok(ctx.load(VotedFor(self.0.id)).await?.is_some())
    }

    /// Whether the viewer wrote it.
    async fn viewer_is_author(&self, ctx: &Context<'_>) -> bool {
        let own = author_key(ctx.viewer());
        own.is_some() && own.as_deref() == self.0.author_key.as_deref()
    }
}
