//! The audit log.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object};
use chrono::{DateTime, Datelike as _, Utc};
use entities::audit_entry;

use crate::{
    app::reads::{AuditCursor, AuditFilter, AuditLogError},
    connection,
    graphql::{
        context::ContextExt,
        error::{ApiError, ApiResult},
        meter::audit_entry_bytes,
        page::{Cursor, Page, PageArgs, STATEMENT_COST, dedup},
        scalars::{KatoCode, Timestamp},
    },
};

connection!(AuditEntryConnection, AuditEntryEdge, AuditEntry, AuditEntryCounter, "audit entries", "STATEMENT_COST");

/// Maximum number of actions in a filter.
const MAX_ACTIONS: usize = 50;
/// Maximum length of an id or an action in a filter.
const MAX_WORD_LENGTH: usize = 100;

/// Filter of the audit log. All given conditions must hold.
#[derive(InputObject, Clone, Debug, Default)]
#[graphql(name = "AuditFilter")]
pub struct AuditFilterInput {
    /// About the object with this global id.
    pub subject: Option<ID>,
    /// Of hosts in this unit or below it.
    pub region: Option<KatoCode>,
    /// With one of these actions, for example `applicant.read`; at most 50.
    pub actions: Option<Vec<String>>,
    /// At this time or later.
    pub from: Option<Timestamp>,
    /// Before this time.
    pub to: Option<Timestamp>,
}

impl AuditFilterInput {
    /// Converts the filter for the store.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` if the subject is no id, or an action is no name, or there are too many.
    pub fn parse(self) -> ApiResult<AuditFilter> {
        // Some databases cannot look for every text.
        let is_word = |text: &str| text.len() <= MAX_WORD_LENGTH && text.bytes().all(|byte| byte.is_ascii_graphic());
        if self.subject.iter().any(|subject| !is_word(subject)) {
            return Err(ApiError::bad("filter.subject"));
        }
        let actions: Option<Vec<String>> = self.actions.map(dedup);
        if actions.iter().any(|actions| actions.len() > MAX_ACTIONS || !actions.iter().all(|action| is_word(action))) {
            return Err(ApiError::bad("filter.actions"));
        }
        Ok(AuditFilter {
            subject: self.subject.map(|id| id.0),
            region: self.region.map(|code| code.0),
            actions,
            from: self.from.map(|at| at.0),
            until: self.to.map(|at| at.0),
        })
    }
}

/// Counts the entries that the viewer may see and a filter selects.
pub struct AuditEntryCounter(AuditFilter);

impl AuditEntryCounter {
    /// Returns the count.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn count(&self, ctx: &Context<'_>) -> ApiResult<i32> {
        ctx.meter().statement()?;
        let count = ctx.reads().count_audit_log(ctx.viewer(), &self.0).await?;
        Ok(i32::try_from(count).unwrap_or(i32::MAX))
    }
}

impl From<AuditLogError> for ApiError {
    fn from(error: AuditLogError) -> Self {
        match error {
            AuditLogError::Denied(denied) => denied.into(),
            AuditLogError::Store(error) => error.into(),
        }
    }
}

impl Cursor for AuditCursor {
    fn write(&self) -> String {
        format!("{}.{}", self.at.timestamp_micros(), self.id.simple())
    }

    fn read(text: &str) -> Option<Self> {
        let (at, id) = text.split_once('.')?;
        let at = DateTime::from_timestamp_micros(at.parse().ok()?)?;
        // Reject earlier years, which some databases do not support.
        Some(Self { at, id: id.parse().ok()? }).filter(|_| at.year() > 0)
    }
}

/// Returns a page of the entries that the viewer may see and a filter selects, newest first.
///
/// # Errors
/// `BAD_USER_INPUT` if the page arguments are invalid, `UNAUTHENTICATED` or `FORBIDDEN` if the viewer may see none.
pub async fn list_audit_log(ctx: &Context<'_>, filter: AuditFilter, page: PageArgs) -> ApiResult<AuditEntryConnection> {
    let request = page.request()?;
    ctx.meter().statement()?;
    let slice = ctx.reads().audit_log(ctx.viewer(), &filter, &request).await?;
    ctx.meter().rows(slice.rows.iter().map(audit_entry_bytes).sum())?;
    let page = Page::new(slice, |row| AuditCursor { at: row.at, id: row.id }, |row| AuditEntry(Arc::new(row)));
    Ok(AuditEntryConnection::new(page, AuditEntryCounter(filter)))
}

/// A record that personal data was read or changed, or that an agency or a category of issues was changed. Entries are linked
/// by hashes, so that none can be changed or removed unnoticed.
#[derive(Clone)]
pub struct AuditEntry(Arc<audit_entry::Model>);

/// A record that personal data was read or changed, or that an agency or a category of issues was changed. Entries are linked
/// by hashes, so that none can be changed or removed unnoticed.
#[Object]
impl AuditEntry {
    /// Position in the chain of its host or of the whole country, from 1 without gaps.
    async fn seq(&self) -> i64 {
        self.0.seq
    }

    /// When it happened.
    async fn at(&self) -> DateTime<Utc> {
        self.0.at
    }

    /// Who did it: `staff:`, or `self:` for the person concerned, with a pseudonym that is the same for all entries of a person;
    /// or `service`.
    async fn actor(&self) -> &str {
        &self.0.actor
    }

    /// What was done, for example `applicant.read`.
    async fn action(&self) -> &str {
        &self.0.action
    }

    /// Global id of the object.
    async fn subject(&self) -> ID {
        ID(self.0.subject.clone())
    }

    /// More about it, for example why. Contains no personal data.
    async fn detail(&self, ctx: &Context<'_>) -> ApiResult<Option<&str>> {
        self.0.detail.as_deref().map(|detail| ctx.text(detail)).transpose()
    }

    /// SHA-256 of the entry and of the hash before it, in hexadecimal digits.
    async fn hash(&self) -> &str {
        &self.0.hash
    }
}
