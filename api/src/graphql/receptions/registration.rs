//! The fields of a registration, and lists of registrations.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};
use chrono::{DateTime, Utc};
use entities::{enums::IssueSourceKind, ids::RegistrationId};
use uuid::Uuid;

use crate::{
    app::personal_data,
    connection,
    domain::{iin::masked_iin, receptions::Slot},
    graphql::{
        context::ContextExt,
        entity::Entity as _,
        enums::{Language, RegistrationState},
        error::ApiResult,
        issues::{Issue, issue_from},
        meter::registration_bytes,
        page::{Cursor, Page, PageArgs, STATEMENT_COST},
        receptions::{
            entity::{QUEUE_COST, Reception, Registration},
            slot::ReceptionSlot,
        },
    },
};

connection!(
    RegistrationConnection,
    RegistrationEdge,
    Registration,
    RegistrationCounter,
    "registrations",
    "STATEMENT_COST"
);

/// Counts the registrations of a list.
pub enum RegistrationCounter {
    /// The registrations of a reception.
    Reception(Reception),
    /// The viewer's own registrations.
    Own,
}

impl RegistrationCounter {
    /// Returns the count.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn count(&self, ctx: &Context<'_>) -> ApiResult<i32> {
        ctx.meter().statement()?;
        let (reads, viewer) = (ctx.reads(), ctx.viewer());
        let count = match self {
            Self::Reception(reception) => reads.count_registrations(viewer, &reception.row).await?,
            Self::Own => reads.count_own_registrations(viewer).await?,
        };
        Ok(i32::try_from(count).unwrap_or(i32::MAX))
    }
}

impl Cursor for RegistrationId {
    fn write(&self) -> String {
        self.0.simple().to_string()
    }

    fn read(text: &str) -> Option<Self> {
        Uuid::try_parse(text).ok().map(Self)
    }
}

/// The number of a ticket.
impl Cursor for i32 {
    fn write(&self) -> String {
        self.to_string()
    }

    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

/// Returns a page of the registrations of a reception, in the order of their tickets.
///
/// # Errors
/// `BAD_USER_INPUT` if the page arguments are invalid.
pub async fn list_registrations(
    ctx: &Context<'_>,
    reception: &Reception,
    page: PageArgs,
) -> ApiResult<RegistrationConnection> {
    let request = page.request()?;
    ctx.meter().statement()?;
    let slice = ctx.reads().registrations(ctx.viewer(), &reception.row, &request).await?;
    ctx.meter().rows(slice.rows.iter().map(registration_bytes).sum())?;
    let page = Page::new(slice, |row| row.number, |row| Registration::at(reception, Arc::new(row)));
    Ok(RegistrationConnection::new(page, RegistrationCounter::Reception(reception.clone())))
}

/// Returns a page of the viewer's own registrations, newest first.
///
/// # Errors
/// `BAD_USER_INPUT` if the page arguments are invalid.
pub async fn own_registrations(ctx: &Context<'_>, page: PageArgs) -> ApiResult<RegistrationConnection> {
    let request = page.request()?;
    ctx.meter().statement()?;
    let slice = ctx.reads().own_registrations(ctx.viewer(), &request).await?;
    ctx.meter().rows(slice.rows.iter().map(registration_bytes).sum())?;
    let page = Page::new(slice, |row| row.id, |row| Registration::new(Arc::new(row)));
    Ok(RegistrationConnection::new(page, RegistrationCounter::Own))
}

/// A person's registration for a personal reception.
#[Object]
impl Registration {
    /// Global id, opaque.
    pub async fn id(&self) -> ID {
        Self::global_id(self.row.id)
    }

    /// The reception.
    #[graphql(name = "reception")]
    async fn reception_field(&self, ctx: &Context<'_>) -> ApiResult<Reception> {
        self.reception(ctx).await.cloned()
    }

    /// The ticket that is called, for example `A-07`.
    async fn ticket(&self, ctx: &Context<'_>) -> ApiResult<String> {
        Ok(self.reception(ctx).await?.ticket(self.row.number))
    }

