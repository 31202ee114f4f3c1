//! The development key: only with the embedded database on a loopback address, and never beside a JWKS.

use std::{
    fs::OpenOptions,
    io::{Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use entities::kato::KatoCode;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, encode};

use crate::{
    auth::{
        claims::{Audience, Claims, broadcast_text, role_name},
        keys::{Key, KeyError, Keys, Print},
    },
    config::Settings,
    domain::viewer::{ImportGrant, Role},
};

const KID: &str = "dev";
const FILE: &str = "dev.key";
/// The longest that a development token lasts.
const LONGEST: TimeDelta = TimeDelta::days(366);

/// Why no token was made.
#[derive(Debug, thiserror::Error)]
pub enum MintError {
    /// Tokens are signed elsewhere.
    #[error("KEZDESU_JWKS is set: tokens come from whoever holds its keys")]
    NotOurs,
    /// The development key cannot be had.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The token cannot be signed.
    #[error("the token cannot be signed")]
    Sign(#[from] jsonwebtoken::errors::Error),
}

/// A token to be made.
#[derive(Clone, Debug)]
pub struct TokenRequest {
    /// Who.
    pub subject: String,
    /// The name shown.
    pub name: String,
    /// What they may be.
    pub roles: Vec<Role>,
    /// Authority over this unit's subtree.
    pub region: Option<KatoCode>,
    /// The agency they speak for.
    pub agency: Option<String>,
    /// What a connector may import.
    pub imports: ImportGrant,
    /// How long it lasts.
    pub ttl: TimeDelta,
}

/// Makes a token with the development key.
///
/// # Errors
/// When tokens are signed elsewhere, or the key cannot be had.
pub fn mint(settings: &Settings, request: &TokenRequest, now: DateTime<Utc>) -> Result<String, MintError> {
    if settings.jwks.is_some() {
        return Err(MintError::NotOurs);
    }
    let claims = Claims {
        iss: settings.jwt_issuer.clone(),
        aud: Audience::One(settings.jwt_audience.clone()),
        sub: request.subject.clone(),
        exp: (now + request.ttl.min(LONGEST)).timestamp(),
        nbf: None,
        iat: Some(now.timestamp()),
        name: Some(request.name.clone()),
        roles: request.roles.iter().map(|role| role_name(*role).to_owned()).collect(),
        region: request.region.map(|code| code.to_string()),
        agency: request.agency.clone(),
        platform: request.imports.platform.map(|platform| platform.as_str().into()),
        broadcast: request.imports.broadcast.and_then(broadcast_text).map(Into::into),
    };
    let header = Header { kid: Some(KID.to_owned()), ..Header::new(Algorithm::HS256) };
    let secret = secret(&settings.data_dir)?;
    Ok(encode(&header, &claims, &EncodingKey::from_secret(&secret))?)
}

/// The development key as the only key.
pub(in crate::auth) fn keys(settings: &Settings) -> Result<Keys, KeyError> {
    let key = DecodingKey::from_secret(&secret(&settings.data_dir)?);
    Ok(Keys::from([(KID.to_owned(), Key { algorithm: Algorithm::HS256, key, print: Print::default() })]))
}

/// Reads the secret, or makes it: two processes that start at once end up with the same.
fn secret(dir: &Path) -> Result<Vec<u8>, KeyError> {
    std::fs::create_dir_all(dir).map_err(KeyError::Development)?;
    let path = dir.join(FILE);
    if !path.exists() {
        let mut bytes = [0_u8; 32];
        getrandom::fill(&mut bytes).map_err(|error| KeyError::Development(std::io::Error::other(error)))?;
        // Written whole under another name, so that nobody reads half of it; the first link wins.
        let draft = dir.join(format!("{FILE}.{}", std::process::id()));
        let written = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft);
        written
            .and_then(|mut file| file.write_all(STANDARD_NO_PAD.encode(bytes).as_bytes()))
            .map_err(KeyError::Development)?;
        // Lost against another process: its secret is ours.
        let _ = std::fs::hard_link(&draft, &path);
        let _ = std::fs::remove_file(&draft);
    }
    let mut text = String::new();
    std::fs::File::open(&path).and_then(|mut file| file.read_to_string(&mut text)).map_err(KeyError::Development)?;
    let bytes = STANDARD_NO_PAD.decode(text.trim()).ok().filter(|bytes| bytes.len() >= 32);
    bytes.ok_or_else(|| KeyError::Development(std::io::Error::from(std::io::ErrorKind::InvalidData)))
}

/// Reads a span such as `8h`, `30m`, `90s` or `2d`.
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
    span.filter(|span| *span <= LONGEST)
}
