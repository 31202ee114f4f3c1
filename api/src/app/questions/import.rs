//! The door for connectors: comments from broadcast platforms, deduplicated, in their order.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use entities::{
    broadcast, comment,
    enums::{CommentKind, CommentState, MeetingPhase, Stored as _},
    ids::{BroadcastId, CommentId, MeetingId},
    meeting,
};

use crate::{
    app::{
        ActError, App, Refused,
        normalization::NormalizedComment,
        questions::{
            change_event,
            floor::blocked_words,
            not_live,
            part::{left_by, part_all},
        },
        refused::Invalid,
    },
    clock::almaty_date,
    domain::{
        author_name::has_title,
        blocked_words::BlockedWords,
        body::{LONGEST_BODY, guess_language},
        comment::{delete, edit, first_state},
        feed::{FeedName, NewEvent},
        normalization, policy,
        text::sanitize,
        viewer::{LONGEST_NAME, Viewer},
    },
    store::Tx,
};

/// How many comments can be imported at once.
const MOST: usize = 500;
/// How many code points an identity on a platform may have. It is opaque, so it is kept as it is.
const LONGEST_ID: usize = 300;
/// How long ago a comment can have been posted: somebody may import what was said at a meeting that stayed live.
const OLDEST: TimeDelta = TimeDelta::days(366);
/// How far a platform's clock may be ahead.
const NEWEST: TimeDelta = TimeDelta::days(1);
/// How long a deletion that came before its message is remembered: for as long as the message can be imported.
pub(crate) const DELETIONS_LAST: TimeDelta = TimeDelta::days(368);

/// Comments of one broadcast.
#[derive(Clone, Debug)]
pub struct ImportComments {
    /// The meeting.
    pub meeting: MeetingId,
    /// The broadcast they were written at.
    pub broadcast: BroadcastId,
    /// The comments, in the platform's order.
    pub comments: Vec<ImportedComment>,
}

/// A comment as the platform has it.
#[derive(Clone, Debug)]
pub struct ImportedComment {
    /// Its identity on the platform.
    pub external_id: String,
    /// The author's identity on the platform.
    pub author_external_id: Option<String>,
    /// The author's name.
    pub author_name: String,
    /// What was said.
    pub body: String,
    /// When, by the platform's clock.
    pub posted_at: DateTime<Utc>,
    /// Whether the platform has deleted it.
    pub deleted: bool,
}

/// What an import did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Comments that were new.
    pub imported: i32,
    /// Comments that were known and are unchanged.
    pub duplicates: i32,
    /// Comments whose text has changed.
    pub changed: i32,
    /// Comments that the platform has deleted, also before they came.
    pub removed: i32,
}

/// An import under way.
struct Import<'a> {
    meeting: &'a meeting::Model,
    broadcast: &'a broadcast::Model,
    blocked: BlockedWords,
    actor: &'a str,
    now: DateTime<Utc>,
    /// Authors who may not write now.
    muted: HashSet<String>,
    known: HashMap<String, comment::Model>,
    /// Messages that the platform deleted before they came.
    deleted: HashSet<String>,
    /// Those of them that this import tells of.
    newly_deleted: Vec<String>,
    fresh: Vec<comment::Model>,
    events: Vec<NewEvent>,
    done: Imported,
}

