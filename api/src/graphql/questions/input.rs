//! The inputs of comment operations.

use async_graphql::{Enum, ID, InputObject};

use crate::{
    app::{
        questions::{ImportComments, ImportedComment, Moderate, Moderation, PostComment},
        reads::CommentFilter,
    },
    domain::{comment::MAX_LABEL_LENGTH, text::single_line},
    graphql::{
        entity::parse_id,
        enums::{CommentKind, CommentOrder, CommentState, Language},
        error::{ApiError, ApiResult},
        meetings::{Broadcast, Meeting},
        page::{dedup, parse_search, text_search_cost},
        questions::Comment,
        scalars::Timestamp,
    },
};

/// Filter and order of comments. All given conditions must hold.
#[derive(InputObject, Clone, Debug, Default)]
#[graphql(name = "CommentFilter")]
pub struct CommentFilterInput {
    /// In one of these states.
    pub states: Option<Vec<CommentState>>,
    /// Of one of these kinds.
    pub kinds: Option<Vec<CommentKind>>,
    /// With these words in the body or the author's name, in any spelling variant; at most 20 words and 200
    /// code points. A search of symbols only is matched exactly.
    pub search: Option<String>,
    /// With exactly this label.
    pub label: Option<String>,
    /// The order; oldest first by default.
    pub order_by: Option<CommentOrder>,
}

impl CommentFilterInput {
    /// Returns the cost that the filter adds to a list.
    #[must_use]
    pub fn cost(filter: &Option<Self>) -> usize {
        let Some(filter) = filter else { return 0 };
        let label = if filter.label.is_some() { text_search_cost(Some("label")) } else { 0 };
        text_search_cost(filter.search.as_deref()).saturating_add(label)
    }

    /// Converts the filter for the store.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` if the search has too many terms, or the label is invalid.
    pub fn parse(self) -> ApiResult<CommentFilter> {
        let label = |label: String| single_line(&label, MAX_LABEL_LENGTH).map_err(|_| ApiError::bad("filter.label"));
        Ok(CommentFilter {
            states: self.states.map(dedup),
            kinds: self.kinds.map(dedup),
            words: parse_search(self.search.as_deref(), "filter.search")?,
            label: self.label.map(label).transpose()?,
            order: self.order_by.map(Into::into).unwrap_or_default(),
        })
    }
}

/// A comment to be posted.
#[derive(InputObject)]
pub struct PostCommentInput {
    /// The meeting.
    pub meeting_id: ID,
    /// The text: 1 to 1,000 Unicode code points after normalisation to one line of NFC without invisible
    /// characters.
    pub body: String,
    /// The kind of comment.
    #[graphql(default_with = "Some(CommentKind::Question)")]
    pub kind: Option<CommentKind>,
    /// The language of the comment; that of the request by default.
    pub language: Option<Language>,
    /// The author's display name, at most 100 code points; the name in the token by default. Official titles
    /// and names of staff of the host are refused (`INVALID`). A chosen name sets `authorNameChosen`.
    pub author_name: Option<String>,
    /// Idempotency key: a retry with the same key and input returns the first result. At most 200 code
    /// points, without control characters.
    pub idempotency_key: Option<String>,
}

impl PostCommentInput {
    /// Returns the command and the idempotency key.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` if the id is malformed.
    pub fn parse(self) -> ApiResult<(PostComment, Option<String>)> {
        let post = PostComment {
            meeting: parse_id::<Meeting>(&self.meeting_id, "input.meetingId")?,
            body: self.body,
            kind: self.kind.unwrap_or(CommentKind::Question).into(),
            language: self.language.map(Into::into),
            author_name: self.author_name,
        };
        Ok((post, self.idempotency_key))
    }
}

/// Comments of a broadcast to be imported.
#[derive(InputObject)]
pub struct ImportCommentsInput {
    /// The meeting.
    pub meeting_id: ID,
    /// The broadcast of the comments.
    pub broadcast_id: ID,
    /// The comments in the platform's order, at most 500.
    pub comments: Vec<ImportedCommentInput>,
}

