//! Cross-origin access and DNS rebinding. Foreign origins are rejected unless the operator allows them.

use std::collections::BTreeSet;

use harness::{Engine, Socket, TestEnv, checkout, web};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::json;

const OURS: &str = "https://meetings.example";
const FOREIGN: [&str; 6] = [
    "https://evil.example",
    "http://meetings.example",
    "https://meetings.example:8443",
    "https://meetings.example.evil.example",
    "https://evil-meetings.example",
    "null",
];
const PROTOCOL: (&str, &str) = ("sec-websocket-protocol", "graphql-transport-ws");

async fn allowing(origins: &str) -> TestEnv {
    TestEnv::with(Engine::Embedded, &[("KEZDESU_ALLOWED_ORIGINS", origins)]).await
}

fn from(env: &TestEnv, method: Method, origin: &str) -> RequestBuilder {
    web().request(method, format!("http://{}/graphql", env.host(0))).header("origin", origin)
}

fn value(answer: &Response, name: &str) -> Option<String> {
    answer.headers().get(name).map(|value| value.to_str().unwrap().to_lowercase())
}

fn list(answer: &Response, name: &str) -> BTreeSet<String> {
    let all = value(answer, name).unwrap_or_default();
    all.split(',').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

async fn preflight(env: &TestEnv, origin: &str, method: &str) -> Response {
    let request = from(env, Method::OPTIONS, origin).header("access-control-request-method", method);
    request.header("access-control-request-headers", "authorization,content-type").send().await.unwrap()
}

/// Sends a query and a subscription, each by GET and by POST, as a page of this origin.
async fn requests_from(env: &TestEnv, origin: &str) -> [Response; 4] {
    let who = json!({ "query": "{ viewer { subject } }" });
    let follow = json!({ "query": "subscription { meetings { kind } }" });
    let get = |query: &str| from(env, Method::GET, origin).query(&[("query", query)]);
    let stream = get("subscription { meetings { kind } }").header("accept", "text/event-stream");
    [
        get("{ viewer { subject } }").send().await.unwrap(),
        from(env, Method::POST, origin).json(&who).send().await.unwrap(),
        stream.send().await.unwrap(),
        from(env, Method::POST, origin).header("accept", "text/event-stream").json(&follow).send().await.unwrap(),
    ]
}

/// Checks that a foreign origin is rejected on every transport, without CORS headers.
async fn check_rejected(env: &TestEnv, origin: &str) {
    for answer in requests_from(env, origin).await {
        assert_eq!(answer.status(), 403, "{origin}");
        assert_eq!(value(&answer, "access-control-allow-origin"), None, "{origin}");
    }
    let schema = web().get(format!("http://{}/graphql/schema", env.host(0))).header("origin", origin);
    assert_eq!(value(&schema.send().await.unwrap(), "access-control-allow-origin"), None, "{origin}");
    assert_eq!(value(&preflight(env, origin, "POST").await, "access-control-allow-origin"), None, "{origin}");
    let socket = Socket::try_open(&env.host(0), &[PROTOCOL, ("origin", origin)]).await;
    assert_eq!(socket.map(drop), Err(403), "{origin}");
}

#[tokio::test]
async fn rejects_foreign_origins_by_default() {
    let env = TestEnv::start(Engine::Embedded).await;
    for origin in FOREIGN.into_iter().chain([OURS]) {
        check_rejected(&env, origin).await;
    }
    let own = format!("http://{}", env.host(0));
    for answer in requests_from(&env, &own).await {
        assert_eq!(answer.status(), 200, "same-origin pages are allowed");
        let told = answer.headers().keys().filter(|name| name.as_str().starts_with("access-control-"));
        assert_eq!(told.count(), 0, "same-origin responses have no CORS headers");
    }
}

#[tokio::test]
async fn only_allowed_origins_read_write_and_subscribe() {
    let env = allowing(&format!("{OURS}, https://second.example")).await;
    for origin in FOREIGN {
        check_rejected(&env, origin).await;
    }
    for origin in [OURS, "https://second.example"] {
        for mut answer in requests_from(&env, origin).await {
            assert_eq!(answer.status(), 200);
            assert_eq!(
                value(&answer, "access-control-allow-origin").as_deref(),
                Some(origin),
                "the exact origin, not a wildcard"
            );
            assert_eq!(value(&answer, "access-control-allow-credentials"), None, "credentials are not allowed");
            assert_eq!(list(&answer, "access-control-expose-headers"), BTreeSet::from(["etag".to_owned()]));
            let vary = answer.headers().get_all("vary").iter().any(|all| all.to_str().unwrap().contains("origin"));
            assert!(vary, "caches must vary by origin");
            assert!(answer.chunk().await.unwrap().is_some());
        }
        let refused = from(&env, Method::POST, origin).bearer_auth("x").json(&json!({ "query": "{ __typename }" }));
        let refused = refused.send().await.unwrap();
        assert_eq!(refused.status(), 401);
        assert_eq!(
            value(&refused, "access-control-allow-origin").as_deref(),
            Some(origin),
            "the error is readable by the page"
        );
        let socket = Socket::try_open(&env.host(0), &[PROTOCOL, ("origin", origin)]).await;
        assert_eq!(socket.map(drop), Ok(()));
    }
}

/// Sends requests on each transport as a page whose host name was rebound to this address, and returns the
/// statuses.
async fn rebound(env: &TestEnv, name: &str) -> Vec<u16> {
    let (address, host) = (env.host(0), format!("{name}:{}", env.host(0).rsplit(':').next().unwrap()));
    let origin = format!("http://{host}");
    let url = format!("http://{address}/graphql");
    let read = || web().get(&url).header("host", &host).query(&[("query", "{ __typename }")]);
    let post = web().post(&url).header("host", &host).header("origin", &origin);
    let follow = json!({ "query": "subscription { meetings { kind } }" });
    let stream = web().post(&url).header("host", &host).header("origin", &origin).header("accept", "text/event-stream");
    let page = web().get(format!("http://{address}/graphql/schema")).header("host", &host);
    let mut statuses = Vec::new();
    // Browsers omit `Origin` on same-origin reads.
    for request in [
        read(),
        read().header("origin", &origin),
        post.json(&json!({ "query": "{ __typename }" })),
        stream.json(&follow),
        page,
    ] {
        statuses.push(request.send().await.unwrap().status().as_u16());
    }
    let headers = [PROTOCOL, ("host", host.as_str()), ("origin", origin.as_str())];
    statuses.push(Socket::try_open(&address, &headers).await.map_or_else(|status| status, |_| 200));
    statuses
}

#[tokio::test]
async fn rejects_dns_rebinding() {
    let env = TestEnv::start(Engine::Embedded).await;
    for name in ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example"] {
        assert_eq!(rebound(&env, name).await, [421; 6], "{name}");
    }
    for name in ["localhost", "127.0.0.1", "api-1", "kezdesu.localhost"] {
        assert_eq!(rebound(&env, name).await, [200; 6], "{name}");
    }
    let named = TestEnv::with(Engine::Embedded, &[("KEZDESU_HOSTS", "meetings.example")]).await;
    assert_eq!(rebound(&named, "meetings.example").await, [200; 6]);
    assert_eq!(rebound(&named, "evil.example").await, [421; 6]);
    let production = TestEnv::with(Engine::Embedded, &[("KEZDESU_ENVIRONMENT", "production")]).await;
    assert_eq!(
        rebound(&production, "meetings.example").await,
        [200; 6],
        "in production the balancer checks host names"
    );
    let both = [("KEZDESU_ENVIRONMENT", "production"), ("KEZDESU_HOSTS", "meetings.example")];
    let strict = TestEnv::with(Engine::Embedded, &both).await;
    assert_eq!(rebound(&strict, "evil.example").await, [421; 6]);
    assert_eq!(rebound(&strict, "meetings.example").await, [200; 6]);
    let refused = web().get(format!("http://{}/graphql?query=%7B__typename%7D", strict.host(0)));
    let refused = refused.header("host", "evil.example").header("accept-language", "en").send().await.unwrap();
    let said: serde_json::Value = refused.json().await.unwrap();
    assert_eq!(said["errors"][0]["extensions"], json!({ "code": "FORBIDDEN" }), "{said}");
    assert!(!said.to_string().contains("evil"), "input is not quoted: {said}");
}

