//! The register on disk: the only room that knows SQLite. A write waits until it lies on the disk.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, Utc};
use sqlx::{
    FromRow, Row, Sqlite, SqlitePool, Transaction,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous},
};

use crate::case::{Case, CaseId, CaseState, CommentId, IssueId, KatoCode, Malformed, Topic, number};

/// The steps of the schema, the oldest first. Each only adds, and sets the version of the database to its number.
const STEPS: [&str; 2] = [include_str!("schema/1_cases.sql"), include_str!("schema/2_issues.sql")];
/// The file within the directory of data.
const FILE: &str = "cases.db";
const READERS: u32 = 4;
/// How long a connection or another process's write is waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// After every identity: where a list begins that is read from the newest case on.
const NEWEST: &str = "~";

/// Why the store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The directory of data cannot be made.
    #[error("the directory cannot be made")]
    Directory(#[source] std::io::Error),
    /// The database fails.
    #[error("the database fails")]
    Database(#[from] sqlx::Error),
    /// The data are of a later version of this program.
    #[error("the data are of version {0}, which this program does not know")]
    Later(i64),
}

type Result<T> = std::result::Result<T, StoreError>;

/// Which cases of a list are read, the newest first.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    /// Only those in this state.
    pub state: Option<CaseState>,
    /// Only those that follow this one in the list.
    pub after: Option<CaseId>,
    /// How many at most.
    pub limit: i64,
}

impl Window {
    fn begin(&self) -> String {
        self.after.as_ref().map_or_else(|| NEWEST.to_owned(), ToString::to_string)
    }

    fn state(&self) -> Option<&'static str> {
        self.state.map(CaseState::as_str)
    }
}

macro_rules! select {
    ($from:literal) => {
        concat!(
            "SELECT c.id, c.number, c.region_code, c.comment_id, c.issue_id, c.title, c.state, c.note, c.opened_at, \
             c.updated_at FROM ",
            $from
        )
    };
}

// A list of keys is one parameter, so a batch of any length is one statement.
const BY_IDS: &str = select!("json_each(?1) AS wanted CROSS JOIN cases AS c ON c.id = wanted.value");
const BY_NUMBERS: &str = select!("json_each(?1) AS wanted CROSS JOIN cases AS c ON c.number = wanted.value");
const BY_COMMENTS: &str = select!("json_each(?1) AS wanted CROSS JOIN cases AS c ON c.comment_id = wanted.value");
const BY_ISSUES: &str = select!("json_each(?1) AS wanted CROSS JOIN cases AS c ON c.issue_id = wanted.value");
const PAGE: &str = select!("cases AS c WHERE c.id < ?1 ORDER BY c.id DESC LIMIT ?2");
const PAGE_IN_STATE: &str = select!("cases AS c WHERE c.state = ?3 AND c.id < ?1 ORDER BY c.id DESC LIMIT ?2");
// For each region only the rows of its own page are read.
const PAGES_OF: &str = select!(
    "json_each(?3) AS wanted CROSS JOIN cases AS c ON c.id IN \
     (SELECT id FROM cases WHERE region_code = wanted.value AND id < ?1 ORDER BY id DESC LIMIT ?2) ORDER BY c.id DESC"
);
const PAGES_OF_IN_STATE: &str = select!(
    "json_each(?3) AS wanted CROSS JOIN cases AS c ON c.id IN \
     (SELECT id FROM cases WHERE region_code = wanted.value AND state = ?4 AND id < ?1 ORDER BY id DESC LIMIT ?2) \
     ORDER BY c.id DESC"
);
const OPENED_WITH: &str = select!("cases AS c WHERE c.opened_by = ?1 AND c.idempotency_key = ?2");
const BY_ID: &str = select!("cases AS c WHERE c.id = ?1");

/// The register.
#[derive(Clone)]
pub struct Store {
    readers: SqlitePool,
    /// One connection: writers of this process wait in line instead of failing.
    writer: SqlitePool,
    reads: Arc<AtomicU64>,
}

