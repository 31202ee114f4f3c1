//! What a token must not get away with.

mod algorithms;
mod sources;

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
    domain::viewer::{ImportGrant, Role},
};

/// The public key that belongs to it.
/// The identity of some broadcast.
const BROADCAST: &str = "brd_01kjpb7wg0emv82ffvza2qv962";
const PUBLIC: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

struct Bench {
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

async fn bench() -> Bench {
    bench_with(&jwks("one")).await
}

async fn bench_with(keys: &str) -> Bench {
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
    Bench { clock, auth, dir }
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

/// A token put together by hand, with a signature that was never made.
fn forged(header: &Value, claims: &Value, signature: &str) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("Bearer {}.{}.{signature}", part(header), part(claims))
}

#[tokio::test]
async fn a_good_token_says_who_asks() {
    let bench = bench().await;
    let known = bench.auth.authenticate(Some(&sign(&header(), &claims()))).unwrap();
    let person = known.viewer.person().unwrap();
    assert_eq!((person.subject.as_str(), person.name.as_str()), ("ana", "Ana"));
    assert_eq!(person.roles, [Role::Citizen], "a role that is not ours is none");
    assert_eq!(person.region.unwrap().as_str(), "103200000");
    assert_eq!(bench.auth.authenticate(None).unwrap().token, None);
    let several = sign(&header(), &with("aud", json!(["other", "kezdesu"])));
    assert!(bench.auth.authenticate(Some(&several)).is_ok());
}

#[tokio::test]
async fn what_is_wrong_with_a_token_is_refused() {
    let bench = bench().await;
    let refusal = |token: &str| bench.auth.authenticate(Some(token)).unwrap_err();
    let none = json!({ "alg": "none", "kid": "one" });
    assert_eq!(refusal(&forged(&none, &claims(), "")), AuthRefused::Malformed);
    let confused = Header { kid: Some("one".to_owned()), ..Header::new(Algorithm::HS256) };
    let confused = encode(&confused, &claims(), &EncodingKey::from_secret(PUBLIC.as_bytes())).unwrap();
    assert_eq!(refusal(&format!("Bearer {confused}")), AuthRefused::WrongAlgorithm);
    let shared = Header { kid: Some("shared".to_owned()), ..Header::new(Algorithm::HS256) };
    let shared = encode(&shared, &claims(), &EncodingKey::from_secret(b"secret")).unwrap();
    assert_eq!(refusal(&format!("Bearer {shared}")), AuthRefused::UnknownKey, "no symmetric key comes from a JWKS");
    for kid in [None, Some("two"), Some("../../one"), Some("")] {
        let header = Header { kid: kid.map(str::to_owned), ..Header::new(Algorithm::EdDSA) };
        assert_eq!(refusal(&sign(&header, &claims())), AuthRefused::UnknownKey, "{kid:?}");
    }
    let crit = json!({ "alg": "EdDSA", "kid": "one", "crit": ["exp"] });
    assert_eq!(refusal(&forged(&crit, &claims(), "AAAA")), AuthRefused::Malformed);
    let plain = json!({ "alg": "EdDSA", "kid": "one" });
    assert_eq!(refusal(&forged(&plain, &claims(), "")), AuthRefused::BadSignature);
    let mut moved = sign(&header(), &claims());
    moved.replace_range(moved.len() - 8.., "AAAAAAAA");
    assert_eq!(refusal(&moved), AuthRefused::BadSignature);
    for field in ["exp", "iss", "aud", "sub"] {
        assert_eq!(refusal(&sign(&header(), &without(field))), AuthRefused::BadClaim, "{field}");
    }
    assert_eq!(refusal(&sign(&header(), &with("iss", json!("https://evil.example")))), AuthRefused::WrongIssuer);
    assert_eq!(refusal(&sign(&header(), &with("aud", json!("other")))), AuthRefused::WrongAudience);
    assert_eq!(refusal(&sign(&header(), &with("region", json!("10320")))), AuthRefused::BadClaim);
    assert_eq!(refusal(&sign(&header(), &with("sub", json!("")))), AuthRefused::BadClaim);
    let soon = (noon() + TimeDelta::minutes(1)).timestamp();
    assert_eq!(refusal(&sign(&header(), &with("nbf", json!(soon)))), AuthRefused::NotYet);
    for text in ["", "Bearer", "Basic YTpi", "Bearer a.b", "Bearer a.b.c", "Bearer  "] {
        assert_eq!(refusal(text), AuthRefused::Malformed, "{text:?}");
    }
    assert_eq!(refusal(&format!("Bearer {}", "a".repeat(9000))), AuthRefused::Malformed);
}

#[tokio::test]
async fn a_token_ends_on_the_second_by_the_injected_clock() {
    let bench = bench().await;
    let token = sign(&header(), &claims());
    bench.clock.advance(TimeDelta::hours(1) - TimeDelta::milliseconds(1));
    assert!(bench.auth.authenticate(Some(&token)).is_ok());
    bench.clock.advance(TimeDelta::milliseconds(1));
    assert_eq!(bench.auth.authenticate(Some(&token)).unwrap_err(), AuthRefused::Expired);
}

#[tokio::test]
async fn a_token_that_was_seen_is_judged_again() {
    let bench = bench().await;
    let token = sign(&header(), &claims());
    for _ in 0..2 {
        assert!(bench.auth.authenticate(Some(&token)).is_ok());
    }
    let forged = format!("{}{}", &token[..token.len() - 2], if token.ends_with("AA") { "BA" } else { "AA" });
    for _ in 0..2 {
        assert_eq!(
            bench.auth.authenticate(Some(&forged)).unwrap_err(),
            AuthRefused::BadSignature,
            "as often as it comes"
        );
    }
    let subject = claims()["sub"].as_str().unwrap().to_owned();
    bench.auth.withdraw([(subject, noon() + TimeDelta::hours(1))].into());
    assert_eq!(bench.auth.authenticate(Some(&token)).unwrap_err(), AuthRefused::Withdrawn);
}

#[tokio::test]
async fn a_token_of_the_future_is_refused_beyond_the_leeway() {
    let bench = bench().await;
    let issued = |at: DateTime<Utc>| sign(&header(), &with("iat", json!(at.timestamp())));
    assert!(bench.auth.authenticate(Some(&issued(noon() + LEEWAY))).is_ok());
    let ahead = issued(noon() + LEEWAY + TimeDelta::seconds(1));
    assert_eq!(bench.auth.authenticate(Some(&ahead)).unwrap_err(), AuthRefused::NotYet);
    bench.clock.advance(TimeDelta::seconds(1));
    assert!(bench.auth.authenticate(Some(&ahead)).is_ok());
}

#[tokio::test]
async fn a_withdrawal_reaches_whole_seconds_of_issue() {
    let bench = bench().await;
    let moment = noon() + TimeDelta::milliseconds(900);
    bench.auth.withdraw([("ana".to_owned(), moment)].into());
    bench.clock.advance(TimeDelta::seconds(2));
    let issued = |seconds| sign(&header(), &with("iat", json!((noon() + TimeDelta::seconds(seconds)).timestamp())));
    let is_taken = |token: String| match bench.auth.authenticate(Some(&token)) {
        Ok(_) => true,
        Err(refused) => {
            assert_eq!(refused, AuthRefused::Withdrawn);
            false
        }
    };
    assert!(!is_taken(issued(-1)));
    assert!(!is_taken(issued(0)), "of the same second it may be older or newer: it counts as older");
    assert!(is_taken(issued(1)));
    assert!(!is_taken(sign(&header(), &without("iat"))), "so does one that does not say when it was issued");
    bench.auth.withdraw([("ana".to_owned(), noon())].into());
    assert!(!is_taken(issued(0)));
}

#[tokio::test]
async fn the_development_key_is_made_once_and_only_where_it_may_be() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(&[("KEZDESU_DATA_DIR", dir.path().to_str().unwrap())]);
    let request = TokenRequest {
        subject: "ana".to_owned(),
        name: "Ana".to_owned(),
        roles: vec![Role::Moderator, Role::Connector],
        region: Some("103200000".parse().unwrap()),
        agency: None,
        imports: ImportGrant { platform: Some(Platform::Vk), broadcast: broadcast_id(BROADCAST) },
        ttl: parse_ttl("8h").unwrap(),
    };
    let token = format!("Bearer {}", mint(&settings, &request, noon()).unwrap());
    let clock = ManualClock::at(noon());
    let auth = Authenticator::start(&settings, clock).await.unwrap();
    let known = auth.authenticate(Some(&token)).unwrap();
    let imports = known.viewer.person().unwrap().imports;
    assert_eq!((imports, imports.broadcast.is_some()), (request.imports, true));
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
