//! The development key. Available only with the embedded database on a loopback address, and never with a
//! JWKS.

use std::path::Path;

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, encode};

use crate::{
    auth::{
        claim_values::format_broadcast_id,
        claims::{AudienceClaim, Claims},
        grants::GrantsClaim,
        jwks::{Fingerprint, KeyError, Keys, VerificationKey},
    },
    config::Settings,
    domain::viewer::{Grant, ImportRestriction},
    secret_file::{random_bytes, read_or_create},
};

const KID: &str = "dev";
const FILE: &str = "dev.key";
/// Maximum lifetime of a development token.
const MAX_TTL: TimeDelta = TimeDelta::days(366);

/// Why a token cannot be minted.
#[derive(Debug, thiserror::Error)]
pub enum MintError {
    /// `KEZDESU_JWKS` is set, so tokens are signed elsewhere.
    #[error("KEZDESU_JWKS is set: tokens come from whoever holds its keys")]
    NotOurs,
    /// The development key cannot be read or created.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Signing failed.
    #[error("the token cannot be signed")]
    Sign(#[from] jsonwebtoken::errors::Error),
}

/// A token to mint.
#[derive(Clone, Debug)]
pub struct TokenRequest {
    /// The subject.
    pub subject: String,
    /// The display name.
    pub name: String,
    /// The roles, each with its scope.
    pub grants: Vec<Grant>,
    /// What a connector may import.
    pub imports: ImportRestriction,
    /// The lifetime.
    pub ttl: TimeDelta,
}

/// Mints a token with the development key.
///
/// # Errors
/// When tokens are signed elsewhere, or the key is not available.
pub fn mint(settings: &Settings, request: &TokenRequest, now: DateTime<Utc>) -> Result<String, MintError> {
    if settings.jwks.is_some() {
        return Err(MintError::NotOurs);
    }
    let claims = Claims {
        iss: settings.jwt_issuer.clone(),
        aud: AudienceClaim::One(settings.jwt_audience.clone()),
        sub: request.subject.clone(),
        exp: (now + request.ttl.min(MAX_TTL)).timestamp(),
        nbf: None,
        iat: Some(now.timestamp()),
        name: Some(request.name.clone()),
        roles: Vec::new(),
        region: None,
        agency: None,
        grants: GrantsClaim(request.grants.clone()),
        platform: request.imports.platform.map(|platform| platform.as_str().into()),
        broadcast: request.imports.broadcast.and_then(format_broadcast_id).map(Into::into),
    };
    let header = Header { kid: Some(KID.to_owned()), ..Header::new(Algorithm::HS256) };
    let secret = secret(&settings.data_dir)?;
    Ok(encode(&header, &claims, &EncodingKey::from_secret(&secret))?)
}

/// Returns the development key as a key set.
pub(in crate::auth) fn keys(settings: &Settings) -> Result<Keys, KeyError> {
    let key = DecodingKey::from_secret(&secret(&settings.data_dir)?);
    Ok(Keys::from([(
        KID.to_owned(),
        VerificationKey { algorithm: Algorithm::HS256, key, fingerprint: Fingerprint::default() },
    )]))
}

/// Reads the secret, or creates it. Processes that start at the same time end up with the same one.
fn secret(dir: &Path) -> Result<Vec<u8>, KeyError> {
    let text = read_or_create(dir, FILE, || Ok(STANDARD_NO_PAD.encode(random_bytes::<32>()?)));
    let text = text.map_err(KeyError::Development)?;
    let bytes = STANDARD_NO_PAD.decode(text.trim()).ok().filter(|bytes| bytes.len() >= 32);
    bytes.ok_or_else(|| KeyError::Development(std::io::Error::from(std::io::ErrorKind::InvalidData)))
}

/// Parses a lifetime such as `8h`, `30m`, `90s` or `2d`.
#[must_use]
pub fn parse_ttl(text: &str) -> Option<TimeDelta> {
    let unit = text.chars().last()?;
    let count: i64 = text.strip_suffix(unit)?.parse().ok().filter(|count| *count > 0)?;
    let span = match unit {
        's' => TimeDelta::try_seconds(count),
        'm' => TimeDelta::try_minutes(count),
        'h' => TimeDelta::try_hours(count),
        'd' => TimeDelta::try_days(count),
        _ => None,
    };
    span.filter(|span| *span <= MAX_TTL)
}
