//! Posting a comment.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use chrono::{DateTime, TimeDelta, Utc};
use entities::{
    comment,
    enums::{CommentKind, Language},
    ids::{CommentId, MeetingId},
    meeting,
};

use crate::{
    app::{
        ActError, App, Host, Refused,
        meetings::{bad_text, text},
        normalization::NormalizedComment,
        once::once,
        questions::{change_event, not_live},
    },
    domain::{
        blocked_words::BlockedWords,
        body::LONGEST_BODY,
        comment::first_state,
        feed::FeedName,
        normalization::{self, Level, duplicate_digest, normalize},
        policy::{self, author_key, authorize},
        text::single_line,
        viewer::Viewer,
    },
    store::{
        StoreError, Tx,
        idempotency::{Claim, Once},
    },
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
    /// The language it is in; the one it was sent in unless told.
    pub language: Option<Language>,
    /// The name shown; the one of the token unless told.
    pub author_name: Option<String>,
}

/// How a comment was sent. What is no part of the comment may differ when it is sent again.
#[derive(Clone, Copy, Debug)]
pub struct Sent<'a> {
    /// The key under which it is posted once.
    pub key: Option<&'a str>,
    /// The language of the request.
    pub language: Language,
}

impl App {
    /// Posts a comment at a live meeting. Posts of one meeting that arrive together are committed together; each is judged as
    /// if it were alone, in the order in which they came.
    ///
    /// # Errors
    /// Refused when the floor is closed to the author or the text breaks a rule.
    pub async fn post_comment(
        self: &Arc<Self>,
        viewer: &Viewer,
        post: PostComment,
        sent: Sent<'_>,
    ) -> Result<comment::Model, ActError> {
        let now = self.now();
        let person = viewer.person().ok_or(ActError::Unauthenticated)?;
        let author = author_key(viewer).ok_or(ActError::Unauthenticated)?;
        let once = once(&person.subject, "postComment", sent.key, &post)?;
        let body = single_line(&post.body, LONGEST_BODY).map_err(|bad| bad_text("body", bad))?;
        let name = text("authorName", post.author_name.as_deref().unwrap_or(&person.name), LONGEST_NAME)?;
        let id = CommentId(self.ids.next(now));
        let PostComment { meeting, kind, language, .. } = post;
        let language = language.unwrap_or(sent.language);
        let said = normalize(&body, Level::Duplicates);
        let draft = Draft { id, now, viewer: viewer.clone(), author, once, kind, language, body, said, name };
        self.lines.post(self, meeting, draft).await
    }

