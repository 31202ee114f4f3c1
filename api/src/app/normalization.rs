//! Maintains columns of normalised text, and renormalises rows written by an older version.

use entities::{comment, ids::MeetingId, issue, meeting};

use crate::{
    app::App,
    domain::normalization::{Level, VERSION, duplicate_digest, normalize, normalize_for_search},
    store::{
        comment_changes::CommentChange,
        job_leases::{JobError, Lease},
    },
};

/// Rows of a table that are renormalised in one transaction.
const BATCH: u64 = 100;
/// Transactions for each table in one run of the job.
const MAX_BATCHES: usize = 20;

/// Columns of a comment that are derived from its texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NormalizedComment {
    /// Body and author name, normalised for search.
    pub search: String,
    /// Digest for finding what the author has posted before.
    pub said_digest: i64,
}

impl NormalizedComment {
    /// Derives the columns from a comment's texts.
    #[must_use]
    pub fn new(meeting: MeetingId, author: Option<&str>, body: &str, author_name: &str) -> Self {
        Self::of_said(meeting, author, &normalize(body, Level::Duplicates), &format!("{body} {author_name}"))
    }

    /// Derives the columns from a comment's body, normalised for duplicates, and from all its texts.
    #[must_use]
    pub fn of_said(meeting: MeetingId, author: Option<&str>, said: &str, texts: &str) -> Self {
        Self {
            search: normalize_for_search(texts),
            said_digest: duplicate_digest(meeting, author.unwrap_or_default(), said),
        }
    }

    /// Derives a comment's columns again by the current version of the rules.
    pub fn renew(row: &mut comment::Model) {
        let made = Self::new(row.meeting_id, row.author_key.as_deref(), &row.body, &row.author_name);
        row.search = made.search;
        row.said_digest = made.said_digest;
        row.normalization_version = VERSION;
    }
}

fn renormalized(row: comment::Model) -> CommentChange {
    let mut change = CommentChange::from(row);
    NormalizedComment::renew(&mut change.after);
    change
}

/// Returns the titles and the venue of a meeting, normalised for search.
fn meeting_search(row: &meeting::Model) -> String {
    let texts = [&row.title_ru, &row.title_en, &row.venue_kk, &row.venue_ru, &row.venue_en];
    let texts = std::iter::once(&row.title_kk).chain(texts.into_iter().flatten());
    normalize_for_search(&texts.map(String::as_str).collect::<Vec<_>>().join(" "))
}

/// Derives an issue's columns for searches by the current version of the rules. Neither holds who raised it.
pub(in crate::app) fn normalize_issue(row: &mut issue::Model) {
    let public = [Some(&row.number), Some(&row.title), row.released_description.as_ref()];
    let texts: Vec<&str> = public.into_iter().flatten().map(String::as_str).collect();
    row.search = normalize_for_search(&texts.join(" "));
    let staff: Vec<&str> = texts.into_iter().chain([row.description.as_str()]).collect();
    row.staff_search = normalize_for_search(&staff.join(" "));
    row.normalization_version = VERSION;
}

impl App {
    /// Renormalises rows that an older version wrote, at most a bounded number of them.
    ///
    /// An older version may still write. Locked rows are left for the next run.
    ///
    /// # Errors
    /// When the lease is lost or the database fails. Committed batches stay.
    pub async fn renormalize(&self, lease: &Lease) -> Result<(), JobError> {
        for _ in 0..MAX_BATCHES {
            if self.renormalize_comments(lease).await? == 0 {
                break;
            }
        }
        for _ in 0..MAX_BATCHES {
            if self.renormalize_meetings(lease).await? == 0 {
                break;
            }
        }
        for _ in 0..MAX_BATCHES {
            if self.renormalize_issues(lease).await? == 0 {
                break;
            }
        }
        Ok(())
    }

    async fn renormalize_comments(&self, lease: &Lease) -> Result<usize, JobError> {
        if !self.store.has_outdated_comments(VERSION).await? {
            return Ok(0);
        }
        let tx = self.store.begin_fenced(lease).await?;
        let rows = tx.lock_outdated_comments(VERSION, BATCH).await?;
        let changes: Vec<CommentChange> = rows.into_iter().map(renormalized).collect();
        tx.change_comments(&changes).await?;
        tx.commit().await?;
        Ok(changes.len())
    }

    async fn renormalize_meetings(&self, lease: &Lease) -> Result<usize, JobError> {
        if !self.store.has_outdated_meetings(VERSION).await? {
            return Ok(0);
        }
        let tx = self.store.begin_fenced(lease).await?;
        let rows = tx.lock_outdated_meetings(VERSION, BATCH).await?;
        for row in &rows {
            let after = meeting::Model { search: meeting_search(row), normalization_version: VERSION, ..row.clone() };
            tx.save_meeting(row, &after).await?;
        }
        tx.commit().await?;
        Ok(rows.len())
    }

    async fn renormalize_issues(&self, lease: &Lease) -> Result<usize, JobError> {
        if !self.store.has_outdated_issues(VERSION).await? {
            return Ok(0);
        }
        let tx = self.store.begin_fenced(lease).await?;
        let rows = tx.lock_outdated_issues(VERSION, BATCH).await?;
        for row in &rows {
            let mut after = row.clone();
            normalize_issue(&mut after);
            tx.save_issue(row, &after).await?;
        }
        tx.commit().await?;
        Ok(rows.len())
    }
}
