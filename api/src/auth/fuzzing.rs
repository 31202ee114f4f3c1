//! Properties of authentication that hold for any `Authorization` header.
#![expect(
    clippy::indexing_slicing,
    reason = "of JSON: what is missing reads as null, and is not equal to what must be there"
)]

use std::{
    collections::HashSet,
    sync::{Arc, LazyLock},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, EncodingKey, crypto::sign};
use serde_json::Value;

use crate::{
    auth::{Authenticated, Authenticator},
    clock::ManualClock,
    config::load,
    domain::viewer::Grant,
};

/// The private key of a test pair (Ed25519; RFC 8032, test 1).
pub(in crate::auth) const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
-----END PRIVATE KEY-----
";

/// The public keys: the pair's as `one`, and others without a known private key.
const JWKS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/jwks.json");
const ISSUER: &str = "https://id.example";
const AUDIENCE: &str = "kezdesu";
/// Noon of 2 March 2026.
const NOW: i64 = 1_772_452_800;

struct FuzzFixture {
    auth: Arc<Authenticator>,
    signer: EncodingKey,
}

static FIXTURE: LazyLock<Option<FuzzFixture>> = LazyLock::new(fixture);

fn fixture() -> Option<FuzzFixture> {
    let settings = [("KEZDESU_JWKS", JWKS), ("KEZDESU_JWT_ISSUER", ISSUER), ("KEZDESU_JWT_AUDIENCE", AUDIENCE)];
    let settings = load(settings.map(|(name, value)| (name.to_owned(), value.to_owned()))).ok()?;
    let clock = ManualClock::at(DateTime::<Utc>::from_timestamp(NOW, 0)?);
    let runtime = tokio::runtime::Builder::new_current_thread().build().ok()?;
    let auth = runtime.block_on(Authenticator::start(&settings, clock)).ok()?;
    Some(FuzzFixture { auth, signer: EncodingKey::from_ed_pem(PRIVATE.as_bytes()).ok()? })
}

/// Takes the input as the header. If it begins with `{`, its first line is a JWT header and the rest the
/// claims of a token to sign. Returns whether the caller is authenticated.
pub fn token(input: &[u8]) -> bool {
    let text = String::from_utf8_lossy(input);
    assert!(FIXTURE.is_some(), "{JWKS} cannot be used");
    let Some(fixture) = &*FIXTURE else { return false };
    if !text.starts_with('{') {
        return fixture.is_authenticated(&text);
    }
    let (header, claims) = text.split_once('\n').unwrap_or((&text, "{}"));
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    fixture.is_authenticated(&format!("Bearer {message}.{}", fixture.signature(&message)))
}

impl FuzzFixture {
    fn signature(&self, message: &str) -> String {
        sign(message.as_bytes(), &self.signer, Algorithm::EdDSA).unwrap_or_default()
    }

    fn is_authenticated(&self, authorization: &str) -> bool {
        let Ok(authenticated) = self.auth.authenticate(Some(authorization)) else { return false };
        self.check_claims(authorization, &authenticated);
        true
    }

    /// Checks that the token was signed with the key and that the viewer matches its claims.
    fn check_claims(&self, authorization: &str, authenticated: &Authenticated) {
        let token = authorization.trim().split_once(' ').map_or("", |(_, token)| token.trim());
        let (message, signature) = token.rsplit_once('.').unwrap_or_default();
        // Ed25519 signatures are deterministic, so sign again and compare.
        assert_eq!(signature, self.signature(message), "the signature was not made with the key");
        let part = |at| -> Value {
            let text = message.split('.').nth(at).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
            text.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
        };
        let (header, claims) = (part(0), part(1));
        assert_eq!((&header["alg"], &header["kid"]), (&Value::from("EdDSA"), &Value::from("one")));
        assert!(header.get("crit").is_none(), "a header that must be understood was not");
        let for_us = |audience: &Value| audience == AUDIENCE;
        assert!(for_us(&claims["aud"]) || claims["aud"].as_array().is_some_and(|all| all.iter().any(for_us)));
        assert_eq!(claims["iss"], ISSUER);
        assert!(claims["exp"].as_i64().is_some_and(|end| end > NOW), "the token has expired");
        assert!(claims["nbf"].as_i64().is_none_or(|begin| begin <= NOW + 30), "the token is not valid yet");
        let person = authenticated.viewer.person();
        assert!(person.is_some(), "the viewer is anonymous");
        let Some(person) = person else { return };
        assert_eq!(claims["sub"], person.subject);
        assert!(!person.subject.is_empty() && !person.subject.chars().any(char::is_control));
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let listed = |name: &str| claims[name].as_array().into_iter().flatten();
        let [region, agency] = ["region", "agency"].map(|name| text(&claims[name]));
        let of_roles = listed("roles").map(|role| (text(role), region.clone(), agency.clone()));
        let of_grants = listed("grants").map(|own| (text(&own["role"]), text(&own["region"]), text(&own["agency"])));
        let named: HashSet<_> = of_roles.chain(of_grants).collect();
        for Grant { role, region, agency } in &person.grants {
            let grant = (Some(role.as_str().to_owned()), region.map(Into::into), agency.clone());
            assert!(named.contains(&grant), "a grant that the token does not name");
        }
    }
}
