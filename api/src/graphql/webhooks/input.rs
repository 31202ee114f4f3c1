//! The inputs of webhook operations.

use async_graphql::{ID, InputObject};

use crate::{
    app::webhooks::{RegisterWebhook, UpdateWebhook},
    graphql::{entity::parse_id, error::ApiResult, issues::IssueEventKind, scalars::KatoCode, webhooks::Webhook},
};

/// Returns the names of kinds.
fn names(kinds: Vec<IssueEventKind>) -> Vec<String> {
    kinds.into_iter().map(|kind| kind.as_str().to_owned()).collect()
}

/// A webhook to register.
#[derive(InputObject)]
pub struct RegisterWebhookInput {
    /// Code of the agency that owns it, a body of today. Without an agency and a region, it belongs to the viewer's only one.
    pub agency: Option<String>,
    /// Only events of this unit and those below it. The unit's akimat owns the webhook unless `agency` is given.
    pub region: Option<KatoCode>,
    /// URL of the receiver: HTTPS, at most 2000 bytes, without credentials and a fragment, with public addresses.
    pub url: String,
    /// Only events of these kinds; all by default.
    pub kinds: Option<Vec<IssueEventKind>>,
    /// Idempotency key: a retry with the same key and input returns the first result. At most 200 code
    /// points, without control characters.
    pub idempotency_key: Option<String>,
}

impl RegisterWebhookInput {
    /// Returns the command and the idempotency key.
    #[must_use]
    pub fn parse(self) -> (RegisterWebhook, Option<String>) {
        let register = RegisterWebhook {
            agency: self.agency,
            region: self.region.map(|code| code.0),
            url: self.url,
            kinds: self.kinds.map(names),
        };
        (register, self.idempotency_key)
    }
}

/// Settings of a webhook to change. Omitted fields keep their values.
#[derive(InputObject)]
pub struct UpdateWebhookInput {
    /// The webhook.
    pub webhook_id: ID,
    /// URL of the receiver. Another one is tried at once with what has failed.
    pub url: Option<String>,
    /// Only events of these kinds.
    pub kinds: Option<Vec<IssueEventKind>>,
    /// Whether events are sent. Those of the time in between are sent later; `true` also tries at once what has failed.
    pub active: Option<bool>,
    /// The version on which the change is based; refused as `STALE` if it has changed.
    pub version: Option<i32>,
}

impl UpdateWebhookInput {
    /// Returns the command.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` if the id is malformed.
    pub fn parse(self) -> ApiResult<UpdateWebhook> {
        Ok(UpdateWebhook {
            webhook: parse_id::<Webhook>(&self.webhook_id, "input.webhookId")?,
            url: self.url,
            kinds: self.kinds.map(names),
            active: self.active,
            version: self.version,
        })
    }
}

/// A webhook.
#[derive(InputObject)]
pub struct WebhookInput {
    /// The webhook.
    pub webhook_id: ID,
}

/// Events to send again.
#[derive(InputObject)]
pub struct ReplayWebhookInput {
    /// The webhook.
    pub webhook_id: ID,
    /// The position after which events are sent again. Not before the registration.
    pub after: i64,
}
