//! Verifies tokens: pinned algorithms, required claims, and expiry by the injected clock.

use std::sync::Arc;

use arc_swap::ArcSwap;
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{Algorithm, Validation, decode, decode_header, errors::ErrorKind};
use tokio::sync::watch;

use crate::{
    auth::{
        AuthError, Authenticated,
        claims::{Claims, VerifiedToken},
        dev_key,
        jwks::{KeyError, Keys, VerificationKey},
        jwks_refresh::RefreshTrigger,
        jwks_source::JwksSource,
        token_cache::VerifiedTokens,
    },
    clock::{Clock, Sleep},
    config::Settings,
    domain::viewer::{Revocations, Viewer},
};

/// How far the issuer's clock may be ahead of ours.
pub const LEEWAY: TimeDelta = TimeDelta::seconds(30);
/// Maximum length of a token, in bytes.
const MAX_TOKEN_LENGTH: usize = 8192;

/// Verifies tokens.
pub struct Authenticator {
    source: JwksSource,
    keys: ArcSwap<Keys>,
    revocations: ArcSwap<Revocations>,
    /// Notifies open sessions that keys or revocations changed.
    changed: watch::Sender<()>,
    refresh: RefreshTrigger,
    token_cache: VerifiedTokens,
    issuer: String,
    audience: String,
    clock: Arc<dyn Clock>,
}

impl Authenticator {
    /// Creates an authenticator and loads its keys.
    ///
    /// # Errors
    /// When the keys are not available.
    pub async fn start(settings: &Settings, clock: Arc<dyn Clock>) -> Result<Arc<Self>, KeyError> {
        let source = JwksSource::of(settings)?;
        let keys = match &source {
            JwksSource::Development => dev_key::keys(settings)?,
            other => other.read().await?,
        };
        Ok(Arc::new(Self {
            source,
            keys: ArcSwap::from_pointee(keys),
            revocations: ArcSwap::default(),
            changed: watch::Sender::default(),
            refresh: RefreshTrigger::default(),
            token_cache: VerifiedTokens::default(),
            issuer: settings.jwt_issuer.clone(),
            audience: settings.jwt_audience.clone(),
            clock,
        }))
    }

    /// Reloads the keys, so that they rotate without a restart. On failure the old ones stay.
    ///
    /// # Errors
    /// When the keys are not available.
    pub async fn refresh(&self) -> Result<(), KeyError> {
        if matches!(self.source, JwksSource::Development) {
            return Ok(());
        }
        self.keys.store(Arc::new(self.source.read().await?));
        self.changed.send_replace(());
        Ok(())
    }

    /// Waits until a token names an unknown key, which may be new. Completes at most once per cooldown. After
    /// the refresh, call [`Authenticator::refresh_done`].
    pub async fn refresh_requested(&self) {
        self.refresh.requested().await;
    }

    /// Wakes the requests that wait for the refresh.
    pub fn refresh_done(&self) {
        self.refresh.done();
    }

    /// Returns whether the token, if present, names an unknown key.
    #[must_use]
    pub fn names_unknown_key(&self, authorization: Option<&str>) -> bool {
        let named = authorization.and_then(|header| bearer_token(header).ok()).and_then(|token| key_id(token).ok());
        let can_refresh = !matches!(self.source, JwksSource::Development);
        can_refresh && named.is_some_and(|(kid, _)| !self.keys.load().contains_key(&kid))
    }

    /// Requests a refresh, unless one ran recently, and waits briefly for it.
    pub async fn refresh_unknown_key(&self) {
        self.refresh.request(self.clock.now());
        self.refresh.wait().await;
    }

    /// Replaces the revocations: rejects tokens issued to a subject up to its instant, and ends their open
    /// sessions.
    pub fn set_revocations(&self, revocations: Revocations) {
        self.revocations.store(Arc::new(revocations));
        self.changed.send_replace(());
    }

    /// Completes when the caller's session ends: the token expires or is revoked, or its key is removed.
    pub fn session_end(self: &Arc<Self>, authenticated: &Authenticated) -> Sleep {
        let Some(token) = authenticated.token.clone() else { return Box::pin(std::future::pending()) };
        let (auth, mut changed) = (Arc::clone(self), self.changed.subscribe());
        let expired = self.clock.sleep_until(token.expires_at);
        let invalidated = async move {
            while auth.is_valid(&token) {
                if changed.changed().await.is_err() {
                    return std::future::pending().await;
                }
            }
        };
        Box::pin(async move {
            tokio::select! {
                () = expired => {}
                () = invalidated => {}
            }
        })
    }

