//! The inputs of comment operations.

use async_graphql::{Enum, ID, InputObject};

use crate::{
    app::questions::{ImportComments, ImportedComment, Moderate, Moderation, PostComment},
    domain::{comment::MAX_LABEL_LENGTH, text::single_line},
    graphql::{
        enums::{CommentKind, CommentOrder, CommentState, Language},
        error::{ApiError, ApiResult},
        meetings::{Broadcast, Meeting},
        node::parse_id,
        page::{dedup, parse_search, text_search_cost},
        questions::Comment,
        scalars::Timestamp,
    },
    store::comments::CommentFilter,
};

/// Which comments are wanted, and in which order. Every part that is given must hold.
#[derive(InputObject, Clone, Debug, Default)]
#[graphql(name = "CommentFilter")]
pub struct CommentFilterInput {
    /// In one of these states.
    pub states: Option<Vec<CommentState>>,
    /// Of one of these kinds.
    pub kinds: Option<Vec<CommentKind>>,
    /// With these words in the body or the author's name, however they are typed; at most 20 words and 200 code points. Signs alone
    /// are looked for as they are.
    pub search: Option<String>,
    /// With exactly this label.
    pub label: Option<String>,
    /// In which order; oldest first unless told.
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
    /// What is said: 1 to 1,000 Unicode code points, counted as it is kept: in one line, composed (NFC), without what cannot be seen.
    pub body: String,
    /// What the author wants.
    #[graphql(default_with = "Some(CommentKind::Question)")]
    pub kind: Option<CommentKind>,
    /// The language it is asked in; the one of the request unless told.
    pub language: Option<Language>,
    /// The name shown, at most 100 code points; the one of the token unless told. Titles of office and the names of those who run
    /// the host's meetings are refused (`INVALID`), and a chosen name is marked by `authorNameChosen`.
    pub author_name: Option<String>,
    /// The same key with the same input gives the first result again. At most 200 code points, without control characters.
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
    /// The broadcast they were written at.
    pub broadcast_id: ID,
    /// The comments in the platform's order, at most 500.
    pub comments: Vec<ImportedCommentInput>,
}

/// A comment as its platform has it.
#[derive(InputObject)]
pub struct ImportedCommentInput {
    /// Its identity on the platform, kept as it is: 1 to 300 code points.
    pub external_id: String,
    /// The author's identity on the platform, kept as it is: 1 to 300 code points.
    pub author_external_id: Option<String>,
    /// The author's name.
    pub author_name: String,
    /// What was said; may be left out where it is deleted. Kept as a posted body is, and cut after 1,000 code points.
    pub body: Option<String>,
    /// When, by the platform's clock.
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
    /// Whether to vote for it, or to take the vote back.
    #[graphql(default_with = "Some(true)")]
    pub up: Option<bool>,
}

/// One's own comment to be taken back.
#[derive(InputObject)]
pub struct WithdrawCommentInput {
    /// The comment.
    pub comment_id: ID,
}

/// What a moderator decides.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "Moderation")]
pub enum ModerationAction {
    /// Let it be public.
    Approve,
    /// Refuse it, with a reason.
    Reject,
    /// Take it down, with a reason.
    Hide,
    /// Bring it back.
    Restore,
}

/// A decision over comments of one meeting.
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

/// A comment to be answered now.
#[derive(InputObject)]
pub struct SelectCommentInput {
    /// The comment.
    pub comment_id: ID,
}

/// A comment that has been answered.
#[derive(InputObject)]
pub struct AnswerCommentInput {
    /// The comment.
    pub comment_id: ID,
    /// The answer in writing, at most 5,000 code points, in the lines it is written in.
    pub answer: Option<String>,
}

/// Comments that ask the same.
#[derive(InputObject)]
pub struct MergeCommentsInput {
    /// The one that stays.
    pub into: ID,
    /// Those that are joined to it, at most 100.
    pub comment_ids: Vec<ID>,
}

/// Labels for a comment.
#[derive(InputObject)]
pub struct LabelCommentInput {
    /// The comment.
    pub comment_id: ID,
    /// All its labels, at most 10 of 40 code points.
    pub labels: Vec<String>,
}

/// An author to be muted.
#[derive(InputObject)]
pub struct MuteAuthorInput {
    /// One of the author's comments.
    pub comment_id: ID,
    /// For how long, 0 to 1440 minutes; 0 lets them write again.
    pub minutes: i32,
}
