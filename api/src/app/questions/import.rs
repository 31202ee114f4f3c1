//! The door for connectors: comments from broadcast platforms, deduplicated, in their order.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use entities::{
    broadcast, comment,
    enums::{CommentKind, CommentState, MeetingPhase},
    ids::{BroadcastId, CommentId, MeetingId},
    meeting,
};

use crate::{
    app::{
        ActError, App, Refused,
        questions::{
            change_event, not_live,
            post::{LONGEST_NAME, words},
        },
        refused::Invalid,
    },
    domain::{
        body::{LONGEST_BODY, fold, guess_language, said_digest, tidy},
        comment::{first_state, withdraw},
        feed::{FeedName, NewEvent},
        policy,
        viewer::Viewer,
        words::BlockedWords,
    },
    store::Tx,
};

/// How many comments can be imported at once.
const MOST: usize = 500;
/// How long an identity on a platform may be.
const LONGEST_ID: usize = 300;

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
    /// Comments that the platform has deleted.
    pub removed: i32,
}

/// An import under way.
struct Import<'a> {
    meeting: &'a meeting::Model,
    broadcast: &'a broadcast::Model,
    blocked: BlockedWords,
    actor: &'a str,
    now: DateTime<Utc>,
    known: HashMap<String, comment::Model>,
    fresh: Vec<comment::Model>,
    touched: Vec<CommentId>,
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
        if import.comments.len() > MOST {
            return Err(Refused::Invalid { field: "comments", why: Invalid::TooMany { max: MOST } }.into());
        }
        let bad = |id: &str| id.is_empty() || id.len() > LONGEST_ID || id.contains('\0');
        if import.comments.iter().any(|one| bad(&one.external_id) || one.author_external_id.as_deref().is_some_and(bad))
        {
            let why = Invalid::Range { min: 1, max: 300 };
            return Err(Refused::Invalid { field: "comments.externalId", why }.into());
        }
        let mut tx = self.store.begin().await?;
        let (meeting, allowed) = self.lock::<policy::ImportComments>(&tx, viewer, import.meeting).await?;
        let broadcasts = tx.broadcasts(meeting.id).await?;
        let broadcast = broadcasts.iter().find(|one| one.id == import.broadcast);
        let broadcast = broadcast.ok_or(Refused::NotFound { field: "broadcastId" })?;
        // What was written in the last seconds of a broadcast comes after its end.
        if let Some(refused) = not_live(&meeting).filter(|_| meeting.phase != MeetingPhase::Ended) {
            return Err(refused.into());
        }
        let ids: Vec<String> = import.comments.iter().map(|one| one.external_id.clone()).collect();
        let known = tx.imported(broadcast.id, &ids).await?;
        let known = known.into_iter().filter_map(|row| Some((row.external_id.clone()?, row))).collect();
        let mut under_way = Import {
            meeting: &meeting,
            broadcast,
            blocked: BlockedWords::new(&words(&meeting)),
            actor: &allowed.person.subject,
            now,
            known,
            fresh: Vec::new(),
            touched: Vec::new(),
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
        let body = tidy(&one.body, LONGEST_BODY);
        match (self.known.get(&one.external_id).cloned(), body) {
            (Some(row), _) if one.deleted => self.remove(row),
            (Some(row), Some(body)) if row.body != body => self.edit(row, body),
            // Deleted before it was ever seen, or nothing in it to show.
            (None, None) => self.done.duplicates += 1,
            (None, Some(_)) if one.deleted => self.done.duplicates += 1,
            (None, Some(body)) => self.add(one, body, tx, fresh()).await?,
            (Some(_), _) => self.done.duplicates += 1,
        }
        Ok(())
    }

    async fn add(&mut self, one: ImportedComment, body: String, tx: &Tx, id: CommentId) -> Result<(), ActError> {
        let platform = self.broadcast.platform;
        let author_key = one.author_external_id.map(|author| format!("{}:{author}", platform.as_str()));
        let author_name = tidy(&one.author_name, LONGEST_NAME).unwrap_or_else(|| platform.as_str().to_owned());
        let muted = match &author_key {
            Some(key) => tx
                .muted_until(self.meeting.id, std::slice::from_ref(key))
                .await?
                .values()
                .any(|until| *until > self.now),
            None => false,
        };
        // Its author cannot be told, so what would be refused waits for a moderator instead.
        let held = muted || self.blocked.are_in(&format!("{author_name} {body}"));
        let state = if held { CommentState::Pending } else { first_state(self.meeting.moderation) };
        let row = comment::Model {
            id,
            meeting_id: self.meeting.id,
            receipt: 0,
            kind: CommentKind::Question,
            search: fold(&format!("{body} {author_name}")),
            language: guess_language(&body),
            said_digest: said_digest(self.meeting.id, author_key.as_deref().unwrap_or_default(), &body),
            body,
            author_key,
            author_name,
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
        };
        self.events.push(change_event(id, None, state, Some(self.actor)));
        self.fresh.push(row.clone());
        self.known.insert(one.external_id, row);
        self.done.imported += 1;
        Ok(())
    }

    /// A text that changes after it was approved waits anew; what is being answered, or was, stays as it was heard.
    fn edit(&mut self, mut row: comment::Model, body: String) {
        let next = match row.state {
            CommentState::Pending => CommentState::Pending,
            CommentState::Published if self.blocked.are_in(&body) => CommentState::Pending,
            CommentState::Published => first_state(self.meeting.moderation),
            _ => {
                self.done.duplicates += 1;
                return;
            }
        };
        let before = row.state;
        row.search = fold(&format!("{body} {}", row.author_name));
        row.language = guess_language(&body);
        row.said_digest = said_digest(row.meeting_id, row.author_key.as_deref().unwrap_or_default(), &body);
        row.body = body;
        row.state = next;
        self.done.changed += 1;
        self.follow(row, before);
    }

    fn remove(&mut self, mut row: comment::Model) {
        let before = row.state;
        match withdraw(row.state) {
            Ok(Some(next)) => {
                row.state = next;
                self.done.removed += 1;
                self.follow(row, before);
            }
            Ok(None) | Err(_) => self.done.duplicates += 1,
        }
    }

    fn follow(&mut self, row: comment::Model, before: CommentState) {
        self.events.push(change_event(row.id, Some(before), row.state, Some(self.actor)));
        if let Some(fresh) = self.fresh.iter_mut().find(|fresh| fresh.id == row.id) {
            fresh.clone_from(&row);
        } else if !self.touched.contains(&row.id) {
            self.touched.push(row.id);
        }
        if let Some(id) = row.external_id.clone() {
            self.known.insert(id, row);
        }
    }

    /// Writes everything with its events; whether there was anything.
    async fn write(mut self, tx: &mut Tx) -> Result<bool, ActError> {
        if self.events.is_empty() {
            return Ok(false);
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
        for row in self.known.into_values().filter(|row| self.touched.contains(&row.id)) {
            tx.save_comment(row).await?;
        }
        tx.save_meeting(meeting::Model { last_receipt: receipt, ..self.meeting.clone() }).await?;
        Ok(true)
    }
}
