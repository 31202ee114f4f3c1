//! Who asks, by a token that the identity provider has signed: pinned algorithms, required claims, time by the injected clock.

use std::{collections::HashMap, path::PathBuf, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{
    Algorithm, DecodingKey, Validation, decode, decode_header,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm, PublicKeyUse},
};
use parking_lot::RwLock;
use serde::{Deserialize, de::IgnoredAny};

use crate::{settings::Settings, sources::Clock};

/// How far the provider's clock may be ahead of ours.
const LEEWAY: TimeDelta = TimeDelta::seconds(30);
/// How long a token may be.
const LONGEST_TOKEN: usize = 8192;
/// How long a subject may be.
const LONGEST_SUBJECT: usize = 255;

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Viewer {
    /// No token.
    Anonymous,
    /// Somebody with a token, who is not of the agency's staff.
    Person,
    /// Who may open and move cases, and sees what the staff noted.
    Officer {
        /// The token's `sub`.
        subject: String,
    },
}

/// Why a token is not accepted. Holds nothing of the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthRefused {
    /// The header is not `Bearer` and a token, or the token is not one.
    #[error("the token is malformed")]
    Malformed,
    /// The key that it names is not known.
    #[error("the key is not known")]
    UnknownKey,
    /// Its algorithm is not the key's, its signature does not hold, or a claim that must be there is not.
    #[error("the token does not hold")]
    Invalid,
    /// It is of another issuer or for another audience.
    #[error("the token is not for this service")]
    NotForUs,
    /// It has ended, or has not begun.
    #[error("the token is not of this time")]
    NotNow,
}

