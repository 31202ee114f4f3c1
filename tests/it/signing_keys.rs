//! Rotation of token signing keys while the service runs.

use std::{path::Path, pin::pin, time::Duration};

use chrono::TimeDelta;
use harness::{Actor, Engine, Socket, TIMEOUT, TestEnv, Tokens, WHO, token_claims, until};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, jwk::Jwk};
use serde_json::{Value, json};

/// The key that follows the environment's.
const NEXT: &str = include_str!("../../api/src/auth/tests/ec.pem");
const FOLLOW: &str = "subscription { meetings { kind } }";

fn next_key() -> EncodingKey {
    EncodingKey::from_ec_pem(NEXT.as_bytes()).unwrap()
}

/// Returns a JWKS with the environment's key, if `env`, and the next key under each of these ids.
fn jwks(env: bool, names: &[&str]) -> String {
    let file = tempfile::NamedTempFile::new().unwrap();
    Tokens.publish(file.path());
    let mut set: Value = serde_json::from_slice(&std::fs::read(file.path()).unwrap()).unwrap();
    let keys = set["keys"].as_array_mut().unwrap();
    if !env {
        keys.clear();
    }
    for name in names {
        let mut key = serde_json::to_value(Jwk::from_encoding_key(&next_key(), Algorithm::ES256).unwrap()).unwrap();
        key["kid"] = json!(name);
        keys.push(key);
    }
    set.to_string()
}

async fn env(keys: &Path) -> TestEnv {
    TestEnv::with(Engine::Embedded, &[("KEZDESU_JWKS", keys.to_str().unwrap())]).await
}

/// Creates a client whose token is signed by the next key, under this id.
fn holder(env: &TestEnv, name: &str) -> Actor {
    let claims = token_claims("ben", "Ben", &["CITIZEN"], None, env.now());
    let header = Header { kid: Some(name.to_owned()), ..Header::new(Algorithm::ES256) };
    Actor::with_token(&env.host(0), encode(&header, &claims, &next_key()).unwrap())
}

async fn status(actor: &Actor) -> u16 {
    actor.request().json(&json!({ "query": WHO })).send().await.unwrap().status().as_u16()
}

/// Awaits a future, and advances the clock by a minute at a time.
async fn in_minutes<T>(env: &TestEnv, what: impl Future<Output = T>) -> T {
    let mut what = pin!(what);
    for _ in 0..100 {
        env.advance(TimeDelta::seconds(61));
        // Only paces the clock.
        if let Ok(done) = tokio::time::timeout(Duration::from_millis(300), &mut what).await {
            return done;
        }
    }
    panic!("it did not happen in a hundred minutes of test time");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_key_ends_its_connections_within_a_minute() {
    let dir = tempfile::tempdir().unwrap();
    let keys = dir.path().join("keys.json");
    std::fs::write(&keys, jwks(true, &["next"])).unwrap();
    let env = env(&keys).await;
    let (ana, ben) = (env.citizen("Ana"), holder(&env, "next"));
    assert_eq!((status(&ana).await, status(&ben).await), (200, 200));
    let mut open = ana.follow(FOLLOW, json!({})).await;
    assert_eq!(open.next().await["kind"], "SUBSCRIBED");
    let mut stays = ben.follow(FOLLOW, json!({})).await;
    assert_eq!(stays.next().await["kind"], "SUBSCRIBED");
    let stream = ana.request().header("accept", "text/event-stream");
    let mut stream = stream.json(&json!({ "query": FOLLOW })).send().await.unwrap();
    stream.chunk().await.unwrap().expect("the stream has started");

    std::fs::write(&keys, jwks(false, &["next"])).unwrap();
    let ended = async {
        let code = open.socket.close_code().await;
        while stream.chunk().await.unwrap().is_some() {}
        code
    };
    // The other socket is read meanwhile, to answer pings.
    let code = tokio::select! {
        code = in_minutes(&env, ended) => code,
        code = stays.socket.close_code() => panic!("the other person's socket was closed: {code}"),
    };
    assert_eq!(code, 4403);
    assert_eq!((status(&ana).await, status(&ben).await), (401, 200));
    let refused = ana.error(WHO, json!({})).await;
    assert_eq!(refused, "UNAUTHENTICATED");
    let again = ana.request().header("accept", "text/event-stream").json(&json!({ "query": FOLLOW }));
    assert_eq!(again.send().await.unwrap().status(), 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_key_is_accepted_within_a_minute_and_a_broken_set_is_ignored() {
    let dir = tempfile::tempdir().unwrap();
    let keys = dir.path().join("keys.json");
    std::fs::write(&keys, jwks(true, &[])).unwrap();
    let env = env(&keys).await;
    let (ana, gone) = (env.citizen("Ana"), holder(&env, "gone"));
    // An unsuccessful refresh starts a cooldown.
    assert_eq!((status(&ana).await, status(&gone).await), (200, 401));
    std::fs::write(&keys, jwks(true, &["next"])).unwrap();
    let ben = holder(&env, "next");
    assert_eq!(status(&ben).await, 401, "no refresh during the cooldown");
    let minute = || env.advance(TimeDelta::seconds(61));
    assert_eq!(until(|| status(&ben), minute, |status| *status == 200).await, 200);
    for broken in ["", "{", r#"{ "keys": [] }"#, &jwks(false, &[])] {
        std::fs::write(&keys, broken).unwrap();
        minute();
        // An unknown key id triggers a refresh, which this waits for.
        assert_eq!(status(&gone).await, 401);
        assert_eq!(
            (status(&ana).await, status(&ben).await),
            (200, 200),
            "a broken set must not replace the keys: {broken}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_key_id_triggers_a_refresh() {
    let dir = tempfile::tempdir().unwrap();
    let keys = dir.path().join("keys.json");
    std::fs::write(&keys, jwks(true, &[])).unwrap();
    let env = env(&keys).await;
    std::fs::write(&keys, jwks(true, &["next"])).unwrap();
    let ben = holder(&env, "next");
    // Concurrent, without advancing the clock.
    let all = futures_util::future::join_all((0..8).map(|_| status(&ben))).await;
    assert_eq!(all, [200; 8], "the first token with the new key is accepted");

    std::fs::write(&keys, jwks(true, &["next", "third"])).unwrap();
    let third = holder(&env, "third");
    env.advance(TimeDelta::milliseconds(4_999));
    assert_eq!(status(&third).await, 401);
    env.advance(TimeDelta::milliseconds(1));
    assert_eq!(status(&third).await, 200);

    std::fs::write(&keys, jwks(true, &["fourth"])).unwrap();
    env.advance(TimeDelta::seconds(5));
    let fourth = holder(&env, "fourth");
    let introduced = async {
        let mut socket = Socket::open(&fourth.host).await;
        let token = format!("Bearer {}", fourth.token.as_deref().unwrap());
        socket.send(&json!({ "type": "connection_init", "payload": { "authorization": token } })).await;
        socket.try_receive().await
    };
    let introduced = tokio::time::timeout(TIMEOUT, introduced).await.expect("a response in time");
    if introduced.is_none() {
        // The retry succeeds.
        until(|| status(&fourth), || {}, |status| *status == 200).await;
        fourth.socket().await;
    }
}
