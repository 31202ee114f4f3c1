//! What queries read of webhooks. Those of others are not found.

use entities::{enums::DeliveryState, ids::WebhookId, webhook, webhook_delivery};

use crate::{
    app::reads::{PageRequest, PageSlice, Reads},
    domain::{
        issue_events::issue_feed,
        policy::{Action as _, Denied, ManageWebhook, webhook_scope},
        viewer::Viewer,
    },
    store::StoreError,
};

/// The most webhooks in a list.
const MAX_LISTED: u64 = 1_000;

/// Why webhooks cannot be listed.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// The viewer may see none.
    #[error("not allowed")]
    Denied(Denied),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Reads {
    /// Returns the webhooks of the viewer's agencies and units, oldest first.
    ///
    /// # Errors
    /// When the viewer may have none, or the database fails.
    pub async fn webhooks(&self, viewer: &Viewer) -> Result<Vec<webhook::Model>, WebhookError> {
        let scope = webhook_scope(viewer).map_err(WebhookError::Denied)?;
        Ok(self.store().webhooks_within(&scope, MAX_LISTED).await?)
    }

    /// Returns those of the webhooks that are the viewer's.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhooks_by_id(&self, viewer: &Viewer, ids: &[WebhookId]) -> Result<Vec<webhook::Model>, StoreError> {
        if webhook_scope(viewer).is_err() {
            return Ok(Vec::new());
        }
        let mut visible = Vec::new();
        for row in self.store().webhooks_by_id(ids).await? {
            if ManageWebhook::permits(viewer, &self.app().webhook_owner(&row)?) {
                visible.push(row);
            }
        }
        Ok(visible)
    }

    /// Returns a page of the deliveries of a webhook that the viewer sees, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn deliveries(
        &self,
        webhook: &webhook::Model,
        states: Option<&[DeliveryState]>,
        request: &PageRequest<i64>,
    ) -> Result<PageSlice<webhook_delivery::Model>, StoreError> {
        self.store().delivery_page(webhook.id, states, request).await
    }

    /// Counts the deliveries of a webhook that the viewer sees.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count_deliveries(
        &self,
        webhook: &webhook::Model,
        states: Option<&[DeliveryState]>,
    ) -> Result<u64, StoreError> {
        self.store().count_deliveries(webhook.id, states).await
    }

    /// Returns the position up to which every event that the webhook is about is delivered or parked.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delivered_seq(&self, webhook: &webhook::Model) -> Result<i64, StoreError> {
        let waiting = self.store().first_waiting(webhook.id).await?;
        Ok(waiting.map_or(webhook.position, |seq| seq.saturating_sub(1)))
    }

    /// Returns the position of the newest event about issues.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn issue_head(&self) -> Result<i64, StoreError> {
        Ok(self.store().feed_extent(&issue_feed()).await?.head)
    }
}
