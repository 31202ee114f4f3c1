//! Authentication by JWT. Keys come from a JWKS, or from a local development key.

mod claim_values;
mod claims;
mod dev_key;
mod error;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod grants;
mod jwks;
mod jwks_refresh;
mod jwks_source;
#[cfg(test)]
mod tests;
mod token_cache;
mod verify;

pub use claim_values::parse_broadcast_id;
pub use claims::{Authenticated, VerifiedToken};
pub use dev_key::{MintError, TokenRequest, mint, parse_ttl};
pub use error::AuthError;
pub use jwks::KeyError;
pub use verify::{Authenticator, LEEWAY};