/// A comment imported from a platform.
#[derive(InputObject)]
pub struct ImportedCommentInput {
    /// The comment's id on the platform, stored unchanged: 1 to 300 code points.
    pub external_id: String,
    /// The author's id on the platform, stored unchanged: 1 to 300 code points.
    pub author_external_id: Option<String>,
    /// The author's name.
    pub author_name: String,
    /// The text; optional if `deleted` is true. Normalised like a posted text, and truncated after 1,000 code
    /// points.
    pub body: Option<String>,
    /// When it was posted, by the platform's clock.
    pub posted_at: Timestamp,
    /// Whether the platform has deleted it.
    #[graphql(default_with = "Some(false)")]
    pub deleted: Option<bool>,
}

impl ImportCommentsInput {
    /// Returns the command.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` if an id is malformed.
    pub fn parse(self) -> ApiResult<ImportComments> {
        let comment = |one: ImportedCommentInput| ImportedComment {
            external_id: one.external_id,
            author_external_id: one.author_external_id,
            author_name: one.author_name,
            body: one.body.unwrap_or_default(),
            posted_at: one.posted_at.0,
            deleted: one.deleted.unwrap_or(false),
        };
        Ok(ImportComments {
            meeting: parse_id::<Meeting>(&self.meeting_id, "input.meetingId")?,
            broadcast: parse_id::<Broadcast>(&self.broadcast_id, "input.broadcastId")?,
            comments: self.comments.into_iter().map(comment).collect(),
        })
    }
}

/// A vote.
#[derive(InputObject)]
pub struct VoteCommentInput {
    /// The comment.
    pub comment_id: ID,
    /// True to vote, false to remove the vote.
    #[graphql(default_with = "Some(true)")]
    pub up: Option<bool>,
}

/// The viewer's own comment, to be withdrawn.
#[derive(InputObject)]
pub struct WithdrawCommentInput {
    /// The comment.
    pub comment_id: ID,
}

/// A moderation decision.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "Moderation")]
pub enum ModerationAction {
    /// Publish the comment.
    Approve,
    /// Reject the comment, with a reason.
    Reject,
    /// Hide a public comment, with a reason.
    Hide,
    /// Restore a rejected or hidden comment.
    Restore,
}

/// A moderation decision on comments of one meeting.
#[derive(InputObject)]
pub struct ModerateCommentsInput {
    /// The comments, at most 100, all of one meeting.
    pub comment_ids: Vec<ID>,
    /// The decision.
    pub action: ModerationAction,
    /// Why, at most 500 code points; required for REJECT and HIDE.
    pub reason: Option<String>,
}

impl ModerateCommentsInput {
    /// Returns the command.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` if an id is malformed.
    pub fn parse(self) -> ApiResult<Moderate> {
        let ids = self.comment_ids.iter().map(|id| parse_id::<Comment>(id, "input.commentIds"));
        Ok(Moderate { comments: ids.collect::<Result<_, _>>()?, action: self.action.into(), reason: self.reason })
    }
}

/// A comment to be selected for an answer.
#[derive(InputObject)]
pub struct SelectCommentInput {
    /// The comment.
    pub comment_id: ID,
}

/// A comment to be marked as answered.
#[derive(InputObject)]
pub struct AnswerCommentInput {
    /// The comment.
    pub comment_id: ID,
    /// The written answer, at most 5,000 code points. Line breaks are kept.
    pub answer: Option<String>,
}

/// Comments with the same question, to be merged.
#[derive(InputObject)]
pub struct MergeCommentsInput {
    /// The comment to merge into.
    pub into: ID,
    /// The comments to merge, at most 100.
    pub comment_ids: Vec<ID>,
}

/// Labels for a comment.
#[derive(InputObject)]
pub struct LabelCommentInput {
    /// The comment.
    pub comment_id: ID,
    /// All labels of the comment: at most 10, each of at most 40 code points.
    pub labels: Vec<String>,
}

/// An author to be muted.
#[derive(InputObject)]
pub struct MuteAuthorInput {
    /// One of the author's comments.
    pub comment_id: ID,
    /// Duration in minutes, 0 to 1440; 0 ends the mute.
    pub minutes: i32,
}
