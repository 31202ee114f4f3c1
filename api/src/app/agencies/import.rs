//! Imports bodies and categories of issues from a file, all or nothing.

use std::{collections::HashSet, fmt, fs::File, io::Read as _, path::Path};

use crate::{
    app::App,
    domain::{
        agencies::{AGENCY_COLUMNS, AGENCY_REGION, AgencyDraft, BadAgency},
        audit::AuditActor,
        issue_categories::{BadIssueCategory, CATEGORY_COLUMNS, CATEGORY_ORDINAL, IssueCategoryDraft},
        reference_change::ReferenceChange,
        tsv::{BadTsv, TsvRow, read_tsv},
    },
    store::StoreError,
};

/// The largest file.
const MAX_BYTES: u64 = 1 << 20;

/// Why a file was not imported. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum ReferenceImportError {
    /// The file cannot be read.
    #[error("the file cannot be read")]
    Unreadable(#[from] std::io::Error),
    /// The file is too large.
    #[error("the file is larger than 1 MiB")]
    TooLarge,
    /// The file is not the expected table.
    #[error(transparent)]
    Table(#[from] BadTsv),
    /// The file has no rows.
    #[error("the file has no rows")]
    Empty,
    /// A body cannot be saved.
    #[error("line {line}: {why}")]
    Agency {
        /// Number of the line, from 1.
        line: usize,
        /// Why.
        why: BadAgency,
    },
    /// A category cannot be saved.
    #[error("line {line}: {why}")]
    IssueCategory {
        /// Number of the line, from 1.
        line: usize,
        /// Why.
        why: BadIssueCategory,
    },
    /// A code occurs twice.
    #[error("line {line}: the code {code} is there twice")]
    Doubled {
        /// Number of the line, from 1.
        line: usize,
        /// The code.
        code: String,
    },
    /// The database failed.
    #[error("the file cannot be stored")]
    Store(#[from] StoreError),
}

/// What an import changed, or would change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferenceReport {
    /// Number of rows in the file.
    pub rows: usize,
    /// The changes.
    pub changes: Vec<ReferenceChange>,
    /// Whether nothing was written on request.
    pub dry_run: bool,
}

impl fmt::Display for ReferenceReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "rows: {}", self.rows)?;
        for (what, is_new) in [("added", true), ("changed", false)] {
            let changes: Vec<_> = self.changes.iter().filter(|change| change.is_new == is_new).collect();
            if !changes.is_empty() {
                writeln!(f, "{what}: {}", changes.len())?;
            }
            for change in changes {
                writeln!(f, "  {change}")?;
            }
        }
        match (self.dry_run, self.changes.is_empty()) {
            (_, true) => writeln!(f, "nothing to change"),
            (true, false) => writeln!(f, "nothing was written (dry run)"),
            (false, false) => writeln!(f, "imported"),
        }
    }
}

impl App {
    /// Imports bodies from a file in one transaction and notifies all replicas. Bodies that the file does not list stay.
    ///
    /// # Errors
    /// When the file is malformed, a body is invalid, or the database fails.
    pub async fn import_agencies(&self, file: &Path, dry_run: bool) -> Result<ReferenceReport, ReferenceImportError> {
        let now = self.now();
        let text = read(file)?;
        let rows = rows(&text, AGENCY_COLUMNS, AGENCY_REGION)?;
        let bad = |at: usize, why| ReferenceImportError::Agency { line: line_of(&rows, at), why };
        let drafts: Result<Vec<_>, _> =
            rows.iter().enumerate().map(|(at, row)| AgencyDraft::read(row).map_err(|why| bad(at, why))).collect();
        let mut drafts = drafts?;
        let locked = self.lock_reference_data(now).await?;
        if !rows.iter().any(|row| row.has(AGENCY_REGION)) {
            locked.keep_regions(&mut drafts);
        }
        let planned = locked.plan_agencies(&drafts).map_err(|(at, why)| bad(at, why))?;
        let report = report(&planned, dry_run);
        if !dry_run {
            locked.save_agencies(self, &AuditActor::Service, planned).await?;
        }
        Ok(report)
    }

    /// Imports categories of issues from a file in one transaction and notifies all replicas. Categories that the file does
    /// not list stay.
    ///
    /// # Errors
    /// When the file is malformed, a category is invalid, or the database fails.
    pub async fn import_issue_categories(
        &self,
        file: &Path,
        dry_run: bool,
    ) -> Result<ReferenceReport, ReferenceImportError> {
        let now = self.now();
        let text = read(file)?;
        let rows = rows(&text, CATEGORY_COLUMNS, CATEGORY_ORDINAL)?;
        let bad = |at: usize, why| ReferenceImportError::IssueCategory { line: line_of(&rows, at), why };
        let drafts: Result<Vec<_>, _> = rows
            .iter()
            .enumerate()
            .map(|(at, row)| IssueCategoryDraft::read(row).map_err(|why| bad(at, why)))
            .collect();
        let locked = self.lock_reference_data(now).await?;
        let planned = locked.plan_issue_categories(&drafts?).map_err(|(at, why)| bad(at, why))?;
        let report = report(&planned, dry_run);
        if !dry_run {
            locked.save_issue_categories(self, &AuditActor::Service, planned).await?;
        }
        Ok(report)
    }
}

fn read(file: &Path) -> Result<String, ReferenceImportError> {
    let mut text = String::new();
    File::open(file)?.take(MAX_BYTES + 1).read_to_string(&mut text)?;
    let is_larger = u64::try_from(text.len()).is_ok_and(|length| length > MAX_BYTES);
    if is_larger { Err(ReferenceImportError::TooLarge) } else { Ok(text) }
}

/// Reads the rows of a table, each with a code of its own.
fn rows<'a>(
    text: &'a str,
    columns: &[&'static str],
    optional: &'static str,
) -> Result<Vec<TsvRow<'a>>, ReferenceImportError> {
    let rows = read_tsv(text, columns, &[optional])?;
    let mut codes = HashSet::new();
    for row in &rows {
        let code = row.get("code").unwrap_or_default();
        if !codes.insert(code) {
            return Err(ReferenceImportError::Doubled { line: row.line, code: code.to_owned() });
        }
    }
    if rows.is_empty() { Err(ReferenceImportError::Empty) } else { Ok(rows) }
}

fn line_of(rows: &[TsvRow<'_>], at: usize) -> usize {
    rows.get(at).map_or(0, |row| row.line)
}

fn report<T>(planned: &[(T, Option<ReferenceChange>)], dry_run: bool) -> ReferenceReport {
    let changes = planned.iter().filter_map(|(_, change)| change.clone()).collect();
    ReferenceReport { rows: planned.len(), changes, dry_run }
}
