//! Validates posts against the meeting, mutes, slow mode, blocked words and duplicates.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use chrono::{DateTime, TimeDelta, Utc};
use entities::{comment, enums::MeetingPhase, meeting};

use crate::{
    app::{
        App, CommandError, HostScope, Rejection,
        questions::{
            not_live_rejection_in,
            pending_post::{PendingPost, RESERVED_NAME, authors_of},
        },
    },
    domain::{
        blocked_words::BlockedWords,
        comment::{first_state, slow_mode_wait},
        normalization::{self, Level, duplicate_digest, normalize},
        policy::{self, authorize},
    },
    store::{StoreError, Tx},
};

/// Rejects posts if the meeting does not accept comments.
pub(super) fn check_accepting(
    phase: MeetingPhase,
    planned_start: DateTime<Utc>,
    accepting_comments: bool,
) -> Result<(), Rejection> {
    match not_live_rejection_in(phase, planned_start) {
        Some(rejection) => Err(rejection),
        None if accepting_comments => Ok(()),
        None => Err(Rejection::CommentsClosed),
    }
}

/// Rejects an author whose mute has not ended.
pub(super) fn mute_rejection(muted: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Option<Rejection> {
    let until = muted.filter(|until| *until > now)?;
    Some(Rejection::Muted { until, retry_after: until - now })
}

/// The state that posts of a locked meeting are validated against, updated by each accepted post.
pub(super) struct PostingContext<'a> {
    meeting: &'a meeting::Model,
    host: HostScope,
    blocked: Arc<BlockedWords>,
    muted: HashMap<String, DateTime<Utc>>,
    last_posts: HashMap<String, DateTime<Utc>>,
    /// Authors and normalised texts of earlier posts.
    posted: HashSet<(String, String)>,
    /// Name keys reserved for the host's staff.
    staff_names: HashSet<String>,
    receipt: i32,
}

impl<'a> PostingContext<'a> {
    pub(super) async fn read(
        app: &App,
        tx: &Tx,
        meeting: &'a meeting::Model,
        posts: &[PendingPost],
    ) -> Result<Self, StoreError> {
        let authors = authors_of(posts);
        // Older replicas computed the digest from the body as sent.
        let digests = posts.iter().flat_map(|PendingPost { author, body, normalized, .. }| {
            [normalized.said_digest, duplicate_digest(meeting.id, author, body)]
        });
        let last_posts =
            if meeting.slow_mode_seconds > 0 { tx.last_posts(meeting.id, &authors).await? } else { HashMap::new() };
        let earlier = tx.find_posted(digests).await?.into_iter();
        let chosen: Vec<String> = posts.iter().filter_map(|post| post.name.key.clone()).collect();
        let staff_names =
            if chosen.is_empty() { HashSet::new() } else { tx.staff_names(&meeting.host_code, &chosen).await? };
        Ok(Self {
            meeting,
            staff_names,
            host: app.host_scope_of(meeting)?,
            blocked: app.blocked_words.of(tx, meeting).await?,
            muted: tx.muted_until(meeting.id, &authors).await?,
            last_posts,
            posted: earlier.map(|(author, body)| (author, normalize(&body, Level::Duplicates))).collect(),
            receipt: meeting.last_receipt,
        })
    }

    pub(super) fn validate(&mut self, post: &PendingPost) -> Result<comment::Model, CommandError> {
        authorize::<policy::PostComment>(&post.viewer, &self.host)?;
        let Self { meeting, .. } = self;
        check_accepting(meeting.phase, meeting.planned_start, meeting.accepting_comments)?;
        self.check_mute_and_slow_mode(post)?;
        if post.name.key.as_ref().is_some_and(|key| self.staff_names.contains(key)) {
            return Err(RESERVED_NAME.into());
        }
        if self.blocked.matches(&format!("{} {}", post.name.text, post.body)) {
            return Err(Rejection::BlockedWord.into());
        }
        if !self.posted.insert((post.author.clone(), post.normalized_body.clone())) {
            return Err(Rejection::Duplicate.into());
        }
        self.last_posts.insert(post.author.clone(), post.now);
        self.receipt += 1;
        Ok(self.row(post))
    }

    fn check_mute_and_slow_mode(&self, PendingPost { author, now, .. }: &PendingPost) -> Result<(), Rejection> {
        if let Some(rejection) = mute_rejection(self.muted.get(author).copied(), *now) {
            return Err(rejection);
        }
        let last = self.last_posts.get(author).copied();
        match slow_mode_wait(TimeDelta::seconds(self.meeting.slow_mode_seconds.into()), last, *now) {
            Some(retry_after) => Err(Rejection::TooFast { retry_after }),
            None => Ok(()),
        }
    }

    fn row(&self, post: &PendingPost) -> comment::Model {
        let PendingPost { id, now, author, kind, language, body, name, normalized, .. } = post;
        comment::Model {
            id: *id,
            meeting_id: self.meeting.id,
            receipt: self.receipt,
            kind: *kind,
            search: normalized.search.clone(),
            normalization_version: normalization::VERSION,
            body: body.clone(),
            said_digest: normalized.said_digest,
            language: *language,
            author_key: Some(author.clone()),
            author_name: name.text.clone(),
            author_name_chosen: name.chosen,
            platform: None,
            broadcast_id: None,
            external_id: None,
            state: first_state(self.meeting.moderation),
            state_reason: None,
            decided_by: None,
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
