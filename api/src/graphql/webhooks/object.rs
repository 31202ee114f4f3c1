//! The fields of a webhook, and lists of webhooks.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};
use chrono::{DateTime, Utc};
use entities::webhook;

use crate::{
    app::webhooks::{WebhookError, kinds_of},
    graphql::{
        agencies::Agency,
        context::ContextExt,
        entity::Entity as _,
        enums::DeliveryState,
        error::{ApiError, ApiResult},
        issues::IssueEventKind,
        page::{PageArgs, STATEMENT_COST, connection_cost},
        regions::Region,
        webhooks::{
            Webhook,
            delivery::{WebhookDeliveryConnection, list_deliveries},
            failure::failure_message,
        },
    },
};

impl From<WebhookError> for ApiError {
    fn from(error: WebhookError) -> Self {
        match error {
            WebhookError::Denied(denied) => denied.into(),
            WebhookError::Store(error) => error.into(),
        }
    }
}

/// Returns the webhooks of the viewer's agencies and units, oldest first.
///
/// # Errors
/// `UNAUTHENTICATED` or `FORBIDDEN` if the viewer may have none.
pub async fn list_webhooks(ctx: &Context<'_>) -> ApiResult<Vec<Webhook>> {
    ctx.meter().statement()?;
    let rows = ctx.reads().webhooks(ctx.viewer()).await?;
    ctx.meter().rows(rows.iter().map(row_bytes).sum())?;
    Ok(rows.into_iter().map(|row| Webhook(Arc::new(row))).collect())
}

/// Returns the approximate size of a row.
fn row_bytes(row: &webhook::Model) -> usize {
    row.url.len() + row.secret.len() + 500
}

/// The events that a webhook is about. All given conditions hold.
pub struct WebhookFilter(Arc<webhook::Model>);

/// The events that a webhook is about. All given conditions hold.
#[Object]
impl WebhookFilter {
    /// Only events of this unit and those below it.
    async fn region(&self, ctx: &Context<'_>) -> Option<Region> {
        let code = self.0.region_code.as_deref()?.parse().ok()?;
        Region::current(ctx, code)
    }

    /// Only events for which this body was responsible.
    async fn agency(&self, ctx: &Context<'_>) -> Option<Agency> {
        self.0.agency.as_deref().map(|code| Agency::by_stored_code(ctx, code))
    }

    /// Only events of these kinds; null for all.
    async fn kinds(&self) -> Option<Vec<IssueEventKind>> {
        kinds_of(&self.0).map(|kinds| kinds.into_iter().filter_map(IssueEventKind::parse).collect())
    }
}

/// A receiver of events about issues: messages are sent by HTTP and signed, as Standard Webhooks specifies.
#[Object]
impl Webhook {
    /// Global id, opaque.
    pub async fn id(&self) -> ID {
        Self::global_id(self.0.id)
    }

    /// URL of the receiver.
    async fn url(&self, ctx: &Context<'_>) -> ApiResult<&str> {
        ctx.text(self.0.url.as_str())
    }

    /// The events that it is about.
    async fn filter(&self) -> WebhookFilter {
        WebhookFilter(Arc::clone(&self.0))
    }

    /// Whether events are sent.
    async fn active(&self) -> bool {
        self.0.active
    }

    /// Since when every attempt has failed; null if the last one succeeded.
    async fn failing_since(&self) -> Option<DateTime<Utc>> {
        self.0.failing_since
    }

    /// Why the last attempt failed, or that events were deleted before they were sent; null if all is well.
    async fn last_error(&self, ctx: &Context<'_>) -> Option<String> {
        self.0.last_error.as_deref().map(|name| failure_message(ctx.language(), name))
    }

    /// The position up to which every event is delivered or parked.
    #[graphql(complexity = "STATEMENT_COST")]
    async fn delivered_seq(&self, ctx: &Context<'_>) -> ApiResult<i64> {
        ctx.meter().statement()?;
        Ok(ctx.reads().delivered_seq(&self.0).await?)
    }

    /// The position of the newest event about issues.
    #[graphql(complexity = "STATEMENT_COST")]
    async fn head(&self, ctx: &Context<'_>) -> ApiResult<i64> {
        ctx.meter().statement()?;
        Ok(ctx.reads().issue_head().await?)
    }

    /// Deliveries of events, newest first. Those that have succeeded are kept for 30 days. `totalCount` is exact up to 10,000.
    #[graphql(complexity = "connection_cost(first, None, child_complexity)")]
    async fn deliveries(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only those in these states.")] states: Option<Vec<DeliveryState>>,
        #[graphql(desc = "Number of items, 1 to 100; 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
    ) -> ApiResult<WebhookDeliveryConnection> {
        list_deliveries(ctx, &self.0, states, PageArgs::forward(first, after)).await
    }

    /// Rises with each change by a person.
    async fn version(&self) -> i32 {
        self.0.version
    }
}
