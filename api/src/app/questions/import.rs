//! Imports comments from broadcast platforms, in order and without duplicates.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

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
        meetings::LockedMeeting,
        normalization::NormalizedComment,
        questions::{EventsToRecord, comment_changes::CommentChanges, not_live_rejection},
        rejection::Invalid,
    },
    clock::almaty_date,
    domain::{
        author_name::has_title,
        blocked_words::BlockedWords,
        comment::{MAX_BODY_LENGTH, delete, edit, first_state},
        comment_events::comment_feed,
        normalization, policy,
        text::{guess_language, is_longer_than, sanitize},
        viewer::{MAX_NAME_LENGTH, Viewer},
    },
    store::{StoreError, Tx},
};

/// Comments in one import.
const MAX_COMMENTS: usize = 500;
/// The longest id on a platform, in characters. Ids are opaque and stored as sent.
const MAX_ID_LENGTH: usize = 300;
/// Age of the oldest comment that can be imported, so that meetings that stay live for long can be caught up.
const MAX_AGE: TimeDelta = TimeDelta::days(366);
/// How far a platform's clock may be ahead.
const MAX_CLOCK_SKEW: TimeDelta = TimeDelta::days(1);
/// How long early deletions are kept, which is longer than their messages can be imported.
pub(crate) const DELETION_RETENTION: TimeDelta = TimeDelta::days(368);

/// Comments of one broadcast.
#[derive(Clone, Debug)]
pub struct ImportComments {
    /// The meeting.
    pub meeting: MeetingId,
    /// The broadcast they were posted on.
    pub broadcast: BroadcastId,
    /// The comments, in the platform's order.
    pub comments: Vec<ImportedComment>,
}

/// A comment on a platform.
#[derive(Clone, Debug)]
pub struct ImportedComment {
    /// Id on the platform.
    pub external_id: String,
    /// Id of the author on the platform.
    pub author_external_id: Option<String>,
    /// Name of the author.
    pub author_name: String,
    /// The text.
    pub body: String,
    /// When it was posted, by the platform's clock.
    pub posted_at: DateTime<Utc>,
    /// Whether it was deleted on the platform.
    pub deleted: bool,
}

/// Result of an import.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImportSummary {
    /// New comments.
    pub imported: i32,
    /// Known and unchanged comments.
    pub duplicates: i32,
    /// Comments whose text changed.
    pub changed: i32,
    /// Comments that were deleted on the platform, including unknown ones.
    pub removed: i32,
}

/// A running import.
struct Import<'a> {
    meeting: &'a meeting::Model,
    broadcast: &'a broadcast::Model,
    blocked: Arc<BlockedWords>,
    now: DateTime<Utc>,
    /// Keys of muted authors.
    muted: HashSet<String>,
    /// Known comments by id on the platform.
    known: HashMap<String, CommentId>,
    /// Messages that were deleted before they were imported.
    deleted: HashSet<String>,
    /// The deletions among them that this import brings.
    newly_deleted: Vec<String>,
    /// New comments, inserted at the end with their final state.
    fresh: Vec<CommentId>,
    changes: CommentChanges<'a>,
    summary: ImportSummary,
}

