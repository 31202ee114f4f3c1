//! The mutations of comments. They only translate.

use std::sync::Arc;

use async_graphql::{Context, Object, SimpleObject};
use entities::comment;

use crate::{
    app::{CommandError, questions::PostOptions},
    graphql::{
        context::ContextExt,
        entity::parse_id,
        error::ApiResult,
        mutation::{payload, run_with_retry},
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

/// A comment or a refusal: exactly one of the two is set.
#[derive(SimpleObject)]
pub struct CommentPayload {
    /// The comment after the change.
    pub comment: Option<Comment>,
    /// Why nothing was changed.
    pub refusal: Option<Refusal>,
}

/// All comments or a refusal: exactly one of the two is set.
#[derive(SimpleObject)]
pub struct CommentsPayload {
    /// The comments after the change.
    pub comments: Option<Vec<Comment>>,
    /// Why nothing was changed.
    pub refusal: Option<Refusal>,
}

/// The counts of an import, or a refusal.
#[derive(SimpleObject)]
pub struct ImportCommentsPayload {
    /// Number of new comments.
    pub imported: Option<i32>,
    /// Number of comments already imported and unchanged.
    pub duplicates: Option<i32>,
    /// Number of comments whose text changed.
    pub changed: Option<i32>,
    /// Number of comments deleted on the platform.
    pub removed: Option<i32>,
    /// Why nothing was changed.
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

    /// Imports at most 500 comments from a broadcast platform. Known comments are updated, never duplicated.
    /// For connectors.
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

    /// Votes for a comment, or removes the vote. Each person has one vote. For citizens.
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

    /// Withdraws the viewer's own comment.
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

    /// Approves, rejects, hides or restores at most 100 comments of one meeting, all or none. For moderators.
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

    /// Selects a public comment to be answered now. The one selected before becomes an ordinary public
    /// comment. For moderators.
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

    /// Marks a public comment as answered, with an optional written answer. For moderators.
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

    /// Merges comments with the same question: votes are added, one per person, and each author sees the
    /// answer through `mergedInto`. For moderators.
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

    /// Mutes the author of a comment at its meeting for a while. For moderators.
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
