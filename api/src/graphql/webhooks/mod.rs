//! Webhooks in the schema.

mod delivery;
mod entity;
mod failure;
mod input;
mod mutation;
mod object;

pub use entity::Webhook;
pub use mutation::WebhookMutation;
pub use object::list_webhooks;
