//! Verifying tokens: pinned algorithms, required claims, time by the injected clock.

use std::sync::Arc;

use arc_swap::ArcSwap;
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{Algorithm, Validation, decode, decode_header, errors::ErrorKind};
use tokio::sync::watch;

use crate::{
    auth::{
        AuthRefused, Authenticated,
        claims::{Claims, Token},
        dev_key,
        keys::{Key, KeyError, Keys},
        seen::Seen,
        source::Source,
        wanted::Wanted,
    },
    clock::{Clock, Sleep},
    config::Settings,
    domain::viewer::{Revocations, Viewer},
};

/// How far a signer's clock may be ahead of ours.
pub const LEEWAY: TimeDelta = TimeDelta::seconds(30);
/// How long a token may be.
const LONGEST_TOKEN: usize = 8192;

/// Verifies tokens.
pub struct Authenticator {
    source: Source,
    keys: ArcSwap<Keys>,
    withdrawn: ArcSwap<Revocations>,
    /// Told when keys or withdrawals have changed, so that those who are known by a token look whether it still holds.
    changed: watch::Sender<()>,
    wanted: Wanted,
    seen: Seen,
    issuer: String,
    audience: String,
    clock: Arc<dyn Clock>,
}

impl Authenticator {
    /// An authenticator with its keys.
    ///
    /// # Errors
    /// When the keys cannot be had.
    pub async fn start(settings: &Settings, clock: Arc<dyn Clock>) -> Result<Arc<Self>, KeyError> {
        let source = Source::of(settings)?;
        let keys = match &source {
            Source::Development => dev_key::keys(settings)?,
            other => other.read().await?,
        };
        Ok(Arc::new(Self {
            source,
            keys: ArcSwap::from_pointee(keys),
            withdrawn: ArcSwap::default(),
            changed: watch::Sender::default(),
            wanted: Wanted::default(),
            seen: Seen::default(),
            issuer: settings.jwt_issuer.clone(),
            audience: settings.jwt_audience.clone(),
            clock,
        }))
    }

    /// Reads the keys anew, so that they can be rotated without a restart. Where that fails the old ones stay.
    ///
    /// # Errors
    /// When the keys cannot be had.
    pub async fn refresh(&self) -> Result<(), KeyError> {
        if matches!(self.source, Source::Development) {
            return Ok(());
        }
        self.keys.store(Arc::new(self.source.read().await?));
        self.changed.send_replace(());
        Ok(())
    }

    /// Waits until a token has named a key that is not known: it may be a new one. That happens no more often than every few
    /// seconds, whatever tokens are shown. Once the keys were read anew, [`Authenticator::key_was_looked_for`] says so.
    pub async fn key_is_wanted(&self) {
        self.wanted.wanted().await;
    }

    /// Lets those go on who wait for a key.
    pub fn key_was_looked_for(&self) {
        self.wanted.done();
    }

    /// Whether a token, if there is one, names a key that is not known.
    #[must_use]
    pub fn lacks_key_of(&self, authorization: Option<&str>) -> bool {
        let named = authorization.and_then(|header| bearer(header).ok()).and_then(|token| named_key(token).ok());
        let changes = !matches!(self.source, Source::Development);
        changes && named.is_some_and(|(kid, _)| !self.keys.load().contains_key(&kid))
    }

    /// Has the keys read anew, unless they were a moment ago, and waits for it a little.
    pub async fn look_for_key(&self) {
        self.wanted.want(self.clock.now());
        self.wanted.over().await;
    }

    /// From now on refuses what was issued to these people up to these seconds, and tells those who are known by such a token.
    pub fn withdraw(&self, withdrawn: Revocations) {
        self.withdrawn.store(Arc::new(withdrawn));
        self.changed.send_replace(());
    }

    /// Waits until a caller is no longer known: the token ends, it is withdrawn, or the key that has signed it is.
    pub fn end_of(self: &Arc<Self>, known: &Authenticated) -> Sleep {
        let Some(token) = known.token.clone() else { return Box::pin(std::future::pending()) };
        let (auth, mut changed) = (Arc::clone(self), self.changed.subscribe());
        let ended = self.clock.sleep_until(token.expires_at);
        let withdrawn = async move {
            while auth.holds(&token) {
                if changed.changed().await.is_err() {
                    return std::future::pending().await;
                }
            }
        };
        Box::pin(async move {
            tokio::select! {
                () = ended => {}
                () = withdrawn => {}
            }
        })
    }

