//! The JSON Web Key Set that verifies tokens. Each key is pinned to one algorithm.

use std::collections::HashMap;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm, KeyOperations, PublicKeyUse},
};
use sha2::{Digest, Sha256};

/// Minimum size of RSA keys (RFC 7518, section 3.3).
const MIN_RSA_BITS: usize = 2048;

/// Why the keys are not available.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read.
    #[error("KEZDESU_JWKS: the file cannot be read")]
    File(#[source] std::io::Error),
    /// The URL is not HTTPS, which production requires.
    #[error("KEZDESU_JWKS: in production the address must begin with https://")]
    Plain,
    /// Fetching the URL failed.
    #[error("KEZDESU_JWKS: the address does not answer with keys")]
    Fetch(#[source] reqwest::Error),
    /// The response exceeds the size limit.
    #[error("KEZDESU_JWKS: the address answers with more than a set of keys can be")]
    TooLarge,
    /// The content is not a JWKS.
    #[error("KEZDESU_JWKS: this is not a set of keys")]
    Format(#[source] serde_json::Error),
    /// The set contains no usable key.
    #[error("KEZDESU_JWKS: no key with a kid and an algorithm that is allowed")]
    None,
    /// The only keys are RSA keys that are too small.
    #[error("KEZDESU_JWKS: an RSA key must have 2,048 bits or more, and there is no other key that can be used")]
    Weak,
    /// The development key cannot be created or read.
    #[error("KEZDESU_DATA_DIR: the development key cannot be kept there")]
    Development(#[source] std::io::Error),
}

/// A key, pinned to one algorithm.
#[derive(Clone)]
pub(in crate::auth) struct VerificationKey {
    pub(in crate::auth) algorithm: Algorithm,
    pub(in crate::auth) key: DecodingKey,
    /// Distinguishes it from a later key with the same `kid`.
    pub(in crate::auth) fingerprint: Fingerprint,
}

/// The digest of a key and its algorithm.
pub(in crate::auth) type Fingerprint = [u8; 32];

/// Keys by `kid`.
pub(in crate::auth) type Keys = HashMap<String, VerificationKey>;

/// Parses a JWKS. Unusable keys are skipped, symmetric ones always.
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

fn usable(jwk: &Jwk) -> Option<(String, VerificationKey)> {
    let signs = jwk.common.public_key_use.as_ref().is_none_or(|purpose| *purpose == PublicKeyUse::Signature);
    let verifies = jwk.common.key_operations.as_ref().is_none_or(|all| all.contains(&KeyOperations::Verify));
    if !signs || !verifies || is_weak(jwk) {
        return None;
    }
    let algorithm = algorithm(jwk)?;
    let key = DecodingKey::from_jwk(jwk).ok()?;
    let fingerprint = Sha256::digest(format!("{algorithm:?} {:?}", jwk.algorithm)).into();
    Some((jwk.common.key_id.clone()?, VerificationKey { algorithm, key, fingerprint }))
}

fn is_weak(jwk: &Jwk) -> bool {
    let AlgorithmParameters::RSA(parameters) = &jwk.algorithm else { return false };
    // An unreadable modulus is rejected by the decoder.
    let Ok(modulus) = URL_SAFE_NO_PAD.decode(&parameters.n) else { return false };
    let mut bytes = modulus.iter().skip_while(|byte| **byte == 0);
    let first = bytes.next().map_or(0, |first| 8 - usize::try_from(first.leading_zeros()).unwrap_or_default());
    first + 8 * bytes.count() < MIN_RSA_BITS
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
        // Without `alg`, the key uses the default algorithm of its family.
        None => family.first().map(|(_, algorithm)| *algorithm),
        Some(named) => family.iter().find(|(name, _)| name == named).map(|(_, algorithm)| *algorithm),
    }
}
