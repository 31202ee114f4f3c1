//! Tests of token verification: what must be rejected.

mod algorithms;
mod grants;
mod jwks;

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use entities::enums::Platform;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::{fuzzing::PRIVATE, *};
use crate::{
    clock::ManualClock,
    config::{Settings, load},
    domain::viewer::{Grant, ImportRestriction, Role},
};

/// The public id of some broadcast.
const BROADCAST: &str = "brd_01kjpb7wg0emv82ffvza2qv962";
const PUBLIC: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

struct AuthFixture {
    clock: Arc<ManualClock>,
    auth: Arc<Authenticator>,
    dir: tempfile::TempDir,
}

fn noon() -> DateTime<Utc> {
    "2026-03-02T12:00:00Z".parse().unwrap()
}

fn jwks(kid: &str) -> String {
    json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "x": PUBLIC, "kid": kid, "use": "sig", "alg": "EdDSA" },
                     { "kty": "oct", "k": "c2VjcmV0", "kid": "shared", "alg": "HS256" }] })
    .to_string()
}

async fn fixture() -> AuthFixture {
    fixture_with(&jwks("one")).await
}

async fn fixture_with(keys: &str) -> AuthFixture {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("jwks.json");
    std::fs::write(&path, keys).unwrap();
    let clock = ManualClock::at(noon());
    let settings = settings(&[
        ("KEZDESU_JWKS", path.to_str().unwrap()),
        ("KEZDESU_JWT_ISSUER", "https://id.example"),
        ("KEZDESU_JWT_AUDIENCE", "kezdesu"),
    ]);
    let time: Arc<dyn crate::clock::Clock> = clock.clone();
    let auth = Authenticator::start(&settings, time).await.unwrap();
    AuthFixture { clock, auth, dir }
}

fn settings(pairs: &[(&str, &str)]) -> Settings {
    load(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))).unwrap()
}

fn claims() -> Value {
    json!({ "iss": "https://id.example", "aud": "kezdesu", "sub": "ana", "name": "Ana",
            "exp": (noon() + TimeDelta::hours(1)).timestamp(), "roles": ["CITIZEN", "KING"], "region": "103200000" })
}

fn sign(header: &Header, claims: &Value) -> String {
    format!("Bearer {}", encode(header, claims, &EncodingKey::from_ed_pem(PRIVATE.as_bytes()).unwrap()).unwrap())
}

fn header() -> Header {
    Header { kid: Some("one".to_owned()), ..Header::new(Algorithm::EdDSA) }
}

fn with(field: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[field] = value;
    claims
}

fn without(field: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(field);
    claims
}

fn grant(role: Role, region: Option<&str>, agency: Option<&str>) -> Grant {
    Grant { role, region: region.map(|code| code.parse().unwrap()), agency: agency.map(str::to_owned) }
}

/// A hand-made token with a forged signature.
fn forged(header: &Value, claims: &Value, signature: &str) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("Bearer {}.{}.{signature}", part(header), part(claims))
}

#[tokio::test]
async fn authenticates_a_valid_token() {
    let fixture = fixture().await;
    let known = fixture.auth.authenticate(Some(&sign(&header(), &claims()))).unwrap();
    let person = known.viewer.person().unwrap();
    assert_eq!((person.subject.as_str(), person.name.as_str()), ("ana", "Ana"));
    assert_eq!(person.grants, [grant(Role::Citizen, Some("103200000"), None)], "unknown roles are ignored");
    assert_eq!(fixture.auth.authenticate(None).unwrap().token, None);
    let several = sign(&header(), &with("aud", json!(["other", "kezdesu"])));
    assert!(fixture.auth.authenticate(Some(&several)).is_ok());
}

#[tokio::test]
async fn rejects_a_token_by_what_is_wrong_with_it() {
    let fixture = fixture().await;
    let rejection = |token: &str| fixture.auth.authenticate(Some(token)).unwrap_err();
    let none = json!({ "alg": "none", "kid": "one" });
    assert_eq!(rejection(&forged(&none, &claims(), "")), AuthError::Malformed);
    let confused = Header { kid: Some("one".to_owned()), ..Header::new(Algorithm::HS256) };
    let confused = encode(&confused, &claims(), &EncodingKey::from_secret(PUBLIC.as_bytes())).unwrap();
    assert_eq!(rejection(&format!("Bearer {confused}")), AuthError::WrongAlgorithm);
    let shared = Header { kid: Some("shared".to_owned()), ..Header::new(Algorithm::HS256) };
    let shared = encode(&shared, &claims(), &EncodingKey::from_secret(b"secret")).unwrap();
    assert_eq!(rejection(&format!("Bearer {shared}")), AuthError::UnknownKey, "symmetric keys of a JWKS are skipped");
    for kid in [None, Some("two"), Some("../../one"), Some("")] {
        let header = Header { kid: kid.map(str::to_owned), ..Header::new(Algorithm::EdDSA) };
        assert_eq!(rejection(&sign(&header, &claims())), AuthError::UnknownKey, "{kid:?}");
    }
    let crit = json!({ "alg": "EdDSA", "kid": "one", "crit": ["exp"] });
    assert_eq!(rejection(&forged(&crit, &claims(), "AAAA")), AuthError::Malformed);
    let plain = json!({ "alg": "EdDSA", "kid": "one" });
    assert_eq!(rejection(&forged(&plain, &claims(), "")), AuthError::BadSignature);
    let mut moved = sign(&header(), &claims());
    moved.replace_range(moved.len() - 8.., "AAAAAAAA");
    assert_eq!(rejection(&moved), AuthError::BadSignature);
    for field in ["exp", "iss", "aud", "sub"] {
        assert_eq!(rejection(&sign(&header(), &without(field))), AuthError::BadClaim, "{field}");
    }
    assert_eq!(rejection(&sign(&header(), &with("iss", json!("https://evil.example")))), AuthError::WrongIssuer);
    assert_eq!(rejection(&sign(&header(), &with("aud", json!("other")))), AuthError::WrongAudience);
    assert_eq!(rejection(&sign(&header(), &with("region", json!("10320")))), AuthError::BadClaim);
    assert_eq!(rejection(&sign(&header(), &with("sub", json!("")))), AuthError::BadClaim);
    let soon = (noon() + TimeDelta::minutes(1)).timestamp();
    assert_eq!(rejection(&sign(&header(), &with("nbf", json!(soon)))), AuthError::NotYetValid);
    for text in ["", "Bearer", "Basic YTpi", "Bearer a.b", "Bearer a.b.c", "Bearer  "] {
        assert_eq!(rejection(text), AuthError::Malformed, "{text:?}");
    }
    assert_eq!(rejection(&format!("Bearer {}", "a".repeat(9000))), AuthError::Malformed);
}