    /// Commits posts of one meeting in one transaction, and says what came of each. Those that are refused leave nothing.
    ///
    /// # Errors
    /// When the database fails, and with it all of them.
    pub(in crate::app) async fn post_together(
        &self,
        meeting: MeetingId,
        drafts: &[Draft],
    ) -> Result<Vec<Result<comment::Model, ActError>>, StoreError> {
        let mut tx = self.store.begin().await?;
        let repeats = repeats(&tx, drafts).await?;
        let meeting = tx.lock_meeting(meeting).await?;
        let mut floor = match &meeting {
            Some(meeting) => Some(Floor::read(self, &tx, meeting, drafts).await?),
            None => None,
        };
        let (mut rows, mut events) = (Vec::new(), Vec::new());
        let (mut outcomes, mut refused) = (Vec::with_capacity(drafts.len()), Vec::new());
        for (draft, repeat) in drafts.iter().zip(repeats) {
            let outcome = match (repeat, &mut floor) {
                (Some(outcome), _) => outcome.map_err(ActError::from),
                (None, None) => Err(Refused::NotFound { field: "meetingId" }.into()),
                (None, Some(floor)) => floor.judge(draft),
            };
            match &outcome {
                Ok(row) if row.id == draft.id => {
                    events.push(change_event(row.id, None, row.state, draft.viewer.subject()));
                    rows.push(row.clone());
                }
                Ok(_) => {}
                Err(_) => refused.extend(draft.once.clone().map(|once| (once, draft.id.0))),
            }
            outcomes.push(outcome);
        }
        if let (Some(meeting), Some(last_receipt), Some(at)) =
            (meeting, rows.last().map(|row| row.receipt), drafts.iter().map(|draft| draft.now).max())
        {
            let seq = tx.record(FeedName::Comments(meeting.id), at, &events).await?;
            for (row, seq) in rows.iter_mut().zip(seq..) {
                row.posted_seq = seq;
            }
            tx.insert_comments(rows.clone()).await?;
            tx.save_meeting(meeting::Model { last_receipt, ..meeting }).await?;
        }
        tx.release(&refused).await?;
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

    /// Whether the viewer, who is muted until that moment, could post at a meeting now, by the same rule as a refusal. Slow mode is
    /// not looked at: it passes.
    #[must_use]
    pub fn can_post(&self, viewer: &Viewer, meeting: &meeting::Model, muted: Option<DateTime<Utc>>) -> bool {
        let allowed =
            self.host_of(meeting).is_ok_and(|host| authorize::<policy::PostComment>(viewer, &host.scope()).is_ok());
        allowed && open_floor(meeting).is_ok() && muted.is_none_or(|until| until <= self.now())
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

/// A comment that waits to be posted, as far as it can be judged without the database.
pub(in crate::app) struct Draft {
    id: CommentId,
    now: DateTime<Utc>,
    viewer: Viewer,
    author: String,
    pub(in crate::app) once: Option<Once>,
    kind: CommentKind,
    language: Language,
    body: String,
    /// The body, normalised to be compared with what was said before.
    said: String,
    name: String,
}

type Repeat = Option<Result<comment::Model, Refused>>;

/// Which of the drafts were posted before under the same key, and what came of them then.
async fn repeats(tx: &Tx, drafts: &[Draft]) -> Result<Vec<Repeat>, StoreError> {
    let claims: Vec<_> = drafts.iter().filter_map(|draft| Some((draft.once.clone()?, draft.id.0, draft.now))).collect();
    let claims = tx.claim_all(&claims).await?;
    let done = claims.values().filter_map(|claim| match claim {
        Claim::Done(first) => Some(CommentId(*first)),
        Claim::Ours | Claim::Reused => None,
    });
    let done: Vec<_> = done.collect();
    let firsts = if done.is_empty() { Vec::new() } else { tx.comments_by_id(&done).await? };
    let repeat = |draft: &Draft| match claims.get(draft.once.as_ref()?)? {
        Claim::Ours => None,
        Claim::Reused => Some(Err(Refused::KeyReused)),
        Claim::Done(first) => {
            let row = firsts.iter().find(|row| row.id.0 == *first).cloned();
            Some(row.ok_or(Refused::NotFound { field: "idempotencyKey" }))
        }
    };
    Ok(drafts.iter().map(repeat).collect())
}

/// What posts of a locked meeting are judged by. Each that is accepted counts for those after it.
struct Floor<'a> {
    meeting: &'a meeting::Model,
    host: Host,
    blocked: BlockedWords,
    muted: HashMap<String, DateTime<Utc>>,
    last_posts: HashMap<String, DateTime<Utc>>,
    said: HashSet<(String, String)>,
    receipt: i32,
}

impl<'a> Floor<'a> {
    async fn read(app: &App, tx: &Tx, meeting: &'a meeting::Model, drafts: &[Draft]) -> Result<Self, StoreError> {
        let mut authors: Vec<String> = drafts.iter().map(|draft| draft.author.clone()).collect();
        authors.sort_unstable();
        authors.dedup();
        // Rows of older replicas are still found by what was written, as it was written.
        let digests = drafts.iter().flat_map(|Draft { author, body, said, .. }| {
            [said, body].map(|text| duplicate_digest(meeting.id, author, text))
        });
        let last_posts =
            if meeting.slow_mode_seconds > 0 { tx.last_posts(meeting.id, &authors).await? } else { HashMap::new() };
        let said = tx.said_before(digests).await?.into_iter();
        Ok(Self {
            meeting,
            host: app.host_of(meeting)?,
            blocked: BlockedWords::new(&words(meeting)),
            muted: tx.muted_until(meeting.id, &authors).await?,
            last_posts,
            said: said.map(|(author, body)| (author, normalize(&body, Level::Duplicates))).collect(),
            receipt: meeting.last_receipt,
        })
    }

    fn judge(&mut self, draft: &Draft) -> Result<comment::Model, ActError> {
        authorize::<policy::PostComment>(&draft.viewer, &self.host.scope())?;
        open_floor(self.meeting)?;
        self.in_time(draft)?;
        if self.blocked.are_in(&format!("{} {}", draft.name, draft.body)) {
            return Err(Refused::BlockedWord.into());
        }
        if !self.said.insert((draft.author.clone(), draft.said.clone())) {
            return Err(Refused::Duplicate.into());
        }
        self.last_posts.insert(draft.author.clone(), draft.now);
        self.receipt += 1;
        Ok(self.row(draft))
    }

    fn in_time(&self, Draft { author, now, .. }: &Draft) -> Result<(), Refused> {
        if let Some(until) = self.muted.get(author).filter(|until| *until > now) {
            return Err(Refused::Muted { until: *until, retry_after: *until - *now });
        }
        let pause = TimeDelta::seconds(self.meeting.slow_mode_seconds.into());
        match self.last_posts.get(author).map(|last| *last + pause) {
            Some(next) if next > *now => Err(Refused::TooFast { retry_after: next - *now }),
            _ => Ok(()),
        }
    }

    fn row(&self, draft: &Draft) -> comment::Model {
        let Draft { id, now, author, kind, language, body, name, .. } = draft;
        let normalized = NormalizedComment::new(self.meeting.id, Some(author), body, name);
        comment::Model {
            id: *id,
            meeting_id: self.meeting.id,
            receipt: self.receipt,
            kind: *kind,
            search: normalized.search,
            normalization_version: normalization::VERSION,
            body: body.clone(),
            said_digest: normalized.said_digest,
            language: *language,
            author_key: Some(author.clone()),
            author_name: name.clone(),
            platform: None,
            broadcast_id: None,
            external_id: None,
            state: first_state(self.meeting.moderation),
            state_reason: None,
            votes: 0,
            votes_shown_at: Some(*now),
            votes_unshown: false,
            labels: "[]".to_owned(),
            posted_at: *now,
            posted_seq: 0,
            selected_at: None,
            answered_at: None,
            answer: None,
            merged_into: None,
            merged_state: None,
        }
    }
}