    /// The slot that is or was held or offered; null without one.
    #[graphql(complexity = "child_complexity.saturating_add(QUEUE_COST)")]
    async fn slot(&self, ctx: &Context<'_>) -> ApiResult<Option<ReceptionSlot>> {
        let (Some(starts_at), Some(desk)) = (self.row.slot_starts_at, self.row.slot_desk) else { return Ok(None) };
        let slot = Slot { starts_at, desk };
        let is_free = ctx.look_ahead().field("free").exists() && {
            let queue = self.reception(ctx).await?.queue(ctx).await?;
            queue.slots(ctx.app().clock.now()).contains(&(slot, true))
        };
        Ok(Some(ReceptionSlot::new(slot, is_free)))
    }

    /// The state.
    async fn state(&self) -> RegistrationState {
        self.row.state.into()
    }

    /// What the person wants to talk about; empty after erasure.
    async fn topic(&self, ctx: &Context<'_>) -> ApiResult<&str> {
        ctx.text(self.row.topic.as_str())
    }

    /// What came of the visit; null before its end.
    async fn outcome(&self, ctx: &Context<'_>) -> ApiResult<Option<&str>> {
        self.row.outcome.as_deref().map(|outcome| ctx.text(outcome)).transpose()
    }

    /// The issue that was raised from the visit.
    #[graphql(complexity = "child_complexity.saturating_add(STATEMENT_COST)")]
    async fn issue(&self, ctx: &Context<'_>) -> ApiResult<Option<Issue>> {
        issue_from(ctx, IssueSourceKind::Registration, self.row.id.0).await
    }

    /// The person's data; null after erasure. Each look is recorded in the audit log.
    #[graphql(complexity = "child_complexity.saturating_add(APPLICANT_COST)")]
    async fn applicant(&self, ctx: &Context<'_>) -> ApiResult<Option<Applicant>> {
        self.load_applicant(ctx).await.map(|found| found.map(Applicant))
    }

    /// How many people are before this one, in the queue or on the waiting list; null if it is over.
    #[graphql(complexity = "QUEUE_COST")]
    async fn place(&self, ctx: &Context<'_>) -> ApiResult<Option<i32>> {
        let place = self.reception(ctx).await?.queue(ctx).await?.place(self.row.id);
        Ok(place.map(|place| i32::try_from(place).unwrap_or(i32::MAX)))
    }

    /// When the person will be called, estimated by the pace of the reception so far; null if there is nothing to
    /// estimate it by.
    #[graphql(complexity = "QUEUE_COST")]
    async fn estimated_at(&self, ctx: &Context<'_>) -> ApiResult<Option<DateTime<Utc>>> {
        let queue = self.reception(ctx).await?.queue(ctx).await?;
        Ok(queue.estimated_at(self.row.id, ctx.app().clock.now()))
    }

    /// With OFFERED: accept the offer of the slot before this time.
    async fn offer_expires_at(&self) -> Option<DateTime<Utc>> {
        self.row.offer_expires_at
    }

    /// Version of the object, raised by every change.
    async fn version(&self) -> i32 {
        self.row.version
    }
}

/// The cost of the data of a person, which are decrypted and whose reading is recorded.
const APPLICANT_COST: usize = 50;

/// The data of the person of a registration.
pub struct Applicant(personal_data::Applicant);

/// The data of the person of a registration.
#[Object]
impl Applicant {
    /// Name.
    async fn name(&self, ctx: &Context<'_>) -> ApiResult<&str> {
        ctx.text(self.0.name.as_str())
    }

    /// Phone number in E.164 format; null for a person who came without a registration and gave none.
    async fn phone(&self) -> Option<&str> {
        self.0.phone.as_deref()
    }

    /// Individual identification number (IIN), masked; null if none was given.
    async fn iin_masked(&self) -> Option<String> {
        self.0.iin.as_deref().map(masked_iin)
    }

    /// The language in which the person wants to be received.
    async fn language(&self) -> Language {
        self.0.language.into()
    }
}
