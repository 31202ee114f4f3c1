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
        App, CommandError, Rejection,
        normalization::NormalizedComment,
        questions::{changes::Changes, not_live, posting_context::blocked_words},
        rejection::Invalid,
    },
    clock::almaty_date,
    domain::{
        author_name::has_title,
        blocked_words::BlockedWords,
        body::{MAX_BODY_LENGTH, guess_language},
        comment::{delete, edit, first_state},
        feed::FeedName,
        normalization, policy,
        text::sanitize,
        viewer::{MAX_NAME_LENGTH, Viewer},
    },
    store::{StoreError, Tx},
};

/// How many comments can be imported at once.
const MAX_COMMENTS: usize = 500;
/// How many code points an identity on a platform may have. It is opaque, so it is kept as it is.
const MAX_ID_LENGTH: usize = 300;
/// How long ago a comment can have been posted: somebody may import what was said at a meeting that stayed live.
const MAX_AGE: TimeDelta = TimeDelta::days(366);
/// How far a platform's clock may be ahead.
const MAX_CLOCK_SKEW: TimeDelta = TimeDelta::days(1);
/// How long a deletion that came before its message is remembered: for as long as the message can be imported.
pub(crate) const DELETION_RETENTION: TimeDelta = TimeDelta::days(368);

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
    now: DateTime<Utc>,
    /// Authors who may not write now.
    muted: HashSet<String>,
    /// Which comments they are that came before.
    known: HashMap<String, CommentId>,
    /// Messages that the platform deleted before they came.
    deleted: HashSet<String>,
    /// Those of them that this import tells of.
    newly_deleted: Vec<String>,
    /// New comments, by identity; written once all is known that becomes of them.
    fresh: Vec<CommentId>,
    changes: Changes<'a>,
    done: Imported,
}

impl App {
    /// Imports comments of a broadcast: new ones are added, known ones follow what became of them on the platform.
    ///
    /// # Errors
    /// Rejected when the meeting has not begun or is closed, or the broadcast is not one of its own.
    pub async fn import_comments(&self, viewer: &Viewer, import: ImportComments) -> Result<Imported, CommandError> {
        let now = self.now();
        let permit = self.permit_meeting::<policy::ImportComments>(viewer, import.meeting).await?;
        let found = self.store.broadcasts_by_id(&[import.broadcast]).await?.pop();
        // One on a platform that only a later version knows is for that one: its authors would be kept under another name here.
        let broadcast = found.filter(|one| one.meeting_id == import.meeting && one.platform.is_known());
        let broadcast = broadcast.ok_or(Rejection::NotFound { field: "broadcastId" })?;
        if !policy::may_import_from(viewer, broadcast.platform, broadcast.id) {
            return Err(CommandError::Forbidden);
        }
        checked(&import.comments, now)?;
        let (mut tx, meeting, allowed) = self.begin_with_meeting(&permit).await?;
        // What was written in the last seconds of a broadcast comes after its end.
        if let Some(rejection) = not_live(&meeting).filter(|_| meeting.phase != MeetingPhase::Ended) {
            return Err(rejection.into());
        }
        let ids: Vec<String> = import.comments.iter().map(|one| one.external_id.clone()).collect();
        let known = tx.imported(broadcast.id, &ids).await?;
        let deleted = tx.deleted_messages(broadcast.id, &ids).await?;
        let wrote =
            import.comments.iter().filter_map(|one| Some(key_on(&broadcast, one.author_external_id.as_deref()?)));
        let authors: HashSet<String> = wrote.chain(known.iter().filter_map(|row| row.author_key.clone())).collect();
        let muted = tx.muted_until(meeting.id, &authors.into_iter().collect::<Vec<_>>()).await?;
        let muted = muted.into_iter().filter(|(_, until)| *until > now).map(|(author, _)| author).collect();
        let changes = affected(&tx, &known, &import.comments, &allowed.person.subject).await?;
        let known = known.into_iter().filter_map(|row| Some((row.external_id?, row.id))).collect();
        let mut under_way = Import {
            meeting: &meeting,
            broadcast: &broadcast,
            blocked: blocked_words(&tx, &meeting).await?,
            now,
            muted,
            known,
            deleted,
            newly_deleted: Vec::new(),
            fresh: Vec::new(),
            changes,
            done: Imported::default(),
        };
        for one in import.comments {
            under_way.take(one, || CommentId(self.ids.next(now)));
        }
        let done = under_way.done;
        if under_way.write(&mut tx).await? {
            self.commit(tx).await?;
        }
        Ok(done)
    }
}

