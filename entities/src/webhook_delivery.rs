//! Deliveries of events to webhooks.

use sea_orm::entity::prelude::*;

use crate::{enums::DeliveryState, ids::WebhookId};

/// A row of `webhook_deliveries`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "webhook_deliveries")]
pub struct Model {
    /// The webhook.
    #[sea_orm(primary_key, auto_increment = false)]
    pub webhook_id: WebhookId,
    /// Position of the event in the feed.
    #[sea_orm(primary_key, auto_increment = false)]
    pub seq: i64,
    /// The issue. Its events are delivered in order.
    pub issue_id: Uuid,
    /// Stored name of the kind of the event.
    pub kind: String,
    /// Time of the event.
    pub at: DateTimeUtc,
    /// How far it is.
    pub state: DeliveryState,
    /// Attempts so far.
    pub attempts: i32,
    /// Status of the last response.
    pub last_status: Option<i32>,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
    /// When the next attempt is due. `None` unless it is the first of its issue that waits.
    pub next_attempt_at: Option<DateTimeUtc>,
    /// Until when failed attempts are repeated.
    pub retry_until: DateTimeUtc,
    /// When it was created or replayed.
    pub created_at: DateTimeUtc,
}

/// No relations. The store joins rows explicitly.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
