//! Persisted operations: registered by clients, or listed in a manifest.

use harness::{Actor, Engine, HOST, TestEnv, WHO, error_code, on_both_engines, web};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// The SHA-256 of [`WHO`].
const HASH: &str = "f38dc677810a6ebe0c65fe68116919b963d86aac1bb7090ed4809385477b2ef7";

fn by_hash(hash: &str) -> Value {
    json!({ "persistedQuery": { "version": 1, "sha256Hash": hash } })
}

async fn post(actor: &Actor, body: Value) -> (u16, Value) {
    actor.send_body("*/*", &body).await
}

/// Returns one of many distinct documents, with its hash.
fn numbered(n: usize) -> (String, String) {
    let query = format!("{{ a{n}: __typename }}");
    let hash = Sha256::digest(&query).iter().map(|byte| format!("{byte:02x}")).collect();
    (query, hash)
}

/// Starts a test environment with a manifest and a safelist for the public.
async fn listed(dir: &tempfile::TempDir) -> TestEnv {
    let manifest = dir.path().join("operations.json");
    let region = "query Region($code: KatoCode!) { region(code: $code) { name } }";
    let follow = "subscription Follow($id: ID!) { comments(meetingId: $id) { kind } }";
    let operations = [("region", "query", region), ("follow", "subscription", follow)]
        .map(|(id, kind, body)| json!({ "id": id, "name": id, "type": kind, "body": body }));
    let text = json!({ "format": "apollo-persisted-query-manifest", "version": 1, "operations": operations });
    std::fs::write(&manifest, text.to_string()).expect("the manifest is written");
    let path = manifest.to_str().expect("a UTF-8 path");
    TestEnv::with(Engine::Embedded, &[("KEZDESU_OPERATIONS", path), ("KEZDESU_SAFELIST", "public")]).await
}

on_both_engines! {
    async fn registers_a_text_and_runs_it_by_hash(env) {
        let ana = env.citizen("Ana");
        let (status, answer) = post(&ana, json!({ "extensions": by_hash(HASH) })).await;
        // Clients compare both literally.
        assert_eq!((status, &answer["errors"][0]["message"]), (200, &json!("PersistedQueryNotFound")));
        assert_eq!(error_code(&answer), "PERSISTED_QUERY_NOT_FOUND");
        let (_, first) = post(&ana, json!({ "query": WHO, "extensions": by_hash(HASH) })).await;
        assert!(first["data"]["viewer"]["subject"].is_string(), "{first}");
        let (_, again) = post(&ana, json!({ "extensions": by_hash(HASH) })).await;
        assert_eq!(again, first);
        let (_, other) = post(&env.anonymous(), json!({ "documentId": format!("sha256:{HASH}") })).await;
        assert_eq!(other, json!({ "data": { "viewer": null } }), "the text is shared, the response is not");
        let get = web().get(format!("http://{}/graphql", env.host(0)));
        let get = get.query(&[("extensions", by_hash(HASH).to_string())]).send().await.unwrap();
        assert!(get.headers().contains_key("etag"));
        assert_eq!(get.json::<Value>().await.unwrap(), other);
    }

    async fn rejects_a_hash_that_does_not_match_the_text(env) {
        let ana = env.citizen("Ana");
        let wrong = json!({ "query": "{ viewer { roles } }", "extensions": by_hash(HASH) });
        let (status, answer) = post(&ana, wrong).await;
        assert_eq!((status, error_code(&answer)), (400, "BAD_USER_INPUT"));
        let (_, answer) = post(&ana, json!({ "extensions": by_hash(HASH) })).await;
        assert_eq!(error_code(&answer), "PERSISTED_QUERY_NOT_FOUND");
        for extension in
            [json!(1), json!({}), json!({ "version": 2, "sha256Hash": HASH }), json!({ "version": 1, "sha256Hash": 1 })]
        {
            let (status, answer) =
                post(&ana, json!({ "query": WHO, "extensions": { "persistedQuery": extension } })).await;
            assert_eq!((status, error_code(&answer)), (400, "BAD_USER_INPUT"), "{answer}");
        }
    }

    async fn runs_persisted_queries_on_a_socket(env) {
        let ana = env.citizen("Ana");
        post(&ana, json!({ "query": WHO, "extensions": by_hash(HASH) })).await;
        let mut socket = ana.socket().await;
        let subscribe =
            |id: &str, hash: &str| json!({ "id": id, "type": "subscribe", "payload": { "extensions": by_hash(hash) } });
        socket.send(&subscribe("1", HASH)).await;
        assert_eq!(socket.receive().await["type"], "next");
        assert_eq!(socket.receive().await["type"], "complete");
        socket.send(&subscribe("2", "unknown")).await;
        let refused = socket.receive().await;
        assert_eq!(refused["payload"][0]["extensions"]["code"], "PERSISTED_QUERY_NOT_FOUND", "{refused}");
    }
}