impl Store {
    /// Opens the register of a directory, and makes it where there is none.
    ///
    /// # Errors
    /// When the database cannot be had.
    pub async fn open(dir: &Path) -> Result<Self> {
        std::fs::create_dir_all(dir).map_err(StoreError::Directory)?;
        let options = SqliteConnectOptions::new()
            .filename(dir.join(FILE))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(PATIENCE);
        let pool = |most| SqlitePoolOptions::new().max_connections(most).acquire_timeout(PATIENCE);
        let writer = pool(1).connect_with(options.clone()).await?;
        complete_schema(&writer).await?;
        let readers = pool(READERS).connect_with(options.read_only(true)).await?;
        Ok(Self { readers, writer, reads: Arc::default() })
    }

    /// How many statements have been run to read.
    #[must_use]
    pub fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }

    /// Closes the register.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    fn reader(&self) -> &SqlitePool {
        self.reads.fetch_add(1, Ordering::Relaxed);
        &self.readers
    }

    /// The cases with these identities.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn by_ids(&self, ids: &[CaseId]) -> Result<Vec<Case>> {
        let ids = list(ids.iter().map(ToString::to_string));
        Ok(sqlx::query_as(BY_IDS).bind(ids).fetch_all(self.reader()).await?)
    }

    /// The cases with these numbers.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn by_numbers<'a>(&self, numbers: impl Iterator<Item = &'a str>) -> Result<Vec<Case>> {
        Ok(sqlx::query_as(BY_NUMBERS).bind(list(numbers)).fetch_all(self.reader()).await?)
    }

    /// The cases that were opened about these comments.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn by_comments(&self, comments: &[CommentId]) -> Result<Vec<Case>> {
        let comments = list(comments.iter().map(CommentId::as_str));
        Ok(sqlx::query_as(BY_COMMENTS).bind(comments).fetch_all(self.reader()).await?)
    }

    /// The cases that were opened about these issues.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn by_issues(&self, issues: &[IssueId]) -> Result<Vec<Case>> {
        let issues = list(issues.iter().map(IssueId::as_str));
        Ok(sqlx::query_as(BY_ISSUES).bind(issues).fetch_all(self.reader()).await?)
    }

    /// A page of all cases.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn page(&self, window: &Window) -> Result<Vec<Case>> {
        let query = match window.state() {
            None => sqlx::query_as(PAGE).bind(window.begin()).bind(window.limit),
            Some(state) => sqlx::query_as(PAGE_IN_STATE).bind(window.begin()).bind(window.limit).bind(state),
        };
        Ok(query.fetch_all(self.reader()).await?)
    }

    /// The same page of the cases of each of these regions.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn pages_of<'a>(
        &self,
        regions: impl Iterator<Item = &'a KatoCode>,
        window: &Window,
    ) -> Result<Vec<Case>> {
        let regions = list(regions.map(KatoCode::as_str));
        let query = match window.state() {
            None => sqlx::query_as(PAGES_OF).bind(window.begin()).bind(window.limit).bind(regions),
            Some(state) => {
                sqlx::query_as(PAGES_OF_IN_STATE).bind(window.begin()).bind(window.limit).bind(regions).bind(state)
            }
        };
        Ok(query.fetch_all(self.reader()).await?)
    }

    /// Begins to write. Whatever is not committed is undone.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn begin(&self) -> Result<Tx> {
        // Immediate: one that begins by reading could not go on to write while another process does.
        Ok(Tx(self.writer.begin_with("BEGIN IMMEDIATE").await?))
    }
}

/// Runs the steps of the schema that the database has not seen.
async fn complete_schema(writer: &SqlitePool) -> Result<()> {
    let mut tx = writer.begin_with("BEGIN IMMEDIATE").await?;
    let version: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *tx).await?;
    let seen = usize::try_from(version).ok().filter(|seen| *seen <= STEPS.len()).ok_or(StoreError::Later(version))?;
    for step in STEPS.into_iter().skip(seen) {
        sqlx::raw_sql(step).execute(&mut *tx).await?;
    }
    Ok(tx.commit().await?)
}

