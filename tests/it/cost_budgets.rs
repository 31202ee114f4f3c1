//! Cost budgets of persons and addresses, and the cost limit of one event.

use chrono::TimeDelta;
use harness::{Actor, Engine, HOST, Socket, TestEnv, web};
use serde_json::{Value, json};

/// A query that costs about a thousand units.
const PAGE: &str = "{ regions(first: 100) { nodes { id code kind name hasAkim validFrom validTo names { kk } } } }";

async fn env(person: &str, address: &str) -> TestEnv {
    let limits = [
        ("KEZDESU_PERSON_COST_A_MINUTE", person),
        ("KEZDESU_ADDRESS_COST_A_MINUTE", address),
        ("KEZDESU_TRUSTED_PROXIES", "127.0.0.0/8"),
        ("KEZDESU_GATEWAYS", "192.0.2.7"),
    ];
    TestEnv::with(Engine::Embedded, &limits).await
}

/// Sends a query as forwarded from an address, and returns the status, `Retry-After` and the response.
async fn send(actor: &Actor, from: &str, accept: &str, query: &str) -> (u16, Option<String>, Value) {
    let mut request = web().post(format!("http://{}/graphql", actor.host)).header("x-forwarded-for", from);
    if let Some(token) = &actor.token {
        request = request.bearer_auth(token);
    }
    let answer = request.header("accept", accept).json(&json!({ "query": query })).send().await.unwrap();
    let wait = answer.headers().get("retry-after").map(|wait| wait.to_str().unwrap().to_owned());
    (answer.status().as_u16(), wait, answer.json().await.unwrap())
}

const RESPONSE: &str = "application/graphql-response+json";
const JSON: &str = "application/json";

fn limit(answer: &Value) -> (&str, &str, u64) {
    let limit = &answer["errors"][0]["extensions"];
    let text = |name: &str| limit[name].as_str().unwrap_or_default();
    (text("code"), text("scope"), limit["retryAfterMs"].as_u64().unwrap_or_default())
}

#[tokio::test]
async fn rejects_an_address_that_has_spent_its_budget() {
    let env = env("0", "6000").await;
    let anonymous = env.anonymous();
    for _ in 0..5 {
        let (status, _, answer) = send(&anonymous, "203.0.113.7", RESPONSE, PAGE).await;
        assert!(status == 200 && answer.get("errors").is_none(), "{answer:.300}");
    }
    let (status, wait, answer) = send(&anonymous, "203.0.113.7", RESPONSE, PAGE).await;
    let (code, scope, wait_ms) = limit(&answer);
    assert_eq!((status, code, scope), (429, "RATE_LIMITED", "ADDRESS"), "{answer:.300}");
    assert!(answer.get("data").is_none(), "nothing was executed: {answer:.300}");
    assert!((1..=10_000).contains(&wait_ms), "a thousand units take ten seconds: {wait_ms}");
    assert_eq!(wait, Some(wait_ms.div_ceil(1000).to_string()));
    let (status, wait, answer) = send(&anonymous, "203.0.113.7", JSON, PAGE).await;
    assert_eq!(
        (status, wait.is_some(), limit(&answer).0),
        (200, true, "RATE_LIMITED"),
        "as GraphQL over HTTP specifies"
    );
    // The budget is shared by signed-in clients and by GET.
    let (_, _, answer) = send(&env.citizen("Ana"), "203.0.113.7", JSON, PAGE).await;
    assert_eq!(limit(&answer).0, "RATE_LIMITED");
    let get = web().get(format!("http://{}/graphql", env.host(0))).header("x-forwarded-for", "203.0.113.7");
    let answer: Value = get.query(&[("query", PAGE)]).send().await.unwrap().json().await.unwrap();
    let (code, _, wait_ms) = limit(&answer);
    assert_eq!(code, "RATE_LIMITED");
    let (_, _, answer) = send(&anonymous, "203.0.113.8", JSON, PAGE).await;
    assert!(answer.get("errors").is_none(), "another address has its own budget: {answer:.300}");
    env.advance(TimeDelta::milliseconds(i64::try_from(wait_ms).unwrap()));
    let (_, _, answer) = send(&anonymous, "203.0.113.7", JSON, PAGE).await;
    assert!(answer.get("errors").is_none(), "accepted after the announced wait: {answer:.300}");
}

#[tokio::test]
async fn rejects_a_person_who_has_spent_their_budget_from_any_address() {
    let env = env("2500", "0").await;
    let (ana, staff) = (env.citizen("Ana"), env.akimat(HOST));
    for actor in [&ana, &staff] {
        for n in 0..2 {
            let (_, _, answer) = send(actor, &format!("203.0.113.{n}"), JSON, PAGE).await;
            assert!(answer.get("errors").is_none(), "{answer:.300}");
        }
        let (_, _, answer) = send(actor, "203.0.113.9", JSON, PAGE).await;
        assert_eq!((limit(&answer).0, limit(&answer).1), ("RATE_LIMITED", "PERSON"));
    }
    let (_, _, answer) = send(&env.anonymous(), "203.0.113.9", JSON, PAGE).await;
    assert!(answer.get("errors").is_none(), "{answer:.300}");
}

#[tokio::test]
async fn does_not_limit_a_gateways_address() {
    let env = env("0", "1500").await;
    for _ in 0..5 {
        let (_, _, answer) = send(&env.anonymous(), "192.0.2.7", JSON, PAGE).await;
        assert!(answer.get("errors").is_none(), "{answer:.300}");
    }
}

