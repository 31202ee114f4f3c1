//! Authentication by JWT. Keys come from a JWKS, or from a local development key.

mod claims;
mod dev_key;
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

pub use claims::{AuthError, Authenticated, VerifiedToken, parse_broadcast_id};
pub use dev_key::{MintError, TokenRequest, mint, parse_ttl};
pub use jwks::KeyError;
pub use verify::{Authenticator, LEEWAY};