impl App {
    /// Imports comments of a broadcast: adds new ones, and applies edits and deletions to known ones.
    ///
    /// # Errors
    /// Rejected when the meeting has not started or is closed, or the broadcast belongs to another meeting.
    pub async fn import_comments(
        &self,
        viewer: &Viewer,
        import: ImportComments,
    ) -> Result<ImportSummary, CommandError> {
        let now = self.now();
        let permit = self.permit_meeting::<policy::ImportComments>(viewer, import.meeting).await?;
        let found = self.store.broadcasts_by_id(&[import.broadcast]).await?.pop();
        // A platform of a later version is left to that version, which knows its author keys.
        let broadcast =
            found.filter(|broadcast| broadcast.meeting_id == import.meeting && broadcast.platform.is_known());
        let broadcast = broadcast.ok_or(Rejection::NotFound { field: "broadcastId" })?;
        if !policy::may_import_from(viewer, broadcast.platform, broadcast.id) {
            return Err(CommandError::Forbidden);
        }
        validate_import(&import.comments, now)?;
        let LockedMeeting { mut tx, meeting, allowed, .. } = self.begin_with_meeting(&permit).await?;
        // Platforms deliver the last comments of a broadcast after its end.
        if let Some(rejection) = not_live_rejection(&meeting).filter(|_| meeting.phase != MeetingPhase::Ended) {
            return Err(rejection.into());
        }
        let ids: Vec<String> = import.comments.iter().map(|message| message.external_id.clone()).collect();
        let known = tx.imported(broadcast.id, &ids).await?;
        let deleted = tx.deleted_messages(broadcast.id, &ids).await?;
        let posting = import
            .comments
            .iter()
            .filter_map(|message| Some(platform_author_key(&broadcast, message.author_external_id.as_deref()?)));
        let authors: HashSet<String> = posting.chain(known.iter().filter_map(|row| row.author_key.clone())).collect();
        let muted = tx.muted_until(meeting.id, &authors.into_iter().collect::<Vec<_>>()).await?;
        let muted = muted.into_iter().filter(|(_, until)| *until > now).map(|(author, _)| author).collect();
        let changes = load_affected(&tx, &known, &import.comments, &allowed.person.subject).await?;
        let known = known.into_iter().filter_map(|row| Some((row.external_id?, row.id))).collect();
        let mut running = Import {
            meeting: &meeting,
            broadcast: &broadcast,
            blocked: self.blocked_words.of(&tx, &meeting).await?,
            now,
            muted,
            known,
            deleted,
            newly_deleted: Vec::new(),
            fresh: Vec::new(),
            changes,
            summary: ImportSummary::default(),
        };
        for message in import.comments {
            running.apply(message, || CommentId(self.ids.next(now)));
        }
        let summary = running.summary;
        if running.write(&mut tx).await? {
            self.commit(tx).await?;
        }
        Ok(summary)
    }
}

/// Rejects an import that contains an invalid comment.
fn validate_import(comments: &[ImportedComment], now: DateTime<Utc>) -> Result<(), Rejection> {
    if comments.len() > MAX_COMMENTS {
        return Err(Rejection::Invalid { field: "comments", why: Invalid::TooMany { max: MAX_COMMENTS } });
    }
    let is_invalid = |id: &str| id.is_empty() || is_longer_than(id, MAX_ID_LENGTH) || id.contains('\0');
    let (oldest, newest) = (now - MAX_AGE, now + MAX_CLOCK_SKEW);
    for (index, message) in comments.iter().enumerate() {
        let reject = |field, why| Err(Rejection::Invalid { field, why }.at_index("comments", index));
        if is_invalid(&message.external_id) {
            return reject("comments.externalId", Invalid::Range { min: 1, max: 300 });
        }
        if message.author_external_id.as_deref().is_some_and(is_invalid) {
            return reject("comments.authorExternalId", Invalid::Range { min: 1, max: 300 });
        }
        if !(oldest..=newest).contains(&message.posted_at) {
            let why = Invalid::Dates { from: almaty_date(oldest), to: almaty_date(newest) };
            return reject("comments.postedAt", why);
        }
    }
    Ok(())
}

/// Loads all comments that an import may change: known comments, comments merged into deleted ones, and merge targets.
async fn load_affected<'a>(
    tx: &Tx,
    known: &[comment::Model],
    comments: &[ImportedComment],
    actor: &'a str,
) -> Result<CommentChanges<'a>, StoreError> {
    let deletes: HashSet<&str> =
        comments.iter().filter(|message| message.deleted).map(|message| message.external_id.as_str()).collect();
    let gone = known.iter().filter(|row| row.external_id.as_deref().is_some_and(|id| deletes.contains(id)));
    let (gone, into): (Vec<_>, Vec<_>) = gone.map(|row| (row.id, row.merged_into)).unzip();
    let into: Vec<CommentId> = into.into_iter().flatten().collect();
    let mut changes = CommentChanges::new(Some(actor));
    changes.load(known.iter().cloned());
    changes.load(tx.merged_comments(&gone).await?);
    if !into.is_empty() {
        changes.load(tx.comments_by_id(&into).await?);
    }
    Ok(changes)
}

