//! Security and caching headers of every response of both listeners.

use harness::{Engine, TestEnv, web};
use reqwest::{Method, Response};
use serde_json::json;

const NOTHING: &str = "default-src 'none'; frame-ancestors 'none'";
const EXPLORER: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self' data:; \
                        img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const QUERY: &str = "/graphql?query=%7B%20viewer%20%7B%20subject%20%7D%20%7D";
const MUTATION: &str = "/graphql?query=mutation%20%7B%20endMeeting(input%3A%20%7BmeetingId%3A%20%22x%22%7D)%20%7B%20refusal%20%7B%20code%20%7D%20%7D%20%7D";
const NO_STORE: &str = "no-store";
const PUBLIC: &str = "public, max-age=2";
const RELEASED: &str = "public, max-age=300";
const EVIL: (&str, &str) = ("origin", "https://evil.example");
const KEY: (&str, &str) = ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
const UPGRADE: [(&str, &str); 3] = [("upgrade", "websocket"), ("connection", "upgrade"), KEY];
const VERSION: (&str, &str) = ("sec-websocket-version", "13");
const PROTOCOL: (&str, &str) = ("sec-websocket-protocol", "graphql-transport-ws");

/// A request with its expected status and `Cache-Control`.
struct Expected {
    method: Method,
    path: &'static str,
    headers: Vec<(&'static str, &'static str)>,
    body: String,
    status: u16,
    kept: &'static str,
}

fn ask(method: Method, path: &'static str, status: u16) -> Expected {
    Expected { method, path, headers: Vec::new(), body: String::new(), status, kept: NO_STORE }
}

fn get(path: &'static str, status: u16) -> Expected {
    ask(Method::GET, path, status)
}

fn post(query: &str, status: u16) -> Expected {
    let headers = vec![("content-type", "application/json")];
    Expected { headers, body: json!({ "query": query }).to_string(), ..ask(Method::POST, "/graphql", status) }
}

impl Expected {
    fn with(mut self, headers: &[(&'static str, &'static str)]) -> Self {
        self.headers.retain(|(name, _)| headers.iter().all(|(other, _)| name != other));
        self.headers.extend(headers);
        self
    }

    fn body(self, body: String) -> Self {
        Self { body, ..self }
    }

    fn kept(self, kept: &'static str) -> Self {
        Self { kept, ..self }
    }

    async fn send(&self, host: &str) -> Response {
        let request = web().request(self.method.clone(), format!("http://{host}{}", self.path));
        let request = self.headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        request.body(self.body.clone()).send().await.expect("the service answers")
    }
}

/// Returns all values of a header, to reveal duplicates.
fn values(answer: &Response, name: &str) -> Vec<String> {
    answer.headers().get_all(name).iter().map(|value| value.to_str().unwrap().to_owned()).collect()
}

async fn check_headers(host: &str, asked: &[Expected]) {
    for asked in asked {
        let answer = asked.send(host).await;
        let name = format!("{} {} {:?}", asked.method, asked.path, asked.headers);
        assert_eq!(answer.status(), asked.status, "{name}");
        let policy = if asked.path == "/" && asked.status == 200 { EXPLORER } else { NOTHING };
        for (header, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("x-frame-options", "DENY"),
            ("content-security-policy", policy),
            ("cross-origin-resource-policy", "same-origin"),
            ("cache-control", asked.kept),
        ] {
            assert_eq!(values(&answer, header), [value], "{name}: {header}");
        }
        assert_eq!(values(&answer, "server"), <[&str; 0]>::default(), "{name}: the server is not disclosed");
    }
}

#[tokio::test]
async fn sends_security_headers_with_every_api_response() {
    let env = TestEnv::with(Engine::Embedded, &[("KEZDESU_MAX_BODY_BYTES", "1024")]).await;
    let who = "{ viewer { subject } }";
    let follow = "subscription { meetings { kind } }";
    let delete = ask(Method::DELETE, "/graphql", 405);
    let asked = [
        get("/", 200),
        get("/assets/explorer.js", 200).kept("max-age=3600"),
        get("/assets/nothing", 404),
        get("/nothing", 404),
        ask(Method::POST, "/", 405),
        get("/graphql/schema", 200).kept(RELEASED),
        get("/graphql/schema", 304).with(&[("if-none-match", "*")]).kept(RELEASED),
        ask(Method::HEAD, "/graphql/schema", 200).kept(RELEASED),
        ask(Method::POST, "/graphql/schema", 405),
        get("/schemas/protocol-1.json", 200).kept(RELEASED),
        get("/meetings/nothing/protocol.json", 404),
        ask(Method::HEAD, "/meetings/nothing/protocol.csv", 404),
        ask(Method::POST, "/meetings/nothing/protocol", 405),
        get("/schemas/publication-1.json", 200).kept(RELEASED),
        get("/feeds/units/751110000.atom", 200).kept(PUBLIC),
        get("/publications/nothing.json", 404),
        ask(Method::POST, "/publications/nothing", 405),
        get(QUERY, 200).kept(PUBLIC),
        get(QUERY, 304).with(&[("if-none-match", "*")]).kept(PUBLIC),
        ask(Method::HEAD, QUERY, 200).kept(PUBLIC),
        get("/graphql", 400),
        get(MUTATION, 405),
        post(who, 200),
        post(who, 200).with(&[("accept", "text/event-stream")]),
        post(follow, 200).with(&[("accept", "text/event-stream")]),
        post(follow, 200).with(&[("accept", "multipart/mixed; subscriptionSpec=1.0")]),
        post(follow, 400),
        post(who, 400).body("{".to_owned()),
        post(who, 401).with(&[("authorization", "Bearer x")]),
        post(who, 403).with(&[EVIL]),
        post(who, 406).with(&[("accept", "text/html")]),
        post(&"x".repeat(2000), 413),
        post(who, 415).with(&[("content-type", "text/plain")]),
        ask(Method::PUT, "/graphql", 405),
        delete,
        ask(Method::OPTIONS, "/graphql", 405).with(&[EVIL, ("access-control-request-method", "POST")]),
        get("/graphql", 101).with(&UPGRADE).with(&[VERSION, PROTOCOL]),
        get("/graphql", 400).with(&UPGRADE).with(&[VERSION]),
        get("/graphql", 400).with(&UPGRADE[..2]).with(&[VERSION, PROTOCOL]),
        get("/graphql", 403).with(&UPGRADE).with(&[VERSION, PROTOCOL, EVIL]),
        get("/graphql", 426).with(&UPGRADE).with(&[PROTOCOL]),
    ];
    check_headers(&env.host(0), &asked).await;
}

#[tokio::test]
async fn sends_security_headers_in_production() {
    let env = TestEnv::with(Engine::Embedded, &[("KEZDESU_ENVIRONMENT", "production")]).await;
    let asked = [get("/", 404), get("/assets/explorer.js", 404), get("/graphql/schema", 200).kept(RELEASED)];
    check_headers(&env.host(0), &asked).await;
}

#[tokio::test]
async fn sends_security_headers_with_every_operations_response() {
    let env = TestEnv::start(Engine::Embedded).await;
    let asked = [
        get("/healthz", 200),
        get("/readyz", 200),
        get("/metrics", 200),
        get("/nothing", 404),
        get("/", 404),
        ask(Method::POST, "/healthz", 405),
        ask(Method::HEAD, "/healthz", 200),
        ask(Method::OPTIONS, "/metrics", 405).with(&[EVIL, ("access-control-request-method", "GET")]),
    ];
    check_headers(&env.ops_host(0), &asked).await;
}