    /// Whether a token that was good still is, apart from its end.
    fn holds(&self, token: &Token) -> bool {
        self.keys.load().get(&token.kid).is_some_and(|key| key.print == token.print) && !self.is_withdrawn(token)
    }

    fn is_withdrawn(&self, token: &Token) -> bool {
        let withdrawn = self.withdrawn.load();
        // Both count whole seconds: a token says no more. One that does not say when it was issued may be older.
        let reached =
            |moment: &DateTime<Utc>| token.issued_at.is_none_or(|issued| issued.timestamp() <= moment.timestamp());
        withdrawn.get(&token.subject).is_some_and(reached)
    }

    /// Who is asking, by the `Authorization` header; anonymous where there is none.
    ///
    /// # Errors
    /// When there is a token that is not accepted.
    pub fn authenticate(&self, authorization: Option<&str>) -> Result<Authenticated, AuthRefused> {
        let Some(header) = authorization else {
            return Ok(Authenticated { viewer: Viewer::Anonymous, token: None });
        };
        let token = bearer(header)?;
        let (kid, algorithm) = named_key(token)?;
        let keys = self.keys.load();
        let Some(key) = keys.get(&kid) else {
            // Whoever cannot wait for it finds it here when they come back.
            self.wanted.want(self.clock.now());
            return Err(AuthRefused::UnknownKey);
        };
        if algorithm != key.algorithm {
            return Err(AuthRefused::WrongAlgorithm);
        }
        let claims = self.seen.claims(token, key.print, || verify(token, key))?;
        let (now, expires_at) = (self.clock.now(), moment(claims.exp)?);
        if claims.iss != self.issuer {
            return Err(AuthRefused::WrongIssuer);
        }
        if !claims.aud.names(&self.audience) {
            return Err(AuthRefused::WrongAudience);
        }
        if now >= expires_at {
            return Err(AuthRefused::Expired);
        }
        if claims.nbf.map(moment).transpose()?.is_some_and(|begins| now + LEEWAY < begins) {
            return Err(AuthRefused::NotYet);
        }
        let issued_at = claims.iat.map(moment).transpose()?;
        if issued_at.is_some_and(|issued| now + LEEWAY < issued) {
            return Err(AuthRefused::NotYet);
        }
        let person = claims.person()?;
        let token = Token { kid, print: key.print, subject: person.subject.clone(), issued_at, expires_at };
        if self.is_withdrawn(&token) {
            return Err(AuthRefused::Withdrawn);
        }
        Ok(Authenticated { viewer: Viewer::Person(person), token: Some(token) })
    }
}

/// The token of an `Authorization` header.
fn bearer(header: &str) -> Result<&str, AuthRefused> {
    let (scheme, token) = header.trim().split_once(' ').ok_or(AuthRefused::Malformed)?;
    if !scheme.eq_ignore_ascii_case("bearer") || token.len() > LONGEST_TOKEN {
        return Err(AuthRefused::Malformed);
    }
    Ok(token.trim())
}

/// Which key a token names, and with which algorithm. Keys that it brings along, or says where to find, are not looked at.
fn named_key(token: &str) -> Result<(String, Algorithm), AuthRefused> {
    // Headers that must be understood are understood nowhere here (RFC 7515, crit).
    let raw = token
        .split('.')
        .next()
        .and_then(|part| base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, part).ok());
    let raw: serde_json::Value =
        raw.and_then(|bytes| serde_json::from_slice(&bytes).ok()).ok_or(AuthRefused::Malformed)?;
    if raw.get("crit").is_some() {
        return Err(AuthRefused::Malformed);
    }
    let header = decode_header(token).map_err(|_| AuthRefused::Malformed)?;
    Ok((header.kid.ok_or(AuthRefused::UnknownKey)?, header.alg))
}

fn verify(token: &str, key: &Key) -> Result<Claims, AuthRefused> {
    let mut validation = Validation::new(key.algorithm);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    // Judged by the injected clock, after the signature.
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    let decoded = decode::<Claims>(token, &key.key, &validation).map_err(|error| match error.kind() {
        ErrorKind::InvalidSignature => AuthRefused::BadSignature,
        ErrorKind::MissingRequiredClaim(_) | ErrorKind::Json(_) => AuthRefused::BadClaim,
        ErrorKind::InvalidAlgorithm => AuthRefused::WrongAlgorithm,
        _ => AuthRefused::Malformed,
    })?;
    Ok(decoded.claims)
}

fn moment(seconds: i64) -> Result<DateTime<Utc>, AuthRefused> {
    DateTime::from_timestamp(seconds, 0).ok_or(AuthRefused::BadClaim)
}
