//! The mutations of webhooks. They only translate.

use std::sync::Arc;

use async_graphql::{Context, Object, SimpleObject};
use entities::webhook;

use crate::{
    app::{CommandError, webhooks::Registered},
    graphql::{
        context::ContextExt,
        entity::parse_id,
        error::ApiResult,
        mutation::{payload, run_with_retry},
        refusal::Refusal,
        webhooks::{
            Webhook,
            input::{RegisterWebhookInput, ReplayWebhookInput, UpdateWebhookInput, WebhookInput},
        },
    },
};

/// A webhook or a refusal: exactly one of the two is set.
#[derive(SimpleObject)]
pub struct WebhookPayload {
    /// The webhook after the change.
    pub webhook: Option<Webhook>,
    /// The new secret, shown this once: `whsec_` and base64.
    pub secret: Option<String>,
    /// Why nothing was changed.
    pub refusal: Option<Refusal>,
}

fn registered(ctx: &Context<'_>, result: Result<Registered, CommandError>) -> ApiResult<WebhookPayload> {
    payload(ctx, result, |registered, refusal| {
        let (row, secret) = registered.map(|registered| (registered.row, registered.secret)).unzip();
        WebhookPayload { webhook: row.map(|row| Webhook(Arc::new(row))), secret: secret.flatten(), refusal }
    })
}

fn webhook(ctx: &Context<'_>, result: Result<webhook::Model, CommandError>) -> ApiResult<WebhookPayload> {
    registered(ctx, result.map(|row| Registered { row, secret: None }))
}

/// Mutations of webhooks.
#[derive(Default)]
pub struct WebhookMutation;

/// Mutations of webhooks.
#[Object]
impl WebhookMutation {
    /// Registers a receiver of events about issues. It begins with the next event. For agencies, and akimat staff.
    #[graphql(tag = "internal")]
    async fn register_webhook(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The webhook.")] input: RegisterWebhookInput,
    ) -> ApiResult<WebhookPayload> {
        let (register, key) = input.parse();
        let (app, viewer, key) = (ctx.app(), ctx.viewer(), key.as_deref());
        registered(ctx, run_with_retry(|| app.register_webhook(viewer, register.clone(), key)).await)
    }

    /// Changes the receiver, the kinds of events, or whether events are sent. For the owner.
    #[graphql(tag = "internal")]
    async fn update_webhook(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The changes.")] input: UpdateWebhookInput,
    ) -> ApiResult<WebhookPayload> {
        let command = input.parse()?;
        let (app, viewer) = (ctx.app(), ctx.viewer());
        webhook(ctx, run_with_retry(|| app.update_webhook(viewer, command.clone())).await)
    }

    /// Gives a webhook a new secret. For 24 hours messages are signed with the former one too, and a further call replaces
    /// the new one only. For the owner.
    #[graphql(tag = "internal")]
    async fn rotate_webhook_secret(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The webhook.")] input: WebhookInput,
    ) -> ApiResult<WebhookPayload> {
        let id = parse_id::<Webhook>(&input.webhook_id, "input.webhookId")?;
        let (app, viewer) = (ctx.app(), ctx.viewer());
        registered(ctx, run_with_retry(|| app.rotate_webhook_secret(viewer, id)).await)
    }

    /// Sends a test message once; `lastError` tells whether it failed. For the owner.
    #[graphql(tag = "internal")]
    async fn test_webhook(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The webhook.")] input: WebhookInput,
    ) -> ApiResult<WebhookPayload> {
        let id = parse_id::<Webhook>(&input.webhook_id, "input.webhookId")?;
        webhook(ctx, ctx.app().test_webhook(ctx.viewer(), id).await)
    }

    /// Sends all events after a position again, also those that were parked. Their message ids stay the same. For the
    /// owner.
    #[graphql(tag = "internal")]
    async fn replay_webhook(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The webhook and the position.")] input: ReplayWebhookInput,
    ) -> ApiResult<WebhookPayload> {
        let id = parse_id::<Webhook>(&input.webhook_id, "input.webhookId")?;
        let (app, viewer, after) = (ctx.app(), ctx.viewer(), input.after);
        webhook(ctx, run_with_retry(|| app.replay_webhook(viewer, id, after)).await)
    }

    /// Removes a webhook with its deliveries, and returns it as it was. For the owner.
    #[graphql(tag = "internal")]
    async fn remove_webhook(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The webhook.")] input: WebhookInput,
    ) -> ApiResult<WebhookPayload> {
        let id = parse_id::<Webhook>(&input.webhook_id, "input.webhookId")?;
        let (app, viewer) = (ctx.app(), ctx.viewer());
        webhook(ctx, run_with_retry(|| app.remove_webhook(viewer, id)).await)
    }
}