    /// Returns whether a verified token is still valid, apart from its expiry.
    fn is_valid(&self, token: &VerifiedToken) -> bool {
        self.keys.load().get(&token.kid).is_some_and(|key| key.fingerprint == token.fingerprint)
            && !self.is_revoked(token)
    }

    fn is_revoked(&self, token: &VerifiedToken) -> bool {
        let revocations = self.revocations.load();
        // `iat` has whole seconds, so compare seconds. Without `iat`, the token may be older.
        let is_covered =
            |moment: &DateTime<Utc>| token.issued_at.is_none_or(|issued| issued.timestamp() <= moment.timestamp());
        revocations.get(&token.subject).is_some_and(is_covered)
    }

    /// Authenticates the caller by the `Authorization` header; anonymous without one.
    ///
    /// # Errors
    /// When the token is rejected.
    pub fn authenticate(&self, authorization: Option<&str>) -> Result<Authenticated, AuthError> {
        let Some(header) = authorization else {
            return Ok(Authenticated { viewer: Viewer::Anonymous, token: None });
        };
        let token = bearer_token(header)?;
        let (kid, algorithm) = key_id(token)?;
        let keys = self.keys.load();
        let Some(key) = keys.get(&kid) else {
            // WebSocket clients do not wait for the refresh: their next attempt finds the key.
            self.refresh.request(self.clock.now());
            return Err(AuthError::UnknownKey);
        };
        if algorithm != key.algorithm {
            return Err(AuthError::WrongAlgorithm);
        }
        let claims = self.token_cache.claims(token, key.fingerprint, || verify(token, key))?;
        let (now, expires_at) = (self.clock.now(), timestamp(claims.exp)?);
        if claims.iss != self.issuer {
            return Err(AuthError::WrongIssuer);
        }
        if !claims.aud.contains(&self.audience) {
            return Err(AuthError::WrongAudience);
        }
        if now >= expires_at {
            return Err(AuthError::Expired);
        }
        if claims.nbf.map(timestamp).transpose()?.is_some_and(|not_before| now + LEEWAY < not_before) {
            return Err(AuthError::NotYetValid);
        }
        let issued_at = claims.iat.map(timestamp).transpose()?;
        if issued_at.is_some_and(|issued| now + LEEWAY < issued) {
            return Err(AuthError::NotYetValid);
        }
        let person = claims.person()?;
        let token =
            VerifiedToken { kid, fingerprint: key.fingerprint, subject: person.subject.clone(), issued_at, expires_at };
        if self.is_revoked(&token) {
            return Err(AuthError::Revoked);
        }
        Ok(Authenticated { viewer: Viewer::Person(person), token: Some(token) })
    }
}

/// Returns the token of a `Bearer` header.
fn bearer_token(header: &str) -> Result<&str, AuthError> {
    let (scheme, token) = header.trim().split_once(' ').ok_or(AuthError::Malformed)?;
    if !scheme.eq_ignore_ascii_case("bearer") || token.len() > MAX_TOKEN_LENGTH {
        return Err(AuthError::Malformed);
    }
    Ok(token.trim())
}

/// Returns the key id and algorithm of a token. Keys or URLs in its header are ignored.
fn key_id(token: &str) -> Result<(String, Algorithm), AuthError> {
    // We support no critical header extensions, so `crit` is rejected (RFC 7515).
    let raw = token
        .split('.')
        .next()
        .and_then(|part| base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, part).ok());
    let raw: serde_json::Value =
        raw.and_then(|bytes| serde_json::from_slice(&bytes).ok()).ok_or(AuthError::Malformed)?;
    if raw.get("crit").is_some() {
        return Err(AuthError::Malformed);
    }
    let header = decode_header(token).map_err(|_| AuthError::Malformed)?;
    Ok((header.kid.ok_or(AuthError::UnknownKey)?, header.alg))
}

fn verify(token: &str, key: &VerificationKey) -> Result<Claims, AuthError> {
    let mut validation = Validation::new(key.algorithm);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    // Checked against the injected clock, after the signature.
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    let decoded = decode::<Claims>(token, &key.key, &validation).map_err(|error| match error.kind() {
        ErrorKind::InvalidSignature => AuthError::BadSignature,
        ErrorKind::MissingRequiredClaim(_) | ErrorKind::Json(_) => AuthError::BadClaim,
        ErrorKind::InvalidAlgorithm => AuthError::WrongAlgorithm,
        _ => AuthError::Malformed,
    })?;
    Ok(decoded.claims)
}

fn timestamp(seconds: i64) -> Result<DateTime<Utc>, AuthError> {
    DateTime::from_timestamp(seconds, 0).ok_or(AuthError::BadClaim)
}