/// Reading and writing as one: nobody else writes between its beginning and its end.
pub struct Tx(Transaction<'static, Sqlite>);

impl Tx {
    /// The case that somebody has opened with a key.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn opened_with(&mut self, subject: &str, key: &str) -> Result<Option<Case>> {
        Ok(sqlx::query_as(OPENED_WITH).bind(subject).bind(key).fetch_optional(&mut *self.0).await?)
    }

    /// Whether a case was opened about a question or an issue.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn has_case(&mut self, topic: &Topic) -> Result<bool> {
        let found = match topic {
            Topic::Comment(id) => sqlx::query("SELECT 1 FROM cases WHERE comment_id = ?1").bind(id.as_str()),
            Topic::Issue(id) => sqlx::query("SELECT 1 FROM cases WHERE issue_id = ?1").bind(id.as_str()),
        };
        Ok(found.fetch_optional(&mut *self.0).await?.is_some())
    }

    /// The next number of a year.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn next_number(&mut self, year: i32) -> Result<String> {
        let count = sqlx::query_scalar(
            "INSERT INTO case_years (year, cases) VALUES (?1, 1) \
             ON CONFLICT (year) DO UPDATE SET cases = cases + 1 RETURNING cases",
        );
        Ok(number(year, count.bind(year).fetch_one(&mut *self.0).await?))
    }

    /// Enters a case that somebody opens with a key.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn insert(&mut self, case: &Case, subject: &str, key: &str) -> Result<()> {
        let insert = sqlx::query(
            "INSERT INTO cases (id, number, region_code, comment_id, title, state, note, opened_at, updated_at, \
             opened_by, idempotency_key, issue_id) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        );
        insert
            .bind(case.id.to_string())
            .bind(case.number.as_str())
            .bind(case.region.as_str())
            .bind(case.comment().map(CommentId::as_str))
            .bind(case.title.as_str())
            .bind(case.state.as_str())
            .bind(case.note.as_deref())
            .bind(case.opened_at.timestamp_millis())
            .bind(case.updated_at.timestamp_millis())
            .bind(subject)
            .bind(key)
            .bind(case.issue().map(IssueId::as_str))
            .execute(&mut *self.0)
            .await?;
        Ok(())
    }

    /// A case.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn case(&mut self, id: &CaseId) -> Result<Option<Case>> {
        Ok(sqlx::query_as(BY_ID).bind(id.to_string()).fetch_optional(&mut *self.0).await?)
    }

    /// Writes how far a case has come, and what is noted.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn update(&mut self, case: &Case) -> Result<()> {
        let update = sqlx::query("UPDATE cases SET state = ?2, note = ?3, updated_at = ?4 WHERE id = ?1");
        let update = update.bind(case.id.to_string()).bind(case.state.as_str()).bind(case.note.as_deref());
        update.bind(case.updated_at.timestamp_millis()).execute(&mut *self.0).await?;
        Ok(())
    }

    /// Keeps what was written.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn commit(self) -> Result<()> {
        Ok(self.0.commit().await?)
    }
}

/// A list as the one JSON text that the statements take.
fn list<T: Into<serde_json::Value>>(items: impl Iterator<Item = T>) -> String {
    serde_json::Value::from_iter(items).to_string()
}

impl FromRow<'_, SqliteRow> for Case {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        let moment = |column| -> sqlx::Result<DateTime<Utc>> {
            DateTime::from_timestamp_millis(row.try_get(column)?).ok_or_else(|| undecoded(column, Malformed))
        };
        Ok(Self {
            id: parsed(row, "id")?,
            number: row.try_get("number")?,
            region: parsed(row, "region_code")?,
            topic: match optional(row, "comment_id")? {
                Some(comment) => Some(Topic::Comment(comment)),
                None => optional(row, "issue_id")?.map(Topic::Issue),
            },
            title: row.try_get("title")?,
            state: parsed(row, "state")?,
            note: row.try_get("note")?,
            opened_at: moment("opened_at")?,
            updated_at: moment("updated_at")?,
        })
    }
}

fn optional<T>(row: &SqliteRow, column: &str) -> sqlx::Result<Option<T>>
where
    T: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    row.try_get::<Option<&str>, _>(column)?.map(|_| parsed(row, column)).transpose()
}

fn parsed<T>(row: &SqliteRow, column: &str) -> sqlx::Result<T>
where
    T: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    let text: &str = row.try_get(column)?;
    text.parse().map_err(|error| undecoded(column, error))
}

fn undecoded(column: &str, why: impl std::error::Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::ColumnDecode { index: column.to_owned(), source: Box::new(why) }
}

#[cfg(test)]
mod tests;