#[tokio::test]
async fn rejects_an_operation_that_costs_more_than_the_whole_budget() {
    let env = env("0", "800").await;
    let (status, wait, answer) = send(&env.anonymous(), "203.0.113.7", RESPONSE, PAGE).await;
    assert_eq!((status, wait, limit(&answer).0), (400, None, "COST_EXCEEDED"));
}

#[tokio::test]
async fn charges_rejected_operations_for_their_parsing() {
    let env = env("0", "100").await;
    let unknown = format!("{{ {} }}", "nothing ".repeat(200));
    let mut codes = Vec::new();
    for _ in 0..5 {
        let (_, _, answer) = send(&env.anonymous(), "203.0.113.7", JSON, &unknown).await;
        codes.push(limit(&answer).0.to_owned());
    }
    assert_eq!(codes, ["BAD_USER_INPUT", "BAD_USER_INPUT", "BAD_USER_INPUT", "RATE_LIMITED", "RATE_LIMITED"]);
}

/// Concurrent operations of a socket.
const MOST: usize = 20;

/// Starts subscriptions on a new socket until one is rejected, and returns how many started and the rejection.
async fn subscriptions(host: &str, from: &str, query: &str) -> (usize, Value) {
    let headers = [("sec-websocket-protocol", "graphql-transport-ws"), ("x-forwarded-for", from)];
    let mut socket = Socket::try_open(host, &headers).await.expect("the handshake succeeds");
    socket.send(&json!({ "type": "connection_init" })).await;
    assert_eq!(socket.receive().await["type"], "connection_ack");
    for running in 0..MOST {
        let payload = json!({ "query": query });
        socket.send(&json!({ "id": running.to_string(), "type": "subscribe", "payload": payload })).await;
        let said = socket.receive().await;
        if said["type"] == "error" {
            return (running, json!({ "errors": said["payload"] }));
        }
    }
    (MOST, Value::Null)
}

#[tokio::test]
async fn charges_the_start_of_a_subscription_and_not_its_events() {
    let env = env("0", "1000").await;
    let fields = "id title { kk ru en } phase version ".repeat(2);
    let query =
        format!("subscription {{ meetings {{ kind meeting {{ {fields} region {{ {} }} }} }} }}", "code ".repeat(160));
    let (running, refused) = subscriptions(&env.host(0), "203.0.113.7", &query).await;
    assert!((3..=6).contains(&running), "{running}");
    assert_eq!((limit(&refused).0, limit(&refused).1), ("RATE_LIMITED", "ADDRESS"), "{refused}");
    let stream = web().post(format!("http://{}/graphql", env.host(0))).header("x-forwarded-for", "203.0.113.7");
    let stream = stream.header("accept", "text/event-stream").json(&json!({ "query": query })).send().await.unwrap();
    assert!(stream.text().await.unwrap().contains("RATE_LIMITED"));
    // Heartbeats and events cost nothing.
    let mut events = env.anonymous().follow("subscription { meetings { kind } }", json!({})).await;
    assert_eq!(events.next().await["kind"], "SUBSCRIBED");
}

#[tokio::test]
async fn limits_the_cost_of_one_subscription_event() {
    let env = TestEnv::start(Engine::Embedded).await;
    let anonymous = env.anonymous();
    let meeting = env.akimat(HOST).live_meeting(HOST, HOST, env.now(), "AFTER").await;
    let page = |items: usize| format!("comments(first: {items}) {{ nodes {{ id body votes }} }}");
    for (query, refused) in [
        (format!("subscription {{ meetings {{ kind meeting {{ id {} }} }} }}", page(100)), false),
        (
            format!(
                "subscription {{ meetings {{ kind meeting {{ id {} region {{ {} }} }} }} }}",
                page(100),
                "code ".repeat(120)
            ),
            true,
        ),
        (
            format!(
                "subscription {{ comments(meetingId: \"{meeting}\") {{ kind comment {{ meeting {{ a: {} }} }} }} }}",
                page(99)
            ),
            false,
        ),
        (
            format!(
                "subscription {{ comments(meetingId: \"{meeting}\") {{ kind comment {{ meeting {{ a: {} b: {} }} }} }} }}",
                page(99),
                page(50)
            ),
            true,
        ),
        (format!("subscription {{ timeSplit(meetingId: \"{meeting}\") {{ {} }} }}", "stage ".repeat(600)), true),
    ] {
        let mut events = anonymous.follow(&query, json!({})).await;
        if refused {
            assert_eq!(events.refused().await, "COST_EXCEEDED", "{query:.200}");
        } else {
            events.next().await;
        }
    }
}

#[tokio::test]
async fn default_budget_allows_ten_thousand_subscribers_from_one_address() {
    let setting = kezdesu::config::SETTINGS.iter().find(|setting| setting.name == "KEZDESU_ADDRESS_COST_A_MINUTE");
    let default: usize = setting.expect("the setting exists").default.parse().unwrap();
    // A thousandth of the budget for a thousandth of the subscribers.
    let env = env("0", &(default / 1000).to_string()).await;
    let meeting = env.akimat(HOST).live_meeting(HOST, HOST, env.now(), "AFTER").await;
    let query = format!(
        "subscription {{ comments(meetingId: \"{meeting}\") {{ seq prev at kind recovered commentId comment {{ \
         id receipt kind body language authorName platform state votes postedAt answer }} }} }}"
    );
    let (running, refused) = subscriptions(&env.host(0), "203.0.113.7", &query).await;
    assert!(running >= 10, "{running} started: {refused}");
}
