//! Posting a comment.

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
        idempotency::idempotency_key,
        input::checked_text,
        questions::{
            change_event,
            floor::{Floor, mute_refuses, open_floor},
        },
        rejection::Invalid,
    },
    domain::{
        author_name::{has_title, name_key},
        body::MAX_BODY_LENGTH,
        feed::FeedName,
        normalization::{Level, normalize},
        policy::{self, author_key, authorize},
        viewer::{MAX_NAME_LENGTH, Person, Viewer},
    },
    store::{
        StoreError, Tx,
        idempotency::{IdempotencyKey, KeyClaim},
        meetings::FloorState,
    },
};

/// A comment to be posted.
#[derive(Clone, Debug, serde::Serialize)]
pub struct PostComment {
    /// The meeting.
    pub meeting: MeetingId,
    /// What is said.
    pub body: String,
    /// What the author wants.
    pub kind: CommentKind,
    /// The language it is in; the one it was sent in unless told.
    pub language: Option<Language>,
    /// The name shown; the one of the token unless told. A chosen one is marked as such.
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
    /// Rejected when the floor is closed to the author or the text breaks a rule.
    pub async fn post_comment(
        self: &Arc<Self>,
        viewer: &Viewer,
        post: PostComment,
        sent: Sent<'_>,
    ) -> Result<comment::Model, CommandError> {
        let now = self.now();
        let person = viewer.person().ok_or(CommandError::Unauthenticated)?;
        if !policy::may_post(viewer) {
            return Err(CommandError::Forbidden);
        }
        let author = author_key(viewer).ok_or(CommandError::Unauthenticated)?;
        let key = idempotency_key(&person.subject, "postComment", sent.key, &post)?;
        let body = checked_text("body", &post.body, MAX_BODY_LENGTH)?;
        let name = ShownName::of(post.author_name.as_deref(), person)?;
        let id = CommentId(self.ids.next(now));
        let PostComment { meeting, kind, language, .. } = post;
        let language = language.unwrap_or(sent.language);
        let said = normalize(&body, Level::Duplicates);
        let draft =
            Draft { id, now, viewer: viewer.clone(), author, idempotency_key: key, kind, language, body, said, name };
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
    ) -> Result<Vec<Result<comment::Model, CommandError>>, StoreError> {
        if let Some(told) = self.told_before(meeting, drafts).await? {
            return Ok(told.into_iter().map(|rejection| Err(rejection.into())).collect());
        }
        let mut tx = self.store.begin().await?;
        let repeats = repeats(&tx, drafts).await?;
        let meeting = tx.lock_meeting(meeting).await?;
        let mut floor = match &meeting {
            Some(meeting) => Some(Floor::read(self, &tx, meeting, drafts).await?),
            None => None,
        };
        let (mut rows, mut events) = (Vec::new(), Vec::new());
        let (mut outcomes, mut rejected_keys) = (Vec::with_capacity(drafts.len()), Vec::new());
        for (draft, repeat) in drafts.iter().zip(repeats) {
            let outcome = match (repeat, &mut floor) {
                (Some(outcome), _) => outcome.map_err(CommandError::from),
                (None, None) => Err(Rejection::NotFound { field: "meetingId" }.into()),
                (None, Some(floor)) => floor.judge(draft),
            };
            match &outcome {
                Ok(row) if row.id == draft.id => {
                    events.push(change_event(row.id, None, row.state, draft.viewer.subject()));
                    rows.push(row.clone());
                }
                Ok(_) => {}
                Err(_) => rejected_keys.extend(draft.idempotency_key.clone().map(|key| (key, draft.id.0))),
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

    /// The refusals of posts, where a read without a lock is enough to refuse them all.
    async fn told_before(&self, meeting: MeetingId, drafts: &[Draft]) -> Result<Option<Vec<Rejection>>, StoreError> {
        let authors = authors_of(drafts);
        let rejections = match self.store.floor(meeting, &authors).await? {
            None => drafts.iter().map(|_| Some(Rejection::NotFound { field: "meetingId" })).collect(),
            Some(floor) => drafts.iter().map(|draft| floor_refuses(&floor, draft)).collect::<Option<Vec<_>>>(),
        };
        let Some(rejections) = rejections else { return Ok(None) };
        // Looked for last: whoever has closed the floor has waited for the post that a key was claimed for.
        let keys: Vec<_> = drafts.iter().filter_map(|draft| draft.idempotency_key.clone()).collect();
        Ok(if self.store.any_claimed(&keys).await? { None } else { Some(rejections) })
    }

    /// Whether the viewer, who is muted until that moment, could post at a meeting now, by the same rule as a refusal. Slow mode is
    /// not looked at: it passes.
    #[must_use]
    pub fn can_post(&self, viewer: &Viewer, meeting: &meeting::Model, muted: Option<DateTime<Utc>>) -> bool {
        let allowed =
            self.host_scope_of(meeting).is_ok_and(|host| authorize::<policy::PostComment>(viewer, &host).is_ok());
        let open = open_floor(meeting.phase, meeting.planned_start, meeting.accepting_comments);
        allowed && open.is_ok() && muted.is_none_or(|until| until <= self.now())
    }
}

/// A comment that waits to be posted, as far as it can be judged without the database.
pub(in crate::app) struct Draft {
    pub(super) id: CommentId,
    pub(super) now: DateTime<Utc>,
    pub(super) viewer: Viewer,
    pub(super) author: String,
    pub(in crate::app) idempotency_key: Option<IdempotencyKey>,
    pub(super) kind: CommentKind,
    pub(super) language: Language,
    pub(super) body: String,
    /// The body, normalised to be compared with what was said before.
    pub(super) said: String,
    pub(super) name: ShownName,
}

/// The name that a comment is shown by.
pub(super) struct ShownName {
    pub(super) text: String,
    /// Whether the author chose it, and no token vouches for it.
    pub(super) chosen: bool,
    /// The key of a name that reads otherwise than the token's.
    pub(super) key: Option<String>,
}

impl ShownName {
    fn of(chosen: Option<&str>, person: &Person) -> Result<Self, CommandError> {
        let Some(chosen) = chosen else {
            // Made fit to be shown when the token was read: the caller is not to blame for it.
            return Ok(Self { text: person.name.clone(), chosen: false, key: None });
        };
        let text = checked_text("authorName", chosen, MAX_NAME_LENGTH)?;
        let key = Some(name_key(&text)).filter(|key| *key != name_key(&person.name));
        if key.is_some() && has_title(&text) {
            return Err(RESERVED_NAME.into());
        }
        Ok(Self { chosen: text != person.name, text, key })
    }
}

/// The rejection of a name that is somebody else's.
pub(super) const RESERVED_NAME: Rejection = Rejection::Invalid { field: "authorName", why: Invalid::ReservedName };

/// The authors of drafts, each once.
pub(super) fn authors_of(drafts: &[Draft]) -> Vec<String> {
    let mut authors: Vec<String> = drafts.iter().map(|draft| draft.author.clone()).collect();
    authors.sort_unstable();
    authors.dedup();
    authors
}

fn floor_refuses(floor: &FloorState, draft: &Draft) -> Option<Rejection> {
    let open = open_floor(floor.phase, floor.planned_start, floor.accepting_comments);
    open.err().or_else(|| mute_refuses(floor.muted.get(&draft.author).copied(), draft.now))
}

type Repeat = Option<Result<comment::Model, Rejection>>;

/// Which of the drafts were posted before under the same key, and what came of them then.
async fn repeats(tx: &Tx, drafts: &[Draft]) -> Result<Vec<Repeat>, StoreError> {
    let claims: Vec<_> =
        drafts.iter().filter_map(|draft| Some((draft.idempotency_key.clone()?, draft.id.0, draft.now))).collect();
    let claims = tx.claim_idempotency_keys(&claims).await?;
    let done = claims.values().filter_map(|claim| match claim {
        KeyClaim::Repeat(first) => Some(CommentId(*first)),
        KeyClaim::New | KeyClaim::OtherInput => None,
    });
    let done: Vec<_> = done.collect();
    let firsts = if done.is_empty() { Vec::new() } else { tx.comments_by_id(&done).await? };
    let repeat = |draft: &Draft| match claims.get(draft.idempotency_key.as_ref()?)? {
        KeyClaim::New => None,
        KeyClaim::OtherInput => Some(Err(Rejection::KeyReused)),
        KeyClaim::Repeat(first) => {
            let row = firsts.iter().find(|row| row.id.0 == *first).cloned();
            Some(row.ok_or(Rejection::NotFound { field: "idempotencyKey" }))
        }
    };
    Ok(drafts.iter().map(repeat).collect())
}