/// Why keys cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read.
    #[error("AGENCY_JWKS: the file cannot be read")]
    File(#[source] std::io::Error),
    /// What is there is no JWKS.
    #[error("AGENCY_JWKS: this is not a set of keys")]
    Format(#[source] serde_json::Error),
    /// There is no key that can be used.
    #[error("AGENCY_JWKS: no key with a kid and an algorithm that is allowed")]
    None,
}

/// A key with the one algorithm it may be used with.
struct Key {
    algorithm: Algorithm,
    key: DecodingKey,
}

type Keys = HashMap<String, Key>;

/// Verifies tokens.
pub struct Authenticator {
    path: PathBuf,
    keys: RwLock<Keys>,
    issuer: String,
    audience: String,
    agency: String,
    clock: Arc<dyn Clock>,
}

impl Authenticator {
    /// An authenticator with its keys.
    ///
    /// # Errors
    /// When the keys cannot be had.
    pub fn start(settings: &Settings, clock: Arc<dyn Clock>) -> Result<Arc<Self>, KeyError> {
        Ok(Arc::new(Self {
            path: settings.jwks.clone(),
            keys: RwLock::new(parse(&std::fs::read(&settings.jwks).map_err(KeyError::File)?)?),
            issuer: settings.issuer.clone(),
            audience: settings.audience.clone(),
            agency: settings.code.clone(),
            clock,
        }))
    }

    /// Reads the keys anew, so that they can be rotated without a restart. Where that fails the old ones stay.
    ///
    /// # Errors
    /// When the keys cannot be had.
    pub async fn refresh(&self) -> Result<(), KeyError> {
        let keys = parse(&tokio::fs::read(&self.path).await.map_err(KeyError::File)?)?;
        *self.keys.write() = keys;
        Ok(())
    }

    /// Who asks, by the `Authorization` header; anonymous where there is none.
    ///
    /// # Errors
    /// When there is a token that is not accepted.
    pub fn authenticate(&self, authorization: Option<&str>) -> Result<Viewer, AuthRefused> {
        let Some(header) = authorization else { return Ok(Viewer::Anonymous) };
        let (scheme, token) = header.trim().split_once(' ').ok_or(AuthRefused::Malformed)?;
        if !scheme.eq_ignore_ascii_case("bearer") || token.len() > LONGEST_TOKEN {
            return Err(AuthRefused::Malformed);
        }
        let claims = self.verify(token.trim())?;
        if claims.iss != self.issuer || !claims.aud.names(&self.audience) {
            return Err(AuthRefused::NotForUs);
        }
        let now = self.clock.now();
        let begins = claims.nbf.map(moment).transpose()?;
        if now >= moment(claims.exp)? || begins.is_some_and(|begins| now + LEEWAY < begins) {
            return Err(AuthRefused::NotNow);
        }
        if claims.sub.is_empty() || claims.sub.len() > LONGEST_SUBJECT {
            return Err(AuthRefused::Invalid);
        }
        if claims.grants().any(|(role, agency)| role == "ADMIN" || role == "AGENCY" && agency == Some(&self.agency)) {
            Ok(Viewer::Officer { subject: claims.sub })
        } else {
            Ok(Viewer::Person)
        }
    }

    fn verify(&self, token: &str) -> Result<Claims, AuthRefused> {
        let header = decode_header(token).map_err(|_| AuthRefused::Malformed)?;
        // Whatever must be understood is understood nowhere here (RFC 7515, crit).
        if header.crit.is_some() {
            return Err(AuthRefused::Malformed);
        }
        let keys = self.keys.read();
        let key = header.kid.and_then(|kid| keys.get(&kid)).ok_or(AuthRefused::UnknownKey)?;
        let mut validation = Validation::new(key.algorithm);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // Judged by the injected clock and our own settings, after the signature.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.validate_aud = false;
        decode::<Claims>(token, &key.key, &validation).map(|token| token.claims).map_err(|_| AuthRefused::Invalid)
    }
}

#[derive(Debug, Deserialize)]
struct Claims {
    iss: String,
    aud: Audience,
    sub: String,
    exp: i64,
    nbf: Option<i64>,
    #[serde(default)]
    roles: Vec<String>,
    agency: Option<String>,
    #[serde(default)]
    grants: Vec<Grant>,
}

/// A role, and the agency for which it holds.
#[derive(Debug, Deserialize)]
struct Grant {
    role: String,
    agency: Option<String>,
    /// The members beside these.
    #[serde(flatten)]
    others: HashMap<String, IgnoredAny>,
}

impl Claims {
    /// Returns each role with its agency: those of `roles`, which share one, and those of `grants`.
    ///
    /// The register is not divided by region, so the region of a grant does not matter. A grant with any other member
    /// is left out, because the member may restrict it.
    fn grants(&self) -> impl Iterator<Item = (&str, Option<&String>)> {
        let of_roles = self.roles.iter().map(|role| (role.as_str(), self.agency.as_ref()));
        let known = self.grants.iter().filter(|grant| grant.others.keys().all(|member| member == "region"));
        of_roles.chain(known.map(|grant| (grant.role.as_str(), grant.agency.as_ref())))
    }
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Audience {
    fn names(&self, wished: &str) -> bool {
        match self {
            Self::One(one) => one == wished,
            Self::Several(several) => several.iter().any(|one| one == wished),
        }
    }
}

fn moment(seconds: i64) -> Result<DateTime<Utc>, AuthRefused> {
    DateTime::from_timestamp(seconds, 0).ok_or(AuthRefused::Invalid)
}

/// Reads a JWKS. Keys that cannot be used here are left out; symmetric ones always.
fn parse(text: &[u8]) -> Result<Keys, KeyError> {
    let set: JwkSet = serde_json::from_slice(text).map_err(KeyError::Format)?;
    let keys: Keys = set.keys.iter().filter_map(usable).collect();
    if keys.is_empty() { Err(KeyError::None) } else { Ok(keys) }
}

fn usable(jwk: &Jwk) -> Option<(String, Key)> {
    if jwk.common.public_key_use.as_ref().is_some_and(|purpose| *purpose != PublicKeyUse::Signature) {
        return None;
    }
    let (name, algorithm) = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => (KeyAlgorithm::RS256, Algorithm::RS256),
        AlgorithmParameters::EllipticCurve(curve) if curve.curve == EllipticCurve::P256 => {
            (KeyAlgorithm::ES256, Algorithm::ES256)
        }
        AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => {
            (KeyAlgorithm::EdDSA, Algorithm::EdDSA)
        }
        _ => return None,
    };
    if jwk.common.key_algorithm.as_ref().is_some_and(|wished| *wished != name) {
        return None;
    }
    Some((jwk.common.key_id.clone()?, Key { algorithm, key: DecodingKey::from_jwk(jwk).ok()? }))
}

#[cfg(test)]
mod tests;
