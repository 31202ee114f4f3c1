//! Tokens as an identity provider would sign them, and as it would not.

use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::*;
use crate::testing::StandingClock;

/// An Ed25519 key pair made for tests (RFC 8032, test 1).
const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
-----END PRIVATE KEY-----
";
const PUBLIC: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
const NOW: &str = "2026-06-01T06:00:00Z";

fn key(kid: &str) -> Value {
    json!({ "kty": "OKP", "crv": "Ed25519", "x": PUBLIC, "kid": kid, "use": "sig", "alg": "EdDSA" })
}

struct Desk {
    auth: Arc<Authenticator>,
    clock: Arc<StandingClock>,
    dir: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = StandingClock::at(NOW);
        publish(&dir, &[key("a")]);
        let path = dir.path().join("jwks.json").display().to_string();
        let variables = [
            ("AGENCY_CODE", "roads"),
            ("AGENCY_JWKS", &path),
            ("AGENCY_JWT_ISSUER", "https://id.example"),
            ("AGENCY_JWT_AUDIENCE", "kezdesu"),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let settings = crate::settings::load(variables).unwrap();
        Self { auth: Authenticator::start(&settings, clock.clone()).unwrap(), clock, dir }
    }

    fn who(&self, token: &str) -> Result<Viewer, AuthRefused> {
        self.auth.authenticate(Some(&format!("Bearer {token}")))
    }
}

fn publish(dir: &tempfile::TempDir, keys: &[Value]) {
    std::fs::write(dir.path().join("jwks.json"), json!({ "keys": keys }).to_string()).unwrap();
}

fn now() -> i64 {
    NOW.parse::<DateTime<Utc>>().unwrap().timestamp()
}

fn with(changed: &Value) -> Value {
    let mut claims = json!({
        "iss": "https://id.example", "aud": "kezdesu", "sub": "o", "exp": now() + 60, "roles": ["AGENCY"], "agency": "roads",
    });
    for (name, value) in changed.as_object().unwrap() {
        match value {
            Value::Null => claims.as_object_mut().unwrap().remove(name),
            value => claims.as_object_mut().unwrap().insert(name.clone(), value.clone()),
        };
    }
    claims
}

fn signed(header: &Header, claims: &Value) -> String {
    let key = match header.alg {
        Algorithm::EdDSA => EncodingKey::from_ed_pem(PRIVATE.as_bytes()).unwrap(),
        _ => EncodingKey::from_secret(PUBLIC.as_bytes()),
    };
    encode(header, claims, &key).unwrap()
}

fn header() -> Header {
    Header { kid: Some("a".to_owned()), ..Header::new(Algorithm::EdDSA) }
}

fn token(changed: &Value) -> String {
    signed(&header(), &with(changed))
}

#[test]
fn the_staff_is_who_speaks_for_this_agency_or_operates_everything() {
    let desk = Desk::new();
    let officer = Viewer::Officer { subject: "o".to_owned() };
    assert_eq!(desk.auth.authenticate(None), Ok(Viewer::Anonymous));
    for (claims, who) in [
        (json!({}), &officer),
        (json!({ "roles": ["ADMIN"], "agency": null }), &officer),
        (json!({ "aud": ["other", "kezdesu"] }), &officer),
        (json!({ "agency": "rivers" }), &Viewer::Person),
        (json!({ "agency": null }), &Viewer::Person),
        (json!({ "roles": ["CITIZEN"] }), &Viewer::Person),
        (json!({ "roles": null }), &Viewer::Person),
        (json!({ "roles": null, "agency": null, "grants": [{ "role": "AGENCY", "agency": "roads" }] }), &officer),
        (json!({ "roles": null, "agency": null, "grants": [{ "role": "ADMIN" }] }), &officer),
        (json!({ "agency": "rivers", "grants": [{ "role": "AGENCY", "agency": "roads", "region": null }] }), &officer),
        (json!({ "roles": null, "grants": [{ "role": "AGENCY", "agency": "rivers" }] }), &Viewer::Person),
        (json!({ "roles": null, "grants": [{ "role": "AGENCY" }] }), &Viewer::Person),
        (json!({ "roles": null, "grants": [{ "role": "ADMIN", "until": "noon" }] }), &Viewer::Person),
    ] {
        assert_eq!(desk.who(&token(&claims)).as_ref(), Ok(who), "{claims}");
    }
}