impl Import<'_> {
    fn apply(&mut self, message: ImportedComment, fresh: impl FnOnce() -> CommentId) {
        let body = sanitize(&message.body, MAX_BODY_LENGTH);
        let known = self.known.get(&message.external_id).and_then(|id| self.changes.get(*id)).cloned();
        match (known, body) {
            (Some(row), _) if message.deleted => self.remove(&row),
            (Some(row), Some(body)) if is_changed(&row.body, &body) => self.edit(row, body),
            (None, _) if message.deleted => self.record_deletion(message.external_id),
            (None, Some(body)) if !self.deleted.contains(&message.external_id) => self.add(message, body, fresh()),
            // Unchanged, deleted before its import, or without visible text.
            (Some(_) | None, _) => self.summary.duplicates += 1,
        }
    }

    /// Returns whether a text always waits for a moderator, because its author cannot be told of a rejection.
    fn needs_review(&self, author_key: Option<&str>, author_name: &str, body: &str) -> bool {
        author_key.is_some_and(|key| self.muted.contains(key))
            || has_title(author_name)
            || self.blocked.matches(&format!("{author_name} {body}"))
    }

    fn add(&mut self, message: ImportedComment, body: String, id: CommentId) {
        let platform = self.broadcast.platform;
        let author_key = message.author_external_id.map(|author| platform_author_key(self.broadcast, &author));
        let author_name =
            sanitize(&message.author_name, MAX_NAME_LENGTH).unwrap_or_else(|| platform.as_str().to_owned());
        let held = self.needs_review(author_key.as_deref(), &author_name, &body);
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
            external_id: Some(message.external_id.clone()),
            state,
            state_reason: None,
            decided_by: None,
            votes: 0,
            votes_shown_at: Some(self.now),
            votes_unshown: false,
            labels: "[]".to_owned(),
            posted_at: message.posted_at,
            posted_seq: 0,
            selected_at: None,
            answered_at: None,
            answer: None,
            merged_into: None,
            merged_state: None,
        };
        self.changes.insert(row);
        self.fresh.push(id);
        self.known.insert(message.external_id, id);
        self.summary.imported += 1;
    }

    /// Updates an edited comment. Approved texts and texts that need review wait for a moderator again.
    fn edit(&mut self, mut row: comment::Model, body: String) {
        let held = self.needs_review(row.author_key.as_deref(), &row.author_name, &body);
        let Ok(next) = edit(row.state, self.meeting.moderation, held) else {
            self.summary.duplicates += 1;
            return;
        };
        row.language = guess_language(&body);
        row.body = body;
        NormalizedComment::renew(&mut row);
        row.state = next;
        self.summary.changed += 1;
        self.changes.update(row);
    }

    fn remove(&mut self, row: &comment::Model) {
        let Ok(Some(next)) = delete(row.state) else {
            self.summary.duplicates += 1;
            return;
        };
        self.summary.removed += 1;
        self.changes.update(comment::Model { state: next, ..row.clone() });
        self.changes.unmerge_all(row, row.state);
    }

    /// Records the deletion of an unknown message, so that a later import does not show it.
    fn record_deletion(&mut self, external_id: String) {
        if self.deleted.insert(external_id.clone()) {
            self.newly_deleted.push(external_id);
            self.summary.removed += 1;
        } else {
            self.summary.duplicates += 1;
        }
    }

    /// Writes all changes with their events. Returns whether there were any.
    async fn write(mut self, tx: &mut Tx) -> Result<bool, CommandError> {
        tx.record_deletions(self.broadcast.id, &self.newly_deleted, self.now).await?;
        let mut fresh: Vec<comment::Model> =
            self.fresh.iter().filter_map(|id| self.changes.take_inserted(*id)).collect();
        let EventsToRecord { events, notifications } = self.changes.write(tx).await?;
        if events.is_empty() {
            return Ok(!self.newly_deleted.is_empty());
        }
        let first = tx.record(comment_feed(self.meeting.id), self.now, &events).await?;
        let mut positions = HashMap::new();
        for (event, seq) in events.iter().zip(first..) {
            positions.entry(event.subject).or_insert(seq);
        }
        let mut receipt = self.meeting.last_receipt;
        for row in &mut fresh {
            receipt += 1;
            row.receipt = receipt;
            row.posted_seq = positions.get(&row.id.0).copied().unwrap_or(first);
        }
        tx.insert_comments(fresh).await?;
        tx.save_last_receipt(self.meeting.id, receipt).await?;
        tx.record_each(self.now, notifications).await?;
        Ok(true)
    }
}

/// Returns whether a text differs from the stored one, apart from invisible characters that older versions stored.
fn is_changed(kept: &str, text: &str) -> bool {
    kept != text && sanitize(kept, MAX_BODY_LENGTH).as_deref() != Some(text)
}

/// Returns the author key of an account on a platform.
fn platform_author_key(broadcast: &broadcast::Model, author: &str) -> String {
    format!("{}:{author}", broadcast.platform.as_str())
}
