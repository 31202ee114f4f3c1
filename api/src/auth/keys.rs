//! The keys that sign tokens, each pinned to one algorithm.

use std::collections::HashMap;

use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm, PublicKeyUse},
};

/// Why keys cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read.
    #[error("KEZDESU_JWKS: the file cannot be read")]
    File(#[source] std::io::Error),
    /// The address does not answer.
    #[error("KEZDESU_JWKS: the address does not answer with keys")]
    Fetch(#[source] reqwest::Error),
    /// What is there is no JWKS.
    #[error("KEZDESU_JWKS: this is not a set of keys")]
    Format(#[source] serde_json::Error),
    /// There is no key that can be used.
    #[error("KEZDESU_JWKS: no key with a kid and an algorithm that is allowed")]
    None,
    /// The development key cannot be made or read.
    #[error("KEZDESU_DATA_DIR: the development key cannot be kept there")]
    Development(#[source] std::io::Error),
}

/// A key with the one algorithm it may be used with.
#[derive(Clone)]
pub(in crate::auth) struct Key {
    pub(in crate::auth) algorithm: Algorithm,
    pub(in crate::auth) key: DecodingKey,
}

/// Keys by their `kid`.
pub(in crate::auth) type Keys = HashMap<String, Key>;

/// Reads a JWKS. Keys that cannot be used here are left out; symmetric ones always.
pub(in crate::auth) fn parse(text: &[u8]) -> Result<Keys, KeyError> {
    let set: JwkSet = serde_json::from_slice(text).map_err(KeyError::Format)?;
    let keys: Keys = set.keys.iter().filter_map(usable).collect();
    if keys.is_empty() { Err(KeyError::None) } else { Ok(keys) }
}

fn usable(jwk: &Jwk) -> Option<(String, Key)> {
    if jwk.common.public_key_use.as_ref().is_some_and(|purpose| *purpose != PublicKeyUse::Signature) {
        return None;
    }
    let algorithm = algorithm(jwk)?;
    let key = DecodingKey::from_jwk(jwk).ok()?;
    Some((jwk.common.key_id.clone()?, Key { algorithm, key }))
}

fn algorithm(jwk: &Jwk) -> Option<Algorithm> {
    let family = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => vec![
            (KeyAlgorithm::RS256, Algorithm::RS256),
            (KeyAlgorithm::RS384, Algorithm::RS384),
            (KeyAlgorithm::RS512, Algorithm::RS512),
            (KeyAlgorithm::PS256, Algorithm::PS256),
            (KeyAlgorithm::PS384, Algorithm::PS384),
            (KeyAlgorithm::PS512, Algorithm::PS512),
        ],
        AlgorithmParameters::EllipticCurve(curve) if curve.curve == EllipticCurve::P256 => {
            vec![(KeyAlgorithm::ES256, Algorithm::ES256)]
        }
        AlgorithmParameters::EllipticCurve(curve) if curve.curve == EllipticCurve::P384 => {
            vec![(KeyAlgorithm::ES384, Algorithm::ES384)]
        }
        AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => {
            vec![(KeyAlgorithm::EdDSA, Algorithm::EdDSA)]
        }
        _ => return None,
    };
    match &jwk.common.key_algorithm {
        // A key that names none is used as its family is by default.
        None => family.first().map(|(_, algorithm)| *algorithm),
        Some(wished) => family.iter().find(|(name, _)| name == wished).map(|(_, algorithm)| *algorithm),
    }
}
