//! Tokens signed like those of an identity provider.

use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

/// An Ed25519 key pair made for tests (RFC 8032, test 1).
const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
-----END PRIVATE KEY-----
";
const PUBLIC: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

/// The identity provider of a test environment.
#[derive(Clone, Debug, Default)]
pub struct Tokens;

impl Tokens {
    /// The issuer.
    pub const ISSUER: &str = "https://id.example";
    /// The audience.
    pub const AUDIENCE: &str = "kezdesu";

    /// Writes the JWKS file that the service reads.
    pub fn publish(&self, path: &Path) {
        let key = json!({ "kty": "OKP", "crv": "Ed25519", "x": PUBLIC, "kid": "test", "use": "sig", "alg": "EdDSA" });
        std::fs::write(path, json!({ "keys": [key] }).to_string()).expect("the keys are written");
    }

    /// Signs claims.
    #[must_use]
    pub fn sign(&self, claims: &Value) -> String {
        let header = Header { kid: Some("test".to_owned()), ..Header::new(Algorithm::EdDSA) };
        let key = EncodingKey::from_ed_pem(PRIVATE.as_bytes()).expect("a valid key");
        encode(&header, claims, &key).expect("the token is signed")
    }
}

/// Returns the claims of a token that is valid for ten years.
#[must_use]
pub fn token_claims(subject: &str, name: &str, roles: &[&str], region: Option<&str>, now: DateTime<Utc>) -> Value {
    let mut claims = json!({
        "iss": Tokens::ISSUER, "aud": Tokens::AUDIENCE, "sub": subject, "name": name, "roles": roles,
        "iat": now.timestamp(), "exp": (now + TimeDelta::days(3650)).timestamp(),
    });
    if let Some(region) = region {
        claims["region"] = json!(region);
    }
    claims
}
