//! Tokens: who is asking. The keys are a JWKS, or one development key.

mod claims;
mod dev_key;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod keys;
mod seen;
mod source;
#[cfg(test)]
mod tests;
mod verify;
mod wanted;

pub use claims::{AuthRefused, Authenticated, Token, broadcast_id};
pub use dev_key::{MintError, TokenRequest, mint, parse_ttl};
pub use keys::KeyError;
pub use verify::{Authenticator, LEEWAY};
