//! Revokes the tokens of a person.

use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};

use crate::{auth::LEEWAY, clock::Clock, service::StartError, store::Store};

/// The extent of a revocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenRevocation {
    /// Tokens issued up to this second are rejected.
    pub until: DateTime<Utc>,
    /// Time until newly issued tokens are accepted.
    pub wait: TimeDelta,
}

/// Revokes all tokens issued to a subject until now. Replicas check for revocations every second.
///
/// An issuer's clock may be up to [`LEEWAY`] ahead of ours, so the revocation covers that much more. `iat`
/// has whole seconds, and so does the instant it is compared with.
///
/// # Errors
/// When the database fails.
pub async fn revoke_tokens(store: &Store, clock: &dyn Clock, subject: &str) -> Result<TokenRevocation, StartError> {
    let now = store.time().await?.unwrap_or_else(|| clock.now());
    let until = (now + LEEWAY).trunc_subsecs(0);
    let tx = store.begin().await?;
    tx.revoke_tokens(subject, until).await?;
    tx.commit().await?;
    tracing::info!("revoked tokens");
    Ok(TokenRevocation { until, wait: until + TimeDelta::seconds(1) - now })
}
