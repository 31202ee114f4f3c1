//! The mutations of comments. They only translate.

use std::sync::Arc;

use async_graphql::{Context, Object, SimpleObject};
use entities::comment;

use crate::{
    app::{CommandError, questions::PostOptions},
    graphql::{
        context::ContextExt,
        error::ApiResult,
        mutation::{payload, run_with_retry},
        node::parse_id,
        questions::{
            Comment,
            input::{
                AnswerCommentInput, ImportCommentsInput, LabelCommentInput, MergeCommentsInput, ModerateCommentsInput,
                MuteAuthorInput, PostCommentInput, SelectCommentInput, VoteCommentInput, WithdrawCommentInput,
            },
        },
        refusal::Refusal,
    },
};

/// A comment or a refusal: exactly one of the two.
#[derive(SimpleObject)]
pub struct CommentPayload {
    /// The comment as it now is.
    pub comment: Option<Comment>,
    /// Why nothing was done.
    pub refusal: Option<Refusal>,
}

/// Comments or a refusal: exactly one of the two; all or none.
#[derive(SimpleObject)]
pub struct CommentsPayload {
    /// The comments as they now are.
    pub comments: Option<Vec<Comment>>,
    /// Why nothing was done.
    pub refusal: Option<Refusal>,
}

/// What an import did, or a refusal.
#[derive(SimpleObject)]
pub struct ImportCommentsPayload {
    /// How many were new.
    pub imported: Option<i32>,
    /// How many were known and are unchanged.
    pub duplicates: Option<i32>,
    /// How many have another text now.
    pub changed: Option<i32>,
    /// How many were deleted on their platform.
    pub removed: Option<i32>,
    /// Why nothing was done.
    pub refusal: Option<Refusal>,
}

fn comment(ctx: &Context<'_>, result: Result<comment::Model, CommandError>) -> ApiResult<CommentPayload> {
    payload(ctx, result, |row, refusal| CommentPayload { comment: row.map(|row| Comment(Arc::new(row))), refusal })
}

/// Mutations of live questions.
#[derive(Default)]
pub struct QuestionMutation;

