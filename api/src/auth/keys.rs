//! The keys that sign tokens, each pinned to one algorithm.

use std::collections::HashMap;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm, KeyOperations, PublicKeyUse},
};
use sha2::{Digest, Sha256};

/// RSA keys of fewer bits are within reach of those who can pay for it (RFC 7518, 3.3).
const FEWEST_RSA_BITS: usize = 2048;

/// Why keys cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read.
    #[error("KEZDESU_JWKS: the file cannot be read")]
    File(#[source] std::io::Error),
    /// The address is one that anybody on the way could answer for.
    #[error("KEZDESU_JWKS: in production the address must begin with https://")]
    Plain,
    /// The address does not answer.
    #[error("KEZDESU_JWKS: the address does not answer with keys")]
    Fetch(#[source] reqwest::Error),
    /// The answer does not end where a set of keys would.
    #[error("KEZDESU_JWKS: the address answers with more than a set of keys can be")]
    TooLarge,
    /// What is there is no JWKS.
    #[error("KEZDESU_JWKS: this is not a set of keys")]
    Format(#[source] serde_json::Error),
    /// There is no key that can be used.
    #[error("KEZDESU_JWKS: no key with a kid and an algorithm that is allowed")]
    None,
    /// The only keys are ones that can be broken.
    #[error("KEZDESU_JWKS: an RSA key must have 2,048 bits or more, and there is no other key that can be used")]
    Weak,
    /// The development key cannot be made or read.
    #[error("KEZDESU_DATA_DIR: the development key cannot be kept there")]
    Development(#[source] std::io::Error),
}

/// A key with the one algorithm it may be used with.
#[derive(Clone)]
pub(in crate::auth) struct Key {
    pub(in crate::auth) algorithm: Algorithm,
    pub(in crate::auth) key: DecodingKey,
    /// Tells it from another that is later given the same name.
    pub(in crate::auth) print: Print,
}

/// What tells keys apart.
pub(in crate::auth) type Print = [u8; 32];

/// Keys by their `kid`.
pub(in crate::auth) type Keys = HashMap<String, Key>;

/// Reads a JWKS. Keys that cannot be used here are left out; symmetric ones always.
pub(in crate::auth) fn parse(text: &[u8]) -> Result<Keys, KeyError> {
    let set: JwkSet = serde_json::from_slice(text).map_err(KeyError::Format)?;
    let weak = set.keys.iter().filter(|jwk| is_weak(jwk));
    let weak = weak.inspect(|jwk| {
        let kid = jwk.common.key_id.as_deref();
        tracing::warn!(kid, "KEZDESU_JWKS: a key is not used: an RSA key must have 2,048 bits or more");
    });
    let weak = weak.count() > 0;
    let keys: Keys = set.keys.iter().filter_map(usable).collect();
    match keys.is_empty() {
        true if weak => Err(KeyError::Weak),
        true => Err(KeyError::None),
        false => Ok(keys),
    }
}

fn usable(jwk: &Jwk) -> Option<(String, Key)> {
    let signs = jwk.common.public_key_use.as_ref().is_none_or(|purpose| *purpose == PublicKeyUse::Signature);
    let verifies = jwk.common.key_operations.as_ref().is_none_or(|all| all.contains(&KeyOperations::Verify));
    if !signs || !verifies || is_weak(jwk) {
        return None;
    }
    let algorithm = algorithm(jwk)?;
    let key = DecodingKey::from_jwk(jwk).ok()?;
    let print = Sha256::digest(format!("{algorithm:?} {:?}", jwk.algorithm)).into();
    Some((jwk.common.key_id.clone()?, Key { algorithm, key, print }))
}

fn is_weak(jwk: &Jwk) -> bool {
    let AlgorithmParameters::RSA(parameters) = &jwk.algorithm else { return false };
    // One that cannot be read is left out elsewhere.
    let Ok(modulus) = URL_SAFE_NO_PAD.decode(&parameters.n) else { return false };
    let mut bytes = modulus.iter().skip_while(|byte| **byte == 0);
    let first = bytes.next().map_or(0, |first| 8 - usize::try_from(first.leading_zeros()).unwrap_or_default());
    first + 8 * bytes.count() < FEWEST_RSA_BITS
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