#[tokio::test]
async fn a_token_expires_on_the_second_by_the_injected_clock() {
    let fixture = fixture().await;
    let token = sign(&header(), &claims());
    fixture.clock.advance(TimeDelta::hours(1) - TimeDelta::milliseconds(1));
    assert!(fixture.auth.authenticate(Some(&token)).is_ok());
    fixture.clock.advance(TimeDelta::milliseconds(1));
    assert_eq!(fixture.auth.authenticate(Some(&token)).unwrap_err(), AuthError::Expired);
}

#[tokio::test]
async fn a_cached_token_is_checked_again() {
    let fixture = fixture().await;
    let token = sign(&header(), &claims());
    for _ in 0..2 {
        assert!(fixture.auth.authenticate(Some(&token)).is_ok());
    }
    let forged = format!("{}{}", &token[..token.len() - 2], if token.ends_with("AA") { "BA" } else { "AA" });
    for _ in 0..2 {
        assert_eq!(fixture.auth.authenticate(Some(&forged)).unwrap_err(), AuthError::BadSignature, "each time");
    }
    let subject = claims()["sub"].as_str().unwrap().to_owned();
    fixture.auth.set_revocations([(subject, noon() + TimeDelta::hours(1))].into());
    assert_eq!(fixture.auth.authenticate(Some(&token)).unwrap_err(), AuthError::Revoked);
}

#[tokio::test]
async fn rejects_a_future_token_beyond_the_leeway() {
    let fixture = fixture().await;
    let issued = |at: DateTime<Utc>| sign(&header(), &with("iat", json!(at.timestamp())));
    assert!(fixture.auth.authenticate(Some(&issued(noon() + LEEWAY))).is_ok());
    let ahead = issued(noon() + LEEWAY + TimeDelta::seconds(1));
    assert_eq!(fixture.auth.authenticate(Some(&ahead)).unwrap_err(), AuthError::NotYetValid);
    fixture.clock.advance(TimeDelta::seconds(1));
    assert!(fixture.auth.authenticate(Some(&ahead)).is_ok());
}

#[tokio::test]
async fn a_revocation_covers_whole_seconds_of_issue() {
    let fixture = fixture().await;
    let moment = noon() + TimeDelta::milliseconds(900);
    fixture.auth.set_revocations([("ana".to_owned(), moment)].into());
    fixture.clock.advance(TimeDelta::seconds(2));
    let issued = |seconds| sign(&header(), &with("iat", json!((noon() + TimeDelta::seconds(seconds)).timestamp())));
    let is_accepted = |token: String| match fixture.auth.authenticate(Some(&token)) {
        Ok(_) => true,
        Err(error) => {
            assert_eq!(error, AuthError::Revoked);
            false
        }
    };
    assert!(!is_accepted(issued(-1)));
    assert!(!is_accepted(issued(0)), "the same second counts as covered");
    assert!(is_accepted(issued(1)));
    assert!(!is_accepted(sign(&header(), &without("iat"))), "and so does a token without iat");
    fixture.auth.set_revocations([("ana".to_owned(), noon())].into());
    assert!(!is_accepted(issued(0)));
}

#[tokio::test]
async fn creates_the_development_key_once_and_only_without_a_jwks() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(&[("KEZDESU_DATA_DIR", dir.path().to_str().unwrap())]);
    let request = TokenRequest {
        subject: "ana".to_owned(),
        name: "Ana".to_owned(),
        grants: vec![grant(Role::Moderator, Some("103200000"), None), grant(Role::Connector, None, Some("media"))],
        imports: ImportRestriction { platform: Some(Platform::Vk), broadcast: parse_broadcast_id(BROADCAST) },
        ttl: parse_ttl("8h").unwrap(),
    };
    let token = format!("Bearer {}", mint(&settings, &request, noon()).unwrap());
    let clock = ManualClock::at(noon());
    let auth = Authenticator::start(&settings, clock).await.unwrap();
    let known = auth.authenticate(Some(&token)).unwrap();
    let person = known.viewer.person().unwrap();
    assert_eq!(person.grants, request.grants);
    assert_eq!((person.imports, person.imports.broadcast.is_some()), (request.imports, true));
    assert_eq!(known.token.unwrap().expires_at, noon() + TimeDelta::hours(8));
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(dir.path().join("dev.key")).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let elsewhere = Settings { jwks: Some("keys.json".to_owned()), ..settings };
    assert!(matches!(mint(&elsewhere, &request, noon()), Err(MintError::NotOurs)));
    assert_eq!(parse_ttl("90s"), Some(TimeDelta::seconds(90)));
    for text in ["", "8", "h", "-1h", "0m", "8w", "999999999999d"] {
        assert_eq!(parse_ttl(text), None, "{text}");
    }
}
