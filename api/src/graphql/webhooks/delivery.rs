//! Deliveries of events to a webhook.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};
use chrono::{DateTime, Utc};
use entities::{enums, webhook, webhook_delivery};

use crate::{
    connection,
    graphql::{
        context::ContextExt,
        entity::Entity as _,
        enums::DeliveryState,
        error::ApiResult,
        page::{Cursor, Page, PageArgs, STATEMENT_COST, dedup},
        webhooks::{Webhook, failure::failure_message},
    },
};

connection!(
    WebhookDeliveryConnection,
    WebhookDeliveryEdge,
    WebhookDelivery,
    DeliveryCounter,
    "deliveries",
    "STATEMENT_COST"
);

/// Approximate size of a row.
const ROW_BYTES: usize = 500;

/// Counts the deliveries of a list.
pub struct DeliveryCounter {
    webhook: Arc<webhook::Model>,
    states: Option<Vec<enums::DeliveryState>>,
}

impl DeliveryCounter {
    /// Returns the count.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn count(&self, ctx: &Context<'_>) -> ApiResult<i32> {
        ctx.meter().statement()?;
        let count = ctx.reads().count_deliveries(&self.webhook, self.states.as_deref()).await?;
        Ok(i32::try_from(count).unwrap_or(i32::MAX))
    }
}

/// A position in a feed.
impl Cursor for i64 {
    fn write(&self) -> String {
        self.to_string()
    }

    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

/// Returns a page of the deliveries of a webhook, newest first.
///
/// # Errors
/// `BAD_USER_INPUT` if the page arguments are invalid.
pub async fn list_deliveries(
    ctx: &Context<'_>,
    webhook: &Arc<webhook::Model>,
    states: Option<Vec<DeliveryState>>,
    page: PageArgs,
) -> ApiResult<WebhookDeliveryConnection> {
    let request = page.request()?;
    let states: Option<Vec<enums::DeliveryState>> = states.map(dedup);
    ctx.meter().statement()?;
    let slice = ctx.reads().deliveries(webhook, states.as_deref(), &request).await?;
    ctx.meter().rows(slice.rows.len().saturating_mul(ROW_BYTES))?;
    let page = Page::new(slice, |row| row.seq, |row| WebhookDelivery(Arc::new(row)));
    Ok(WebhookDeliveryConnection::new(page, DeliveryCounter { webhook: Arc::clone(webhook), states }))
}

/// The delivery of an event to a webhook.
#[derive(Clone)]
pub struct WebhookDelivery(Arc<webhook_delivery::Model>);

/// The delivery of an event to a webhook.
#[Object]
impl WebhookDelivery {
    /// The id, opaque.
    async fn id(&self) -> ID {
        ID(format!("{}:{}", *Webhook::global_id(self.0.webhook_id), self.0.seq))
    }

    /// Position of the event in the feed of issues.
    async fn seq(&self) -> i64 {
        self.0.seq
    }

    /// How far it is.
    async fn state(&self) -> DeliveryState {
        self.0.state.into()
    }

    /// Number of attempts.
    async fn attempts(&self) -> i32 {
        self.0.attempts
    }

    /// HTTP status of the last response.
    async fn last_status(&self) -> Option<i32> {
        self.0.last_status
    }

    /// Why the last attempt failed; null if it succeeded.
    async fn last_error(&self, ctx: &Context<'_>) -> Option<String> {
        self.0.last_error.as_deref().map(|name| failure_message(ctx.language(), name))
    }

    /// When the next attempt is due; null if an earlier event of the issue comes first.
    async fn next_attempt_at(&self) -> Option<DateTime<Utc>> {
        self.0.next_attempt_at
    }

    /// When it was created, or replayed.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }
}
