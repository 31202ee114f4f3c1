//! The fields of a reception.

use async_graphql::{Context, ID, Object, SimpleObject};
use chrono::{DateTime, TimeDelta, Utc};
use entities::{ids::MeetingId, reception_host};

use crate::graphql::{
    context::ContextExt,
    entity::Entity as _,
    enums::{ReceptionHostRole, ReceptionState},
    error::{ApiError, ApiResult},
    feed_heads::FeedHeads,
    loaders::{HostsOf, OwnRegistrationAt, ReceptionsOf},
    localized::LocalizedText,
    meetings::Meeting,
    page::{MAX_PAGE_SIZE, PageArgs, connection_cost, page_cost},
    receptions::{
        entity::{QUEUE_COST, Reception, Registration},
        registration::{RegistrationConnection, list_registrations},
        slot::ReceptionSlot,
    },
};

/// The number of slots by which their list is priced.
const PRICED_SLOTS: usize = 100;
/// Approximate size of a slot in a response.
const SLOT_BYTES: usize = 64;
/// Default number of calls in a list.
const DEFAULT_CALLS: i32 = 5;

/// Returns the receptions of a meeting that the viewer may see, by start.
///
/// # Errors
/// If the database fails.
pub async fn receptions_of(ctx: &Context<'_>, meeting: MeetingId) -> ApiResult<Vec<Reception>> {
    FeedHeads::before_receptions(ctx).await?;
    let rows = ctx.load(ReceptionsOf(meeting)).await?;
    Ok(rows.unwrap_or_default().into_iter().map(Reception::new).collect())
}

/// A person who receives people, or a role that is still to be filled.
pub struct ReceptionHost(reception_host::Model);

/// A person who receives people, or a role that is still to be filled.
#[Object]
impl ReceptionHost {
    /// The role.
    async fn role(&self) -> ReceptionHostRole {
        self.0.role.into()
    }

    /// Name of the person; empty while the role is to be filled.
    async fn name(&self, ctx: &Context<'_>) -> ApiResult<&str> {
        ctx.text(self.0.name.as_str())
    }

    /// Position of the person.
    async fn position(&self, ctx: &Context<'_>) -> ApiResult<Option<LocalizedText>> {
        let row = &self.0;
        let position = LocalizedText::of(row.position_kk.as_ref(), row.position_ru.as_ref(), row.position_en.as_ref());
        position.map(|position| position.metered(ctx)).transpose()
    }
}

/// The call of a person to a desk, by ticket.
#[derive(SimpleObject, Clone, Debug)]
pub struct ReceptionCall {
    /// The ticket, for example `A-07`.
    pub ticket: String,
    /// The desk, counted from 1.
    pub desk: i32,
    /// When the person was last called.
    pub called_at: DateTime<Utc>,
    /// How often the person was called.
    pub times: i32,
}

