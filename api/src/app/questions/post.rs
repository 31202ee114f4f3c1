//! Posting a comment.

use chrono::{DateTime, TimeDelta, Utc};
use entities::{
    comment,
    enums::{CommentKind, Language},
    ids::{CommentId, MeetingId},
    meeting,
};

use crate::{
    app::{
        ActError, App, Refused,
        meetings::{bad_text, text},
        once::once,
        questions::{change_event, not_live},
    },
    domain::{
        body::{LONGEST_BODY, fold, line},
        comment::first_state,
        feed::FeedName,
        policy::{self, author_key, authorize},
        viewer::Viewer,
        words::BlockedWords,
    },
    store::Tx,
};

/// How many characters a shown name may have.
pub(in crate::app) const LONGEST_NAME: usize = 100;

/// A comment to be posted.
#[derive(Clone, Debug)]
pub struct PostComment {
    /// The meeting.
    pub meeting: MeetingId,
    /// What is said.
    pub body: String,
    /// What the author wants.
    pub kind: CommentKind,
    /// The language it is asked in.
    pub language: Language,
    /// The name shown; the one of the token unless told.
    pub author_name: Option<String>,
}

impl App {
    /// Posts a comment at a live meeting.
    ///
    /// # Errors
    /// Refused when the floor is closed to the author or the text breaks a rule.
    pub async fn post_comment(
        &self,
        viewer: &Viewer,
        post: PostComment,
        key: Option<&str>,
    ) -> Result<comment::Model, ActError> {
        let now = self.now();
        let person = viewer.person().ok_or(ActError::Unauthenticated)?;
        let author = author_key(viewer).ok_or(ActError::Unauthenticated)?;
        let once = once(&person.subject, "postComment", key, &post)?;
        let body = line(&post.body, LONGEST_BODY).map_err(|bad| bad_text("body", bad))?;
        let name = text("authorName", post.author_name.as_deref().unwrap_or(&person.name), LONGEST_NAME)?;
        let id = CommentId(self.ids.next(now));
        let mut tx = self.store.begin().await?;
        if let Some(first) = tx.first_time(once.as_ref(), id.0, now).await? {
            let first = tx.comments_by_id(&[CommentId(first)]).await?.pop();
            return first.ok_or_else(|| Refused::NotFound { field: "idempotencyKey" }.into());
        }
        let meeting = tx.lock_meeting(post.meeting).await?.ok_or(Refused::NotFound { field: "meetingId" })?;
        authorize::<policy::PostComment>(viewer, &self.host_of(&meeting)?.scope())?;
        may_post(&tx, &meeting, &author, now).await?;
        if BlockedWords::new(&words(&meeting)).are_in(&format!("{name} {body}")) {
            return Err(Refused::BlockedWord.into());
        }
        if tx.said_before(meeting.id, &author, &body).await? {
            return Err(Refused::Duplicate.into());
        }
        let mut comment = comment::Model {
            id,
            meeting_id: meeting.id,
            receipt: meeting.last_receipt + 1,
            kind: post.kind,
            search: fold(&format!("{body} {name}")),
            body,
            language: post.language,
            author_key: Some(author),
            author_name: name,
            platform: None,
            broadcast_id: None,
            external_id: None,
            state: first_state(meeting.moderation),
            state_reason: None,
            votes: 0,
            votes_shown_at: Some(now),
            votes_unshown: false,
            labels: "[]".to_owned(),
            posted_at: now,
            posted_seq: 0,
            selected_at: None,
            answered_at: None,
            answer: None,
            merged_into: None,
        };
        let event = change_event(id, None, comment.state, Some(&person.subject));
        comment.posted_seq = tx.record(FeedName::Comments(meeting.id), now, &[event]).await?;
        tx.insert_comments(vec![comment.clone()]).await?;
        tx.save_meeting(meeting::Model { last_receipt: comment.receipt, ..meeting }).await?;
        self.commit(tx).await?;
        Ok(comment)
    }

    /// Whether the viewer could post at a meeting now, by the same rule as a refusal. Slow mode is not looked at: it passes.
    #[must_use]
    pub fn can_post(&self, viewer: &Viewer, meeting: &meeting::Model) -> bool {
        let allowed =
            self.host_of(meeting).is_ok_and(|host| authorize::<policy::PostComment>(viewer, &host.scope()).is_ok());
        allowed && open_floor(meeting).is_ok()
    }
}

/// The words that are blocked at a meeting.
pub(in crate::app) fn words(meeting: &meeting::Model) -> Vec<String> {
    serde_json::from_str(&meeting.blocked_words).unwrap_or_default()
}

fn open_floor(meeting: &meeting::Model) -> Result<(), Refused> {
    match not_live(meeting) {
        Some(refused) => Err(refused),
        None if meeting.accepting_comments => Ok(()),
        None => Err(Refused::CommentsClosed),
    }
}

async fn may_post(tx: &Tx, meeting: &meeting::Model, author: &str, now: DateTime<Utc>) -> Result<(), ActError> {
    open_floor(meeting)?;
    if let Some(until) = tx.muted_until(meeting.id, author).await?.filter(|until| *until > now) {
        return Err(Refused::Muted { until, retry_after: until - now }.into());
    }
    if meeting.slow_mode_seconds > 0
        && let Some(last) = tx.last_post(meeting.id, author).await?
    {
        let next = last + TimeDelta::seconds(meeting.slow_mode_seconds.into());
        if next > now {
            return Err(Refused::TooFast { retry_after: next - now }.into());
        }
    }
    Ok(())
}
