//! The webhook: its row, and how it is loaded.

use std::sync::Arc;

use async_graphql::Context;
use entities::{ids::WebhookId, webhook};

use crate::{
    domain::global_id::WEBHOOK,
    graphql::{
        context::ContextExt,
        entity::{Entity, UuidFormat},
        error::ApiResult,
    },
};

/// A receiver of events about issues. Created only from rows that the viewer may see.
#[derive(Clone)]
pub struct Webhook(pub Arc<webhook::Model>);

impl Entity for Webhook {
    const PREFIX: &'static str = WEBHOOK;
    type Id = WebhookId;
    type Format = UuidFormat;

    async fn load(ctx: &Context<'_>, id: WebhookId) -> ApiResult<Option<Self>> {
        Ok(ctx.load(id).await?.map(Self))
    }
}