#[tokio::test]
async fn one_client_does_not_evict_the_queries_of_others() {
    let env = TestEnv::with(Engine::Embedded, &[("KEZDESU_TRUSTED_PROXIES", "127.0.0.0/8")]).await;
    let from = async |address: &str, body: Value| {
        let sent = env.anonymous().request().header("x-forwarded-for", address).json(&body).send().await.unwrap();
        sent.json::<Value>().await.unwrap()
    };
    let register = |query: &str, hash: &str| json!({ "query": query, "extensions": by_hash(hash) });
    let known = || json!({ "extensions": by_hash(HASH) });
    from("192.0.2.1", register(WHO, HASH)).await;
    for n in 0..1_100 {
        let (query, hash) = numbered(n);
        let answer = from("2001:db8::1", register(&query, &hash)).await;
        assert!(answer["data"].is_object(), "{answer}");
    }
    assert_eq!(from("192.0.2.2", known()).await, json!({ "data": { "viewer": null } }));
    let (_, first) = numbered(0);
    assert_eq!(
        error_code(&from("2001:db8::2", json!({ "extensions": by_hash(&first) })).await),
        "PERSISTED_QUERY_NOT_FOUND"
    );
}

#[tokio::test]
async fn a_safelist_restricts_the_public_but_not_staff() {
    let dir = tempfile::tempdir().unwrap();
    let env = listed(&dir).await;
    let region = json!({ "documentId": "region", "variables": { "code": HOST } });
    for one in [env.anonymous(), env.citizen("Ana")] {
        let (_, answer) = post(&one, region.clone()).await;
        assert!(answer["data"]["region"]["name"].is_string(), "{answer}");
        let (status, answer) = post(&one, json!({ "query": WHO })).await;
        assert_eq!((status, error_code(&answer)), (403, "FORBIDDEN"));
        let (status, _) = post(&one, json!({ "query": WHO, "extensions": by_hash(HASH) })).await;
        assert_eq!(status, 403, "registering does not add to the safelist");
        let (_, answer) = post(&one, json!({ "extensions": by_hash(HASH) })).await;
        assert_eq!(error_code(&answer), "PERSISTED_QUERY_NOT_FOUND", "forbidden texts are not registered");
    }
    let listed = "query Region($code: KatoCode!) { region(code: $code) { name } }";
    let variables = json!({ "code": HOST }).to_string();
    for (accept, query, status) in [
        ("application/json", listed.to_owned(), 200),
        ("text/event-stream", listed.to_owned(), 200),
        ("application/json", format!("{listed} "), 403),
        ("text/event-stream", WHO.to_owned(), 403),
        ("multipart/mixed; subscriptionSpec=1.0", WHO.to_owned(), 403),
    ] {
        let get = web().get(format!("http://{}/graphql", env.host(0))).header("accept", accept);
        let answer = get.query(&[("query", query.as_str()), ("variables", &variables)]).send().await.unwrap();
        assert_eq!(answer.status(), status, "{accept}: {query}");
        if status == 403 {
            assert_eq!(answer.headers()["cache-control"], "no-store", "rejections must not be cached");
        }
    }
    let staff = env.akimat(HOST);
    let (_, registered) = post(&staff, json!({ "query": WHO, "extensions": by_hash(HASH) })).await;
    assert!(registered["data"].is_object());
    let (status, _) = post(&env.anonymous(), json!({ "extensions": by_hash(HASH) })).await;
    assert_eq!(status, 403, "texts registered by staff are not in the safelist");
    let (_, answer) = post(&staff, json!({ "query": WHO })).await;
    assert!(answer["data"]["viewer"]["subject"].is_string(), "{answer}");

    let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
    let mut socket = env.anonymous().socket().await;
    let follow = json!({ "documentId": "follow", "variables": { "id": meeting } });
    socket.send(&json!({ "id": "1", "type": "subscribe", "payload": follow })).await;
    assert_eq!(socket.receive().await["payload"]["data"]["comments"]["kind"], "SUBSCRIBED");
    socket.send(&json!({ "id": "2", "type": "subscribe", "payload": { "query": WHO } })).await;
    let refused = socket.receive().await;
    assert_eq!(
        (&refused["type"], &refused["payload"][0]["extensions"]["code"]),
        (&json!("error"), &json!("FORBIDDEN"))
    );
}
