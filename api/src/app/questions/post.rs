//! Posts a comment.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use entities::{
    comment,
    enums::{CommentKind, Language},
    ids::{CommentId, MeetingId},
    meeting,
};

use crate::{
    app::{
        App, CommandError, Rejection,
        batcher::{Batched, Batcher, EarlyCheck, Outcome},
        idempotency::idempotency_key,
        input::checked_text,
        normalization::NormalizedComment,
        questions::{
            change_event,
            pending_post::{DisplayName, PendingPost, authors_of},
            posting_context::{PostingContext, check_accepting, mute_rejection},
        },
    },
    domain::{
        comment::MAX_BODY_LENGTH,
        comment_events::comment_feed,
        normalization::{Level, normalize},
        policy::{self, author_key, authorize},
        viewer::Viewer,
    },
    store::{StoreError, Tx, idempotency::IdempotencyKey, meetings::PostingState},
};

/// A comment to post.
#[derive(Clone, Debug, serde::Serialize)]
pub struct PostComment {
    /// The meeting.
    pub meeting: MeetingId,
    /// The text.
    pub body: String,
    /// Question, proposal or remark.
    pub kind: CommentKind,
    /// The language it is in; the one it was sent in unless rejections.
    pub language: Option<Language>,
    /// The chosen author name, or `None` for the token's name. Chosen names are marked as such.
    pub author_name: Option<String>,
}

/// Options of a post that are not part of its input, so a repeat may change them.
#[derive(Clone, Copy, Debug)]
pub struct PostOptions<'a> {
    /// The idempotency key.
    pub key: Option<&'a str>,
    /// The language of the request.
    pub language: Language,
}

impl App {
    /// Posts a comment at a live meeting.
    ///
    /// Posts of one meeting that arrive together share a transaction. Each is validated on its own, in order of
    /// arrival.
    ///
    /// # Errors
    /// Rejected when the author may not post now, or the text breaks a rule.
    pub async fn post_comment(
        self: &Arc<Self>,
        viewer: &Viewer,
        post: PostComment,
        sent: PostOptions<'_>,
    ) -> Result<comment::Model, CommandError> {
        let now = self.now();
        let person = viewer.person().ok_or(CommandError::Unauthenticated)?;
        if !policy::may_post(viewer) {
            return Err(CommandError::Forbidden);
        }
        let author = author_key(viewer).ok_or(CommandError::Unauthenticated)?;
        let key = idempotency_key(&person.subject, "postComment", sent.key, &post)?;
        let body = checked_text("body", &post.body, MAX_BODY_LENGTH)?;
        let name = DisplayName::of(post.author_name.as_deref(), person)?;
        let id = CommentId(self.ids.next(now));
        let PostComment { meeting, kind, language, .. } = post;
        let language = language.unwrap_or(sent.language);
        // Here and not in the batch, whose posts would wait for it.
        let normalized_body = normalize(&body, Level::Duplicates);
        let texts = format!("{body} {}", name.text);
        let normalized = NormalizedComment::of_said(meeting, Some(&author), &normalized_body, &texts);
        let pending = PendingPost {
            id,
            now,
            viewer: viewer.clone(),
            author,
            idempotency_key: key,
            kind,
            language,
            body,
            normalized_body,
            normalized,
            name,
        };
        self.run_batched(meeting, pending).await
    }

    async fn post_batch(
        &self,
        meeting: MeetingId,
        posts: &[PendingPost],
        early_check: EarlyCheck,
    ) -> Result<Vec<Outcome<comment::Model>>, StoreError> {
        if early_check == EarlyCheck::Run
            && let Some(rejections) = self.early_rejections(meeting, posts).await?
        {
            return Ok(rejections.into_iter().map(|rejection| Err(rejection.into())).collect());
        }
        let mut tx = self.store.begin().await?;
        let replays = replays(&tx, posts).await?;
        let meeting = tx.lock_meeting(meeting).await?;
        let mut context = match &meeting {
            Some(meeting) => Some(PostingContext::read(self, &tx, meeting, posts).await?),
            None => None,
        };
        let (mut rows, mut events) = (Vec::new(), Vec::new());
        let (mut outcomes, mut rejected_keys) = (Vec::with_capacity(posts.len()), Vec::new());
        for (post, replay) in posts.iter().zip(replays) {
            let outcome = match (replay, &mut context) {
                (Some(outcome), _) => outcome.map_err(CommandError::from),
                (None, None) => Err(Rejection::NotFound { field: "meetingId" }.into()),
                (None, Some(context)) => context.validate(post),
            };
            match &outcome {
                Ok(row) if row.id == post.id => {
                    events.push(change_event(row.id, None, row.state, post.viewer.subject()));
                    rows.push(row.clone());
                }
                Ok(_) => {}
                Err(_) => rejected_keys.extend(post.idempotency_key.clone().map(|key| (key, post.id.0))),
            }
            outcomes.push(outcome);
        }
        if let (Some(meeting), Some(last_receipt), Some(at)) =
            (meeting, rows.last().map(|row| row.receipt), posts.iter().map(|post| post.now).max())
        {
            let seq = tx.record(comment_feed(meeting.id), at, &events).await?;
            for (row, seq) in rows.iter_mut().zip(seq..) {
                row.posted_seq = seq;
            }
            tx.insert_comments(rows.clone()).await?;
            tx.save_last_receipt(meeting.id, last_receipt).await?;
        }
        tx.release_idempotency_keys(&rejected_keys).await?;
        self.commit(tx).await?;
        let mut written = rows.into_iter();
        for outcome in outcomes.iter_mut().flatten() {
            if outcome.posted_seq == 0
                && let Some(row) = written.next()
            {
                *outcome = row;
            }
        }
        Ok(outcomes)
    }