/// Mutations of live questions.
#[Object]
impl QuestionMutation {
    /// Posts a question, proposal or remark at a live meeting. For citizens.
    #[graphql(tag = "public")]
    async fn post_comment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The comment.")] input: PostCommentInput,
    ) -> ApiResult<CommentPayload> {
        let (post, key) = input.parse()?;
        let options = PostOptions { key: key.as_deref(), language: ctx.language() };
        comment(ctx, ctx.app().post_comment(ctx.viewer(), post, options).await)
    }

    /// Imports comments from a broadcast platform, at most 500: known ones are updated, never doubled. For connectors.
    #[graphql(tag = "internal")]
    async fn import_comments(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The comments.")] input: ImportCommentsInput,
    ) -> ApiResult<ImportCommentsPayload> {
        let (app, viewer, command) = (ctx.app(), ctx.viewer(), input.parse()?);
        let result = run_with_retry(|| app.import_comments(viewer, command.clone())).await;
        payload(ctx, result, |done, refusal| ImportCommentsPayload {
            imported: done.map(|done| done.imported),
            duplicates: done.map(|done| done.duplicates),
            changed: done.map(|done| done.changed),
            removed: done.map(|done| done.removed),
            refusal,
        })
    }

    /// Votes for a comment, or takes the vote back: one vote a person, however often sent. For citizens.
    #[graphql(tag = "public")]
    async fn vote_comment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The vote.")] input: VoteCommentInput,
    ) -> ApiResult<CommentPayload> {
        let id = parse_id::<Comment>(&input.comment_id, "input.commentId")?;
        let up = input.up.unwrap_or(true);
        let (app, viewer) = (ctx.app(), ctx.viewer());
        comment(ctx, run_with_retry(|| app.vote_comment(viewer, id, up)).await)
    }

    /// Takes one's own comment back.
    #[graphql(tag = "public")]
    async fn withdraw_comment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The comment.")] input: WithdrawCommentInput,
    ) -> ApiResult<CommentPayload> {
        let id = parse_id::<Comment>(&input.comment_id, "input.commentId")?;
        let (app, viewer) = (ctx.app(), ctx.viewer());
        comment(ctx, run_with_retry(|| app.withdraw_comment(viewer, id)).await)
    }

    /// Approves, rejects, hides or restores comments of one meeting, at most 100: all or none. For moderators.
    #[graphql(tag = "internal")]
    async fn moderate_comments(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The decision.")] input: ModerateCommentsInput,
    ) -> ApiResult<CommentsPayload> {
        let (app, viewer, command) = (ctx.app(), ctx.viewer(), input.parse()?);
        let result = run_with_retry(|| app.moderate_comments(viewer, command.clone())).await;
        payload(ctx, result, |rows, refusal| CommentsPayload {
            comments: rows.map(|rows| rows.into_iter().map(|row| Comment(Arc::new(row))).collect()),
            refusal,
        })
    }

    /// Takes a public comment to be answered now; the one before goes back among the others. For moderators.
    #[graphql(tag = "internal")]
    async fn select_comment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The comment.")] input: SelectCommentInput,
    ) -> ApiResult<CommentPayload> {
        let id = parse_id::<Comment>(&input.comment_id, "input.commentId")?;
        let (app, viewer) = (ctx.app(), ctx.viewer());
        comment(ctx, run_with_retry(|| app.select_comment(viewer, id)).await)
    }

    /// Marks a public comment as answered, with the answer in writing where there is one. For moderators.
    #[graphql(tag = "internal")]
    async fn answer_comment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The comment and its answer.")] input: AnswerCommentInput,
    ) -> ApiResult<CommentPayload> {
        let id = parse_id::<Comment>(&input.comment_id, "input.commentId")?;
        let (app, viewer, answer) = (ctx.app(), ctx.viewer(), input.answer.as_deref());
        comment(ctx, run_with_retry(|| app.answer_comment(viewer, id, answer)).await)
    }

    /// Joins comments that ask the same: votes add up, each person's once, and each author sees the answer through
    /// `mergedInto`. For moderators.
    #[graphql(tag = "internal")]
    async fn merge_comments(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The comments.")] input: MergeCommentsInput,
    ) -> ApiResult<CommentPayload> {
        let into = parse_id::<Comment>(&input.into, "input.into")?;
        let ids = input
            .comment_ids
            .iter()
            .map(|id| parse_id::<Comment>(id, "input.commentIds"))
            .collect::<Result<Vec<_>, _>>()?;
        let (app, viewer) = (ctx.app(), ctx.viewer());
        comment(ctx, run_with_retry(|| app.merge_comments(viewer, into, &ids)).await)
    }

    /// Sets the labels of a comment. For moderators.
    #[graphql(tag = "internal")]
    async fn label_comment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The comment and its labels.")] input: LabelCommentInput,
    ) -> ApiResult<CommentPayload> {
        let id = parse_id::<Comment>(&input.comment_id, "input.commentId")?;
        let (app, viewer) = (ctx.app(), ctx.viewer());
        comment(ctx, run_with_retry(|| app.label_comment(viewer, id, &input.labels)).await)
    }

    /// Keeps the author of a comment from writing at its meeting for a while. For moderators.
    #[graphql(tag = "internal")]
    async fn mute_author(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The author's comment and the time.")] input: MuteAuthorInput,
    ) -> ApiResult<CommentPayload> {
        let id = parse_id::<Comment>(&input.comment_id, "input.commentId")?;
        let (app, viewer) = (ctx.app(), ctx.viewer());
        comment(ctx, run_with_retry(|| app.mute_author(viewer, id, input.minutes)).await)
    }
}