/// Returns the request headers that the integration guide lists.
fn documented() -> BTreeSet<String> {
    let text = std::fs::read_to_string(checkout().join("docs/integration.md")).unwrap();
    let line = text
        .lines()
        .find(|line| line.contains("Pages of allowed origins may send"))
        .expect("the guide lists the headers");
    let (_, sent) = line.split_once("Pages of allowed origins may send").unwrap();
    let (sent, _) = sent.split_once(';').unwrap();
    sent.split('`').skip(1).step_by(2).map(str::to_lowercase).collect()
}

#[tokio::test]
async fn preflight_allows_the_documented_headers() {
    let env = allowing(OURS).await;
    let answer = preflight(&env, OURS, "POST").await;
    assert_eq!(answer.status(), 200);
    assert_eq!(value(&answer, "access-control-allow-origin").as_deref(), Some(OURS));
    assert_eq!(list(&answer, "access-control-allow-methods"), BTreeSet::from(["get", "post"].map(str::to_owned)));
    assert_eq!(value(&answer, "access-control-max-age").as_deref(), Some("7200"));
    let allowed = list(&answer, "access-control-allow-headers");
    let wanted = [
        "accept",
        "accept-language",
        "apollo-require-preflight",
        "apollographql-client-name",
        "apollographql-client-version",
        "authorization",
        "cache-control",
        "content-type",
        "if-none-match",
        "last-event-id",
        "x-apollo-operation-id",
        "x-apollo-operation-name",
    ];
    assert_eq!(allowed, BTreeSet::from(wanted.map(str::to_owned)));
    assert_eq!(documented(), allowed, "docs/integration.md");
    // A page can read the ETag and send it back.
    let get = || from(&env, Method::GET, OURS).query(&[("query", "{ viewer { subject } }")]);
    let tag = value(&get().send().await.unwrap(), "etag").is_some();
    let again = get().header("if-none-match", "*").send().await.unwrap();
    assert_eq!((tag, again.status().as_u16()), (true, 304));
    assert_eq!(value(&again, "access-control-allow-origin").as_deref(), Some(OURS));
}