    /// Returns the rejections if a read without a lock suffices to reject every post of the batch.
    async fn early_rejections(
        &self,
        meeting: MeetingId,
        posts: &[PendingPost],
    ) -> Result<Option<Vec<Rejection>>, StoreError> {
        let authors = authors_of(posts);
        let rejections = match self.store.posting_state(meeting, &authors).await? {
            None => posts.iter().map(|_| Some(Rejection::NotFound { field: "meetingId" })).collect(),
            Some(state) => posts.iter().map(|post| early_rejection(&state, post)).collect::<Option<Vec<_>>>(),
        };
        let Some(rejections) = rejections else { return Ok(None) };
        // Checked last: the command that closed the meeting to comments has waited for the posts that hold keys.
        let keys: Vec<_> = posts.iter().filter_map(|post| post.idempotency_key.clone()).collect();
        Ok(if self.store.any_claimed(&keys).await? { None } else { Some(rejections) })
    }

    /// Returns whether the viewer could post at a meeting now, by the same rules as a post but without slow mode.
    ///
    /// `muted` is the end of the viewer's mute.
    #[must_use]
    pub fn can_post(&self, viewer: &Viewer, meeting: &meeting::Model, muted: Option<DateTime<Utc>>) -> bool {
        let allowed =
            self.host_scope_of(meeting).is_ok_and(|host| authorize::<policy::PostComment>(viewer, &host).is_ok());
        let open = check_accepting(meeting.phase, meeting.planned_start, meeting.accepting_comments);
        allowed && open.is_ok() && muted.is_none_or(|until| until <= self.now())
    }
}

impl Batched for PendingPost {
    type Target = MeetingId;
    type Output = comment::Model;
    const SIZES: &'static str = "kezdesu_posts_per_commit";

    fn batcher(app: &App) -> &Batcher<Self> {
        &app.post_batcher
    }

    fn idempotency_key(&self) -> Option<&IdempotencyKey> {
        self.idempotency_key.as_ref()
    }

    async fn commit(
        app: &App,
        meeting: MeetingId,
        posts: &[Self],
        early_check: EarlyCheck,
    ) -> Result<Vec<Outcome<comment::Model>>, StoreError> {
        app.post_batch(meeting, posts, early_check).await
    }
}

fn early_rejection(state: &PostingState, post: &PendingPost) -> Option<Rejection> {
    let open = check_accepting(state.phase, state.planned_start, state.accepting_comments);
    open.err().or_else(|| mute_rejection(state.muted.get(&post.author).copied(), post.now))
}

type Replay = Option<Result<comment::Model, Rejection>>;

/// Claims the keys of posts, and returns the earlier outcome of each post that repeats one.
async fn replays(tx: &Tx, posts: &[PendingPost]) -> Result<Vec<Replay>, StoreError> {
    let keys: Vec<_> = posts.iter().map(|post| (post.idempotency_key.as_ref(), post.id.0, post.now)).collect();
    let claims = tx.claim_each(&keys).await?;
    let done: Vec<_> = claims.iter().filter_map(|claim| claim.as_ref().ok()?.map(CommentId)).collect();
    let firsts = if done.is_empty() { Vec::new() } else { tx.comments_by_id(&done).await? };
    let replay = |claim: Result<Option<uuid::Uuid>, Rejection>| match claim {
        Ok(None) => None,
        Ok(Some(first)) => {
            let row = firsts.iter().find(|row| row.id.0 == first).cloned();
            Some(row.ok_or(Rejection::NotFound { field: "idempotencyKey" }))
        }
        Err(rejection) => Some(Err(rejection)),
    };
    Ok(claims.into_iter().map(replay).collect())
}