#[test]
fn a_token_that_does_not_hold_is_refused() {
    let desk = Desk::new();
    for (claims, why) in [
        (json!({ "exp": null }), AuthRefused::Invalid),
        (json!({ "iss": null }), AuthRefused::Invalid),
        (json!({ "aud": null }), AuthRefused::Invalid),
        (json!({ "sub": null }), AuthRefused::Invalid),
        (json!({ "sub": "" }), AuthRefused::Invalid),
        (json!({ "sub": "x".repeat(256) }), AuthRefused::Invalid),
        (json!({ "exp": "soon" }), AuthRefused::Invalid),
        (json!({ "roles": "AGENCY" }), AuthRefused::Invalid),
        (json!({ "grants": "AGENCY" }), AuthRefused::Invalid),
        (json!({ "grants": [{ "agency": "roads" }] }), AuthRefused::Invalid),
        (json!({ "iss": "https://other.example" }), AuthRefused::NotForUs),
        (json!({ "aud": "other" }), AuthRefused::NotForUs),
        (json!({ "aud": [] }), AuthRefused::NotForUs),
        (json!({ "exp": now() }), AuthRefused::NotNow),
        (json!({ "nbf": now() + 31 }), AuthRefused::NotNow),
    ] {
        assert_eq!(desk.who(&token(&claims)), Err(why), "{claims}");
    }
    assert!(desk.who(&token(&json!({ "nbf": now() + 30 }))).is_ok(), "the provider's clock may be a little ahead");
    let good = token(&json!({}));
    assert!(desk.who(&good).is_ok());
    desk.clock.advance(TimeDelta::seconds(60));
    assert_eq!(desk.who(&good), Err(AuthRefused::NotNow));
}

#[test]
fn only_the_keys_own_algorithm_and_signature_count() {
    let desk = Desk::new();
    let claims = with(&json!({}));
    let symmetric = Header { kid: Some("a".to_owned()), ..Header::new(Algorithm::HS256) };
    assert_eq!(desk.who(&signed(&symmetric, &claims)), Err(AuthRefused::Invalid));
    let unknown = Header { kid: Some("b".to_owned()), ..header() };
    assert_eq!(desk.who(&signed(&unknown, &claims)), Err(AuthRefused::UnknownKey));
    assert_eq!(desk.who(&signed(&Header::new(Algorithm::EdDSA), &claims)), Err(AuthRefused::UnknownKey));
    let critical = Header { crit: Some(vec!["b64".to_owned()]), ..header() };
    assert_eq!(desk.who(&signed(&critical, &claims)), Err(AuthRefused::Malformed));

    let good = token(&json!({}));
    let (rest, signature) = good.rsplit_once('.').unwrap();
    let other = token(&json!({ "sub": "p" }));
    assert_eq!(desk.who(&format!("{}.{signature}", other.rsplit_once('.').unwrap().0)), Err(AuthRefused::Invalid));
    assert!(desk.who(&format!("{rest}.")).is_err());
    for header in ["", "Bearer", "Basic eA==", "Bearer x", &format!("Bearer {}", "x".repeat(9000))] {
        assert_eq!(desk.auth.authenticate(Some(header)), Err(AuthRefused::Malformed), "{header:.20}");
    }
}

#[tokio::test]
async fn keys_are_changed_without_a_restart_and_stay_where_new_ones_cannot_be_had() {
    let desk = Desk::new();
    let old = token(&json!({}));
    publish(&desk.dir, &[json!({ "kty": "oct", "k": "c2VjcmV0", "kid": "a", "alg": "HS256" })]);
    assert!(matches!(desk.auth.refresh().await, Err(KeyError::None)), "no symmetric key is one");
    assert!(desk.who(&old).is_ok());
    publish(&desk.dir, &[key("b")]);
    desk.auth.refresh().await.unwrap();
    assert_eq!(desk.who(&old), Err(AuthRefused::UnknownKey));
}

#[test]
fn keys_that_are_not_for_signing_as_here_are_left_out() {
    for (name, value) in [("use", "enc"), ("alg", "ES256"), ("crv", "X25519")] {
        let mut unfit = key("a");
        unfit[name] = json!(value);
        let set = json!({ "keys": [unfit, key("b")] }).to_string();
        let keys = parse(set.as_bytes()).map(|keys| keys.into_keys().collect::<Vec<_>>());
        assert_eq!(keys.unwrap(), ["b"], "{name}");
    }
}