/// Converts a count.
fn to_int(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// Rounds up to whole minutes.
fn minutes(span: TimeDelta) -> i32 {
    i32::try_from(span.num_seconds().max(0).saturating_add(59) / 60).unwrap_or(i32::MAX)
}

/// A personal reception after a meeting (p. 3.5).
#[Object]
impl Reception {
    /// Global id, opaque.
    pub async fn id(&self) -> ID {
        Self::global_id(self.row.id)
    }

    /// The meeting after which it is held.
    async fn meeting(&self, ctx: &Context<'_>) -> ApiResult<Meeting> {
        let meeting = ctx.load(self.row.meeting_id).await?;
        meeting.map(Meeting).ok_or(ApiError::NotFound)
    }

    /// Place.
    async fn place(&self, ctx: &Context<'_>) -> ApiResult<LocalizedText> {
        let row = &self.row;
        LocalizedText { kk: row.place_kk.clone(), ru: row.place_ru.clone(), en: row.place_en.clone() }.metered(ctx)
    }

    /// Start of the first slot.
    async fn starts_at(&self) -> DateTime<Utc> {
        self.row.starts_at
    }

    /// No slot ends later.
    async fn ends_at(&self) -> DateTime<Utc> {
        self.row.ends_at
    }

    /// Length of a slot in minutes.
    async fn slot_minutes(&self) -> i32 {
        self.row.slot_minutes
    }

    /// Number of desks, which are counted from 1.
    async fn desks(&self) -> i32 {
        self.row.desks
    }

    /// Who receives people.
    #[graphql(complexity = "5 * child_complexity + 1")]
    async fn hosts(&self, ctx: &Context<'_>) -> ApiResult<Vec<ReceptionHost>> {
        let rows = ctx.load(HostsOf(self.row.id)).await?;
        Ok(rows.unwrap_or_default().into_iter().map(ReceptionHost).collect())
    }

    /// The state.
    async fn state(&self) -> ReceptionState {
        self.row.state.into()
    }

    /// Number of slots.
    #[graphql(complexity = "QUEUE_COST")]
    async fn capacity(&self, ctx: &Context<'_>) -> ApiResult<i32> {
        Ok(to_int(self.queue(ctx).await?.capacity()))
    }

    /// Number of slots that people have booked. Slots that are offered do not count.
    #[graphql(complexity = "QUEUE_COST")]
    async fn booked(&self, ctx: &Context<'_>) -> ApiResult<i32> {
        Ok(to_int(self.queue(ctx).await?.booked()))
    }

    /// Number of slots that can be booked now.
    #[graphql(complexity = "QUEUE_COST")]
    async fn free(&self, ctx: &Context<'_>) -> ApiResult<i32> {
        Ok(to_int(self.queue(ctx).await?.free(ctx.app().clock.now())))
    }

    /// Number of people in the waiting line.
    #[graphql(complexity = "QUEUE_COST")]
    async fn waiting(&self, ctx: &Context<'_>) -> ApiResult<i32> {
        Ok(to_int(self.queue(ctx).await?.waiting()))
    }

    /// All slots, by start and desk.
    #[graphql(complexity = "PRICED_SLOTS.saturating_mul(child_complexity).saturating_add(QUEUE_COST)")]
    async fn slots(&self, ctx: &Context<'_>) -> ApiResult<Vec<ReceptionSlot>> {
        let slots = self.queue(ctx).await?.slots(ctx.app().clock.now());
        ctx.meter().text(slots.len().saturating_mul(SLOT_BYTES))?;
        Ok(slots.into_iter().map(|(slot, free)| ReceptionSlot::new(slot, free)).collect())
    }

    /// Tickets of the people who are being received, by desk.
    #[graphql(complexity = "QUEUE_COST")]
    async fn now_serving(&self, ctx: &Context<'_>) -> ApiResult<Vec<String>> {
        Ok(self.queue(ctx).await?.now_serving().into_iter().map(|entry| self.ticket(entry.number)).collect())
    }

    /// The newest calls, newest first, for a screen in the waiting room.
    #[graphql(
        complexity = "page_cost(first.or(Some(DEFAULT_CALLS)), None, child_complexity).saturating_add(QUEUE_COST)"
    )]
    async fn calls(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Number of calls, 1 to 100.", default_with = "Some(DEFAULT_CALLS)")] first: Option<i32>,
    ) -> ApiResult<Vec<ReceptionCall>> {
        let first = Some(first.unwrap_or(DEFAULT_CALLS)).filter(|first| (1..=MAX_PAGE_SIZE).contains(first));
        let first = first.and_then(|first| usize::try_from(first).ok()).ok_or_else(|| ApiError::bad("first"))?;
        let entries = self.queue(ctx).await?.entries().iter();
        let mut calls: Vec<_> = entries.filter_map(|entry| Some((entry.call?, entry.number))).collect();
        calls.sort_by_key(|(call, number)| std::cmp::Reverse((call.last_at, *number)));
        let newest = calls.into_iter().take(first).map(|(call, number)| ReceptionCall {
            ticket: self.ticket(number),
            desk: call.desk,
            called_at: call.last_at,
            times: call.times,
        });
        Ok(newest.collect())
    }

    /// Estimated wait in minutes for a person who joins the waiting line now, by the pace so far; null if there is
    /// nothing to estimate it by.
    #[graphql(complexity = "QUEUE_COST")]
    async fn estimated_wait_minutes(&self, ctx: &Context<'_>) -> ApiResult<Option<i32>> {
        Ok(self.queue(ctx).await?.estimated_wait(ctx.app().clock.now()).map(minutes))
    }

    /// Registrations in the order of their tickets. For staff of the reception; empty for others.
    #[graphql(tag = "internal", complexity = "connection_cost(first, None, child_complexity)")]
    async fn registrations(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Number of items, 1 to 100; 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
    ) -> ApiResult<RegistrationConnection> {
        list_registrations(ctx, self, PageArgs::forward(first, after)).await
    }

    /// Position of the newest event in the feed of receptions. Read it with the reception or before it, then
    /// subscribe to `receptions` after it. Within one operation, it is read before the receptions.
    async fn head(&self, ctx: &Context<'_>) -> ApiResult<i64> {
        FeedHeads::of_receptions(ctx).await
    }

    /// Version of the object, raised by every change of its settings and state. Send it with a change to detect
    /// conflicts.
    async fn version(&self) -> i32 {
        self.row.version
    }

    /// The viewer's own registration: the active one, else the newest.
    async fn viewer_registration(&self, ctx: &Context<'_>) -> ApiResult<Option<Registration>> {
        let row = ctx.load(OwnRegistrationAt(self.row.id)).await?;
        Ok(row.map(|row| Registration::at(self, row)))
    }

    /// Whether the viewer may change the reception, and call and close its registrations.
    #[graphql(tag = "internal")]
    async fn viewer_can_run(&self, ctx: &Context<'_>) -> ApiResult<bool> {
        Ok(ctx.app().may_run_reception(ctx.viewer(), &self.row)?)
    }
}
