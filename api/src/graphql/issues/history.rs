//! The history of an issue, as recorded in the audit log.

use std::sync::Arc;

use async_graphql::{Context, Object};
use chrono::{DateTime, Utc};
use entities::{audit_entry, ids::IssueId};

use crate::{
    app::reads::AuditCursor,
    connection,
    domain::{
        feed::EventKind,
        issue_events,
        issues::{Author, DESCRIPTION, FieldChange},
    },
    graphql::{
        agencies::Agency,
        context::ContextExt,
        error::ApiResult,
        issues::{entity::Issue, enums::IssueEventKind, subscription::IssueEvent},
        meter::audit_entry_bytes,
        page::{Page, PageArgs, STATEMENT_COST},
        regions::Region,
        subscription_stream::FeedEvent,
    },
    text,
};

connection!(IssueChangeConnection, IssueChangeEdge, IssueChange, HistoryCounter, "changes", "STATEMENT_COST");

/// Counts the changes of an issue.
pub struct HistoryCounter(IssueId);

impl HistoryCounter {
    /// Returns the count.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn count(&self, ctx: &Context<'_>) -> ApiResult<i32> {
        ctx.meter().statement()?;
        Ok(i32::try_from(ctx.reads().count_issue_history(self.0).await?).unwrap_or(i32::MAX))
    }
}

/// Returns a page of the history of an issue, oldest first.
///
/// # Errors
/// `BAD_USER_INPUT` if the page arguments are invalid.
pub async fn list_history(ctx: &Context<'_>, issue: &Issue, page: PageArgs) -> ApiResult<IssueChangeConnection> {
    let request = page.request()?;
    ctx.meter().statement()?;
    let slice = ctx.reads().issue_history(issue.0.id, &request).await?;
    ctx.meter().rows(slice.rows.iter().map(audit_entry_bytes).sum())?;
    let shows_internals = issue.shows_internals(ctx)?;
    let page =
        Page::new(slice, |row| AuditCursor { at: row.at, id: row.id }, |row| IssueChange::new(row, shows_internals));
    Ok(IssueChangeConnection::new(page, HistoryCounter(issue.0.id)))
}

/// A change of an issue. Changes are linked by hashes, so that none can be altered or removed unnoticed.
#[derive(Clone)]
pub struct IssueChange {
    entry: Arc<audit_entry::Model>,
    change: Option<FieldChange>,
}

impl IssueChange {
    fn new(entry: audit_entry::Model, shows_internals: bool) -> Self {
        let change = entry.detail.as_deref().and_then(|detail| serde_json::from_str::<FieldChange>(detail).ok());
        let change = change.map(|change| {
            let is_hidden = change.field.as_deref() == Some(DESCRIPTION) && !shows_internals;
            if is_hidden { FieldChange { before: None, after: None, ..change } } else { change }
        });
        Self { entry: Arc::new(entry), change }
    }
}

/// A change of an issue. Changes are linked by hashes, so that none can be altered or removed unnoticed.
#[Object]
impl IssueChange {
    /// Position in the chain of the unit, rising. Changes of other issues of the unit come between.
    async fn seq(&self) -> i64 {
        self.entry.seq
    }

    /// When it happened.
    async fn at(&self) -> DateTime<Utc> {
        self.entry.at
    }

    /// The body and the role of who did it. Never names a person.
    async fn by(&self, ctx: &Context<'_>) -> ApiResult<String> {
        let shown = self.change.as_ref().map(|change| shown_author(ctx, &change.by)).unwrap_or_default();
        ctx.text(shown)
    }

    /// The kind of change.
    async fn kind(&self) -> IssueEventKind {
        let kind =
            self.change.as_ref().map_or(EventKind::UNKNOWN, |change| EventKind::parse(&change.kind, issue_events::ALL));
        <IssueEvent as FeedEvent>::kind(kind)
    }

    /// What was changed, for example `responsible`; null for the issue as a whole.
    async fn field(&self) -> Option<&str> {
        self.change.as_ref()?.field.as_deref()
    }

    /// The value before.
    async fn before(&self, ctx: &Context<'_>) -> ApiResult<Option<&str>> {
        let before = self.change.as_ref().and_then(|change| change.before.as_deref());
        before.map(|before| ctx.text(before)).transpose()
    }

    /// The value after.
    async fn after(&self, ctx: &Context<'_>) -> ApiResult<Option<&str>> {
        let after = self.change.as_ref().and_then(|change| change.after.as_deref());
        after.map(|after| ctx.text(after)).transpose()
    }

    /// SHA-256 of the entry and of the hash before it, in hexadecimal digits.
    async fn hash(&self) -> &str {
        &self.entry.hash
    }
}

/// Returns a body and a role in the language of the request.
fn shown_author(ctx: &Context<'_>, by: &Author) -> String {
    let role = text::message(ctx.language(), &format!("role-{}", by.role), &[]);
    let agency = by.agency.as_deref().map(|code| Agency::by_stored_code(ctx, code).name_in(ctx.language()));
    let region = by.region.and_then(|code| Region::current(ctx, code)).map(|region| region.name_in(ctx.language()));
    match agency.or(region) {
        Some(body) => format!("{body}, {role}"),
        None => role,
    }
}
