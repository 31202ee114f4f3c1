//! Outgoing webhooks: signatures, checks of addresses, and the HTTP client.
//!
//! Messages follow Standard Webhooks. This module knows neither the database nor what is sent; `app/webhooks` does.

mod address;
mod client;
mod resolver;
mod signature;

pub use address::{AddressError, AddressRules, MAX_URL_LENGTH};
pub use client::{DeliveryOutcome, FailureReason, MAX_RESPONSE_BYTES, TIMEOUT, WebhookClient};
pub use resolver::{Resolution, Resolver, SystemResolver};
pub use signature::{SignedMessage, SigningSecret};