impl App {
    /// Imports comments of a broadcast: new ones are added, known ones follow what became of them on the platform.
    ///
    /// # Errors
    /// Refused when the meeting has not begun or is closed, or the broadcast is not one of its own.
    pub async fn import_comments(&self, viewer: &Viewer, import: ImportComments) -> Result<Imported, ActError> {
        let now = self.now();
        let permit = self.permit_meeting::<policy::ImportComments>(viewer, import.meeting).await?;
        let found = self.store.broadcasts_by_id(&[import.broadcast]).await?.pop();
        // One on a platform that only a later version knows is for that one: its authors would be kept under another name here.
        let broadcast = found.filter(|one| one.meeting_id == import.meeting && one.platform.is_known());
        let broadcast = broadcast.ok_or(Refused::NotFound { field: "broadcastId" })?;
        if !policy::may_import_from(viewer, broadcast.platform, broadcast.id) {
            return Err(ActError::Forbidden);
        }
        if import.comments.len() > MOST {
            return Err(Refused::Invalid { field: "comments", why: Invalid::TooMany { max: MOST } }.into());
        }
        let bad = |id: &str| id.is_empty() || id.chars().nth(LONGEST_ID).is_some() || id.contains('\0');
        let (oldest, newest) = (now - OLDEST, now + NEWEST);
        for (index, one) in import.comments.iter().enumerate() {
            let refuse = |field, why| Err(Refused::Invalid { field, why }.of("comments", index).into());
            if bad(&one.external_id) {
                return refuse("comments.externalId", Invalid::Range { min: 1, max: 300 });
            }
            if one.author_external_id.as_deref().is_some_and(bad) {
                return refuse("comments.authorExternalId", Invalid::Range { min: 1, max: 300 });
            }
            if !(oldest..=newest).contains(&one.posted_at) {
                let why = Invalid::Dates { from: almaty_date(oldest), to: almaty_date(newest) };
                return refuse("comments.postedAt", why);
            }
        }
        let (mut tx, meeting, allowed) = self.begin_on(&permit).await?;
        // What was written in the last seconds of a broadcast comes after its end.
        if let Some(refused) = not_live(&meeting).filter(|_| meeting.phase != MeetingPhase::Ended) {
            return Err(refused.into());
        }
        let ids: Vec<String> = import.comments.iter().map(|one| one.external_id.clone()).collect();
        let known = tx.imported(broadcast.id, &ids).await?;
        let deleted = tx.deleted_messages(broadcast.id, &ids).await?;
        let wrote =
            import.comments.iter().filter_map(|one| Some(key_on(&broadcast, one.author_external_id.as_deref()?)));
        let authors: HashSet<String> = wrote.chain(known.iter().filter_map(|row| row.author_key.clone())).collect();
        let muted = tx.muted_until(meeting.id, &authors.into_iter().collect::<Vec<_>>()).await?;
        let muted = muted.into_iter().filter(|(_, until)| *until > now).map(|(author, _)| author).collect();
        let known = known.into_iter().filter_map(|row| Some((row.external_id.clone()?, row))).collect();
        let mut under_way = Import {
            meeting: &meeting,
            broadcast: &broadcast,
            blocked: blocked_words(&tx, &meeting).await?,
            actor: &allowed.person.subject,
            now,
            muted,
            known,
            deleted,
            newly_deleted: Vec::new(),
            fresh: Vec::new(),
            events: Vec::new(),
            done: Imported::default(),
        };
        for one in import.comments {
            under_way.take(one, &tx, || CommentId(self.ids.next(now))).await?;
        }
        let done = under_way.done;
        if under_way.write(&mut tx).await? {
            self.commit(tx).await?;
        }
        Ok(done)
    }
}