/// Refuses comments that cannot be imported, and names the first.
fn checked(comments: &[ImportedComment], now: DateTime<Utc>) -> Result<(), Rejection> {
    if comments.len() > MAX_COMMENTS {
        return Err(Rejection::Invalid { field: "comments", why: Invalid::TooMany { max: MAX_COMMENTS } });
    }
    let bad = |id: &str| id.is_empty() || id.chars().nth(MAX_ID_LENGTH).is_some() || id.contains('\0');
    let (oldest, newest) = (now - MAX_AGE, now + MAX_CLOCK_SKEW);
    for (index, one) in comments.iter().enumerate() {
        let refuse = |field, why| Err(Rejection::Invalid { field, why }.at_index("comments", index));
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
    Ok(())
}

/// Reads everything that an import can change: the comments that are known, what is joined to those that it deletes, and what
/// those are joined to.
async fn affected<'a>(
    tx: &Tx,
    known: &[comment::Model],
    comments: &[ImportedComment],
    actor: &'a str,
) -> Result<Changes<'a>, StoreError> {
    let deletes: HashSet<&str> =
        comments.iter().filter(|one| one.deleted).map(|one| one.external_id.as_str()).collect();
    let gone = known.iter().filter(|row| row.external_id.as_deref().is_some_and(|id| deletes.contains(id)));
    let (gone, into): (Vec<_>, Vec<_>) = gone.map(|row| (row.id, row.merged_into)).unzip();
    let into: Vec<CommentId> = into.into_iter().flatten().collect();
    let mut changes = Changes::by(Some(actor));
    changes.read(known.iter().cloned());
    changes.read(tx.joined_to(&gone).await?);
    if !into.is_empty() {
        changes.read(tx.comments_by_id(&into).await?);
    }
    Ok(changes)
}

impl Import<'_> {
    fn take(&mut self, one: ImportedComment, fresh: impl FnOnce() -> CommentId) {
        let body = sanitize(&one.body, MAX_BODY_LENGTH);
        let known = self.known.get(&one.external_id).and_then(|id| self.changes.get(*id)).cloned();
        match (known, body) {
            (Some(row), _) if one.deleted => self.remove(&row),
            (Some(row), Some(body)) if is_changed(&row.body, &body) => self.edit(row, body),
            (None, _) if one.deleted => self.remember_deletion(one.external_id),
            (None, Some(body)) if !self.deleted.contains(&one.external_id) => self.add(one, body, fresh()),
            // Unchanged, deleted before it came, or nothing in it to show.
            (Some(_) | None, _) => self.done.duplicates += 1,
        }
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
        let author_name = sanitize(&one.author_name, MAX_NAME_LENGTH).unwrap_or_else(|| platform.as_str().to_owned());
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
        self.changes.add(row);
        self.fresh.push(id);
        self.known.insert(one.external_id, id);
        self.done.imported += 1;
    }

    /// A text that changes after it was approved waits anew, and so does one that would have waited when it was new.
    fn edit(&mut self, mut row: comment::Model, body: String) {
        let held = self.held(row.author_key.as_deref(), &row.author_name, &body);
        let Ok(next) = edit(row.state, self.meeting.moderation, held) else {
            self.done.duplicates += 1;
            return;
        };
        row.language = guess_language(&body);
        row.body = body;
        NormalizedComment::renew(&mut row);
        row.state = next;
        self.done.changed += 1;
        self.changes.set(row);
    }

    fn remove(&mut self, row: &comment::Model) {
        let Ok(Some(next)) = delete(row.state) else {
            self.done.duplicates += 1;
            return;
        };
        self.done.removed += 1;
        self.changes.set(comment::Model { state: next, ..row.clone() });
        self.changes.part_all(row, row.state);
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

    /// Writes everything with its events; whether there was anything.
    async fn write(mut self, tx: &mut Tx) -> Result<bool, CommandError> {
        tx.remember_deletions(self.broadcast.id, &self.newly_deleted, self.now).await?;
        let mut fresh: Vec<comment::Model> = self.fresh.iter().filter_map(|id| self.changes.take_fresh(*id)).collect();
        let events = self.changes.write(tx).await?;
        if events.is_empty() {
            return Ok(!self.newly_deleted.is_empty());
        }
        let first = tx.record(FeedName::Comments(self.meeting.id), self.now, &events).await?;
        let mut places = HashMap::new();
        for (event, seq) in events.iter().zip(first..) {
            places.entry(event.subject).or_insert(seq);
        }
        let mut receipt = self.meeting.last_receipt;
        for row in &mut fresh {
            receipt += 1;
            row.receipt = receipt;
            row.posted_seq = places.get(&row.id.0).copied().unwrap_or(first);
        }
        tx.insert_comments(fresh).await?;
        tx.save_last_receipt(self.meeting.id, receipt).await?;
        Ok(true)
    }
}

/// Whether a text is another than the one that is kept. Older versions kept what nobody sees: that is no change.
fn is_changed(kept: &str, text: &str) -> bool {
    kept != text && sanitize(kept, MAX_BODY_LENGTH).as_deref() != Some(text)
}

/// The key under which what an account wrote is kept.
fn key_on(broadcast: &broadcast::Model, author: &str) -> String {
    format!("{}:{author}", broadcast.platform.as_str())
}