impl Import<'_> {
    async fn take(&mut self, one: ImportedComment, tx: &Tx, fresh: impl FnOnce() -> CommentId) -> Result<(), ActError> {
        let body = sanitize(&one.body, LONGEST_BODY);
        match (self.known.get(&one.external_id).cloned(), body) {
            (Some(row), _) if one.deleted => self.remove(row, tx).await?,
            (Some(row), Some(body)) if is_changed(&row.body, &body) => self.edit(row, body, tx).await?,
            (None, _) if one.deleted => self.remember_deletion(one.external_id),
            (None, Some(body)) if !self.deleted.contains(&one.external_id) => self.add(one, body, fresh()),
            // Unchanged, deleted before it came, or nothing in it to show.
            (Some(_) | None, _) => self.done.duplicates += 1,
        }
        Ok(())
    }

    /// Whether a text waits for a moderator whatever the mode: its author cannot be told what would be refused.
    fn held(&self, author_key: Option<&str>, author_name: &str, body: &str) -> bool {
        author_key.is_some_and(|key| self.muted.contains(key))
            || has_title(author_name)
            || self.blocked.are_in(&format!("{author_name} {body}"))
    }

    fn add(&mut self, one: ImportedComment, body: String, id: CommentId) {
        let platform = self.broadcast.platform;
        let author_key = one.author_external_id.map(|author| key_on(self.broadcast, &author));
        let author_name = sanitize(&one.author_name, LONGEST_NAME).unwrap_or_else(|| platform.as_str().to_owned());
        let held = self.held(author_key.as_deref(), &author_name, &body);
        let state = if held { CommentState::Pending } else { first_state(self.meeting.moderation) };
        let normalized = NormalizedComment::new(self.meeting.id, author_key.as_deref(), &body, &author_name);
        let row = comment::Model {
            id,
            meeting_id: self.meeting.id,
            receipt: 0,
            kind: CommentKind::Question,
            search: normalized.search,
            normalization_version: normalization::VERSION,
            language: guess_language(&body),
            said_digest: normalized.said_digest,
            body,
            author_key,
            author_name,
            author_name_chosen: false,
            platform: Some(platform),
            broadcast_id: Some(self.broadcast.id),
            external_id: Some(one.external_id.clone()),
            state,
            state_reason: None,
            votes: 0,
            votes_shown_at: Some(self.now),
            votes_unshown: false,
            labels: "[]".to_owned(),
            posted_at: one.posted_at,
            posted_seq: 0,
            selected_at: None,
            answered_at: None,
            answer: None,
            merged_into: None,
            merged_state: None,
        };
        self.events.push(change_event(id, None, state, Some(self.actor)));
        self.fresh.push(row.clone());
        self.known.insert(one.external_id, row);
        self.done.imported += 1;
    }

    /// A text that changes after it was approved waits anew, and so does one that would have waited when it was new.
    async fn edit(&mut self, mut row: comment::Model, body: String, tx: &Tx) -> Result<(), ActError> {
        let held = self.held(row.author_key.as_deref(), &row.author_name, &body);
        let Ok(next) = edit(row.state, self.meeting.moderation, held) else {
            self.done.duplicates += 1;
            return Ok(());
        };
        let before = row.state;
        let normalized = NormalizedComment::new(row.meeting_id, row.author_key.as_deref(), &body, &row.author_name);
        row.search = normalized.search;
        row.said_digest = normalized.said_digest;
        row.normalization_version = normalization::VERSION;
        row.language = guess_language(&body);
        row.body = body;
        row.state = next;
        self.done.changed += 1;
        self.follow(row, before, tx).await
    }

    async fn remove(&mut self, mut row: comment::Model, tx: &Tx) -> Result<(), ActError> {
        let before = row.state;
        let Ok(Some(next)) = delete(before) else {
            self.done.duplicates += 1;
            return Ok(());
        };
        row.state = next;
        self.done.removed += 1;
        let parted = part_all(tx, &mut row, before).await?;
        self.follow(row.clone(), before, tx).await?;
        if let Some(target) = left_by(tx, &row, before).await? {
            let state = target.state;
            self.follow(target, state, tx).await?;
        }
        for row in parted {
            self.note(row, CommentState::Merged);
        }
        Ok(())
    }

    /// Notes the deletion of a message that has not come yet, so that it is not shown when it does.
    fn remember_deletion(&mut self, external_id: String) {
        if self.deleted.insert(external_id.clone()) {
            self.newly_deleted.push(external_id);
            self.done.removed += 1;
        } else {
            self.done.duplicates += 1;
        }
    }

    /// Writes what has become of a comment, or keeps it for later where it is new itself.
    async fn follow(&mut self, row: comment::Model, before: CommentState, tx: &Tx) -> Result<(), ActError> {
        match self.fresh.iter_mut().find(|fresh| fresh.id == row.id) {
            Some(fresh) => fresh.clone_from(&row),
            None => tx.save_comment(row.clone()).await?,
        }
        self.note(row, before);
        Ok(())
    }

    /// Notes the event of a written change. What was known of the comment is known anew: it may come once more.
    fn note(&mut self, row: comment::Model, before: CommentState) {
        self.events.push(change_event(row.id, Some(before), row.state, Some(self.actor)));
        let known = row.external_id.as_ref().and_then(|id| self.known.get_mut(id));
        if let Some(known) = known.filter(|known| known.id == row.id) {
            *known = row;
        }
    }

    /// Writes everything with its events; whether there was anything.
    async fn write(mut self, tx: &mut Tx) -> Result<bool, ActError> {
        tx.remember_deletions(self.broadcast.id, &self.newly_deleted, self.now).await?;
        if self.events.is_empty() {
            return Ok(!self.newly_deleted.is_empty());
        }
        let first = tx.record(FeedName::Comments(self.meeting.id), self.now, &self.events).await?;
        let mut receipt = self.meeting.last_receipt;
        for row in &mut self.fresh {
            receipt += 1;
            row.receipt = receipt;
            let place = self.events.iter().position(|event| event.subject == row.id.0).unwrap_or_default();
            row.posted_seq = first + i64::try_from(place).unwrap_or_default();
        }
        tx.insert_comments(self.fresh).await?;
        tx.save_last_receipt(self.meeting.id, receipt).await?;
        Ok(true)
    }
}

/// Whether a text is another than the one that is kept. Older versions kept what nobody sees: that is no change.
fn is_changed(kept: &str, text: &str) -> bool {
    kept != text && sanitize(kept, LONGEST_BODY).as_deref() != Some(text)
}

/// The key under which what an account wrote is kept.
fn key_on(broadcast: &broadcast::Model, author: &str) -> String {
    format!("{}:{author}", broadcast.platform.as_str())
}
