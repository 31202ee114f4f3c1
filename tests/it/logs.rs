//! The access log: one line per operation and per ended subscription on every transport, without client-controlled
//! text.

use chrono::TimeDelta;
use harness::{
    Actor, Process, RawConnection, Socket, Tokens,
    external::{anonymous, now, person, settings},
    token_claims, until, web,
};
use kezdesu::store::Store;
use serde_json::{Map, Value, json};
use tokio::process::Command;

use crate::slow_clients::{EVENTS, PARTS, all_of, bare_socket, flood, frame, pour, stalled_reader};

const WHO: &str = "query Who { viewer { subject } }";

/// The log of a running program, and its settings.
struct Log {
    dir: tempfile::TempDir,
    settings: Vec<(String, String)>,
}

/// Starts a program that logs in this format.
async fn logging(format: &str) -> (Process, Log) {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(dir.path(), &[("KEZDESU_LOG_FORMAT", format.to_owned())]);
    let program = Process::serve_logging(&settings, "info", &dir.path().join("log")).await;
    (program, Log { dir, settings })
}

impl Log {
    fn text(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).expect("a log")
    }

    /// Returns the fields of all lines with this message, without `ms`, which is checked.
    fn lines(&self, message: &str) -> Vec<Value> {
        let text = self.text();
        // The last line may be incomplete.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let lines = whole.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        let fields = lines.filter(|line| line["fields"]["message"] == message).map(|line| line["fields"].clone());
        fields
            .map(|fields| {
                let Value::Object(mut fields) = fields else { panic!("fields is not an object") };
                fields.remove("message");
                assert!(fields.remove("ms").and_then(|ms| ms.as_i64()).is_some_and(|ms| (0..60_000).contains(&ms)));
                Value::Object(fields)
            })
            .collect()
    }

    /// Waits for this many lines of ended subscriptions, and returns all.
    async fn ended(&self, count: usize) -> Vec<Value> {
        until(async || self.lines("graphql.subscription"), || (), |lines| lines.len() >= count).await
    }
}

fn told(door: &str, operation: &str, name: Option<&str>, who: (&str, &str)) -> Value {
    let mut line = Map::new();
    for (field, value) in [("door", Some(door)), ("operation", Some(operation)), ("name", name)] {
        // Unknown fields are omitted.
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            line.insert(field.to_owned(), json!(value));
        }
    }
    line.insert("viewer".to_owned(), json!(who.0));
    line.insert("code".to_owned(), json!(who.1));
    Value::Object(line)
}

/// Returns the expected line of an ended subscription.
fn subscription(door: &str, viewer: &str, code: &str, reason: &str) -> Value {
    json!({ "door": door, "name": "All", "viewer": viewer, "code": code, "reason": reason })
}

/// Removes the number of events from a line, after checking its minimum.
fn with_events(mut line: Value, least: u64) -> Value {
    let events = line.as_object_mut().and_then(|fields| fields.remove("events"));
    assert!(events.as_ref().and_then(Value::as_u64).is_some_and(|events| events >= least), "{line} {events:?}");
    line
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logs_one_line_per_operation() {
    let (program, log) = logging("json").await;
    let host = program.host.clone();
    let (ana, visitor) = (person(&host, "ana", &["CITIZEN"]), anonymous(&host));
    let address = format!("http://{host}/graphql");
    let mut expected = Vec::new();

    ana.query(WHO, json!({})).await;
    expected.push(told("post", "query", Some("Who"), ("person", "OK")));
    ana.query("{ viewer { subject } }", json!({})).await;
    expected.push(told("post", "query", None, ("person", "OK")));
    let two = json!({ "query": format!("{WHO} query Other {{ viewer {{ roles }} }}"), "operationName": "Other" });
    visitor.request().json(&two).send().await.unwrap();
    expected.push(told("post", "query", Some("Other"), ("anonymous", "OK")));
    let end =
        "mutation End { endMeeting(input: { meetingId: \"mtg_00000000000000000000000000\" }) { refusal { code } } }";
    visitor.error(end, json!({})).await;
    expected.push(told("post", "mutation", Some("End"), ("anonymous", "UNAUTHENTICATED")));
    visitor.error("query Typo { nothing }", json!({})).await;
    expected.push(told("post", "query", Some("Typo"), ("anonymous", "BAD_USER_INPUT")));
    visitor
        .request()
        .header("accept", EVENTS)
        .json(&json!({ "query": WHO }))
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    expected.push(told("post", "query", Some("Who"), ("anonymous", "OK")));
    web().get(&address).query(&[("query", WHO)]).send().await.unwrap();
    expected.push(told("get", "query", Some("Who"), ("anonymous", "OK")));

    let mut socket = ana.socket().await;
    for (query, line) in [
        (WHO, told("websocket", "query", Some("Who"), ("person", "OK"))),
        (end, told("websocket", "mutation", Some("End"), ("person", "OK"))),
        ("query Typo { nothing }", told("websocket", "query", Some("Typo"), ("person", "BAD_USER_INPUT"))),
        ("", told("websocket", "query", None, ("person", "BAD_USER_INPUT"))),
    ] {
        socket.send(&json!({ "id": "1", "type": "subscribe", "payload": { "query": query } })).await;
        while socket.receive().await["type"] == "next" {}
        expected.push(line);
    }
    socket.send(&json!({ "id": "1", "type": "subscribe", "payload": { "query": 1 } })).await;
    assert_eq!(socket.receive().await["type"], "error");
    expected.push(told("websocket", "", None, ("person", "BAD_USER_INPUT")));

    assert_eq!(log.lines("graphql.request"), expected);
    let count = |code: &str| expected.iter().filter(|line| line["code"] == code).count().to_string();
    for code in ["OK", "BAD_USER_INPUT", "UNAUTHENTICATED"] {
        let name = format!("kezdesu_requests_total{{code=\"{code}\"}}");
        assert_eq!(program.metric(&name).await, count(code), "{code}");
    }
    assert_eq!(log.lines("graphql.subscription"), [] as [Value; 0]);
    assert!(program.terminate().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logs_one_line_per_rejected_request() {
    let (program, log) = logging("json").await;
    let host = program.host.clone();
    let address = format!("http://{host}/graphql");
    let post = || web().post(&address);
    let who = json!({ "query": WHO });
    let mut expected = Vec::new();
    let json = "application/json";
    for (request, status, door, viewer, code) in [
        (post().bearer_auth("no.token.this").json(&who), 401, "post", "unknown", "UNAUTHENTICATED"),
        (post().header("origin", "https://evil.example").json(&who), 403, "post", "unknown", "FORBIDDEN"),
        (
            web().get(&address).query(&[("query", "mutation M { endMeeting }")]),
            405,
            "get",
            "anonymous",
            "BAD_USER_INPUT",
        ),
        (web().put(&address), 405, "other", "unknown", "BAD_USER_INPUT"),
        (post().header("accept", "text/html").json(&who), 406, "post", "unknown", "BAD_USER_INPUT"),
        (post().header("content-type", json).body("x".repeat(2 << 20)), 413, "post", "unknown", "BAD_USER_INPUT"),
        (post().body("{}"), 415, "post", "unknown", "BAD_USER_INPUT"),
        (post().header("content-type", json).body("{"), 400, "post", "unknown", "BAD_USER_INPUT"),
        (web().get(&address), 400, "get", "unknown", "BAD_USER_INPUT"),
        (
            post().json(&json!({ "query": "subscription S { meetings { kind } }" })),
            400,
            "post",
            "anonymous",
            "BAD_USER_INPUT",
        ),
    ] {
        assert_eq!(request.send().await.unwrap().status(), status);
        expected.push(told(door, "", None, (viewer, code)));
    }
    for (header, status, code) in [
        (("sec-websocket-protocol", "graphql-ws"), 400, "BAD_USER_INPUT"),
        (("origin", "https://evil.example"), 403, "FORBIDDEN"),
    ] {
        assert_eq!(Socket::try_open(&host, &[header]).await.map(drop), Err(status));
        expected.push(told("websocket", "", None, ("unknown", code)));
    }
    assert_eq!(log.lines("graphql.request"), expected);
    let name = "kezdesu_requests_total{code=\"BAD_USER_INPUT\"}";
    assert_eq!(program.metric(name).await, "9");
    assert!(program.terminate().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logs_why_each_subscription_ended() {
    let (program, log) = logging("json").await;
    let host = program.host.clone();
    let staff = person(&host, "staff", &["AKIMAT", "CONNECTOR"]);
    let meeting = flood(&staff).await;
    let follows = async |actor: &Actor| {
        let mut socket = actor.socket().await;
        socket.send(&json!({ "id": "1", "type": "subscribe", "payload": all_of(&meeting) })).await;
        assert_eq!(socket.receive().await["type"], "next");
        socket
    };
    let mut seen = 0;
    let mut said = async |log: &Log, expected: &[Value], least: u64| {
        let lines = log.ended(seen + expected.len()).await;
        let mut new: Vec<_> = lines[seen..].iter().map(|line| with_events(line.clone(), least).to_string()).collect();
        let mut expected: Vec<_> = expected.iter().map(Value::to_string).collect();
        new.sort_unstable();
        expected.sort_unstable();
        assert_eq!(new, expected);
        seen = lines.len();
    };

    let unknown = all_of("mtg_00000000000000000000000000");
    let mut socket = staff.socket().await;
    socket.send(&json!({ "id": "1", "type": "subscribe", "payload": unknown })).await;
    assert_eq!(socket.receive().await["type"], "error");
    said(&log, &[subscription("websocket", "person", "NOT_FOUND", "error")], 0).await;
    for (accept, door) in [(EVENTS, "sse"), (PARTS, "multipart")] {
        anonymous(&host).request().header("accept", accept).json(&unknown).send().await.unwrap().text().await.unwrap();
        said(&log, &[subscription(door, "anonymous", "NOT_FOUND", "error")], 0).await;
    }

    let mut socket = follows(&staff).await;
    socket.send(&json!({ "id": "1", "type": "complete" })).await;
    said(&log, &[subscription("websocket", "person", "OK", "client")], 1).await;
    drop(follows(&anonymous(&host)).await);
    said(&log, &[subscription("websocket", "anonymous", "OK", "client")], 1).await;
    for (accept, door) in [(EVENTS, "sse"), (PARTS, "multipart")] {
        drop(stalled_reader(&staff, accept, &meeting).await);
        said(&log, &[subscription(door, "person", "OK", "client")], 1).await;
    }

    let all = |viewer, reason| ["websocket", "sse", "multipart"].map(|door| subscription(door, viewer, "OK", reason));
    let mut claims = token_claims("bek", "Bek", &["CITIZEN"], None, now());
    claims["exp"] = json!((now() + TimeDelta::seconds(5)).timestamp());
    let ends = Actor::with_token(&host, Tokens.sign(&claims));
    let _open = (
        follows(&ends).await,
        stalled_reader(&ends, EVENTS, &meeting).await,
        stalled_reader(&ends, PARTS, &meeting).await,
    );
    said(&log, &all("person", "token"), 1).await;

    let gone = person(&host, "gone", &["CITIZEN"]);
    let _open = (
        follows(&gone).await,
        stalled_reader(&gone, EVENTS, &meeting).await,
        stalled_reader(&gone, PARTS, &meeting).await,
    );
    let mut command = Command::new(Process::program());
    let settings = log.settings.clone();
    let done = command.args(["withdraw-tokens", "--subject", "gone"]).envs(settings).output().await.unwrap();
    assert!(done.status.success(), "{done:?}");
    said(&log, &all("person", "token"), 1).await;

    let visitor = anonymous(&host);
    let _open = (
        stuck_socket(&host, &meeting).await,
        stalled_reader(&visitor, EVENTS, &meeting).await,
        stalled_reader(&visitor, PARTS, &meeting).await,
    );
    said(&log, &all("anonymous", "slow_reader"), 1).await;

    // More than the service keeps in memory for subscribers.
    let long = flood(&staff).await;
    pour(&staff, &long).await;
    pour(&staff, &long).await;
    let mut late = [
        stuck_socket(&host, &long).await,
        stalled_reader(&visitor, EVENTS, &long).await,
        stalled_reader(&visitor, PARTS, &long).await,
    ];
    forget(&log).await;
    let ends = [&b"\"type\":\"complete\""[..], b"event: complete\ndata:\n\n", b"\r\n4\r\n--\r\n"];
    for (reader, end) in late.iter_mut().zip(ends) {
        reader.receive_until(end).await;
    }
    said(&log, &all("anonymous", "behind"), 1).await;

    let _open = (
        follows(&visitor).await,
        stalled_reader(&visitor, EVENTS, &meeting).await,
        stalled_reader(&visitor, PARTS, &meeting).await,
    );
    assert!(program.terminate().await);
    said(&log, &all("anonymous", "draining"), 1).await;
    assert_eq!(log.ended(0).await.len(), seen, "no line twice");
}

/// Subscribes on a socket and then stops reading.
async fn stuck_socket(host: &str, meeting: &str) -> RawConnection {
    let mut raw = bare_socket(host).await;
    let message = json!({ "id": "1", "type": "subscribe", "payload": all_of(meeting) });
    raw.send(&frame(0x81, message.to_string().as_bytes())).await;
    raw.receive_until(b"\"seq\":0").await;
    raw
}

/// Trims long feeds to the newest events, like the retention job.
async fn forget(log: &Log) {
    let url = format!("sqlite:{}", log.dir.path().join("kezdesu.db").display());
    let store = Store::connect(&url, 1).await.expect("the database of the program");
    for feed in store.long_feeds("comments", 1_000).await.unwrap() {
        let tx = store.begin().await.unwrap();
        let head = tx.lock_feed(&feed).await.unwrap();
        tx.delete_events(&feed, head - 10).await.unwrap();
        tx.commit().await.unwrap();
    }
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sanitises_client_text_in_the_log() {
    let name = format!("x\r\nforged\u{1b}[31m\u{2028}\"}}{}", "y".repeat(100));
    let written = format!("xforged31m{}", "y".repeat(54));
    for format in ["text", "json"] {
        let (program, log) = logging(format).await;
        let visitor = anonymous(&program.host);
        let subscription = "subscription { meetings { kind } }";
        for (accept, query) in [("application/json", WHO), (EVENTS, WHO), (EVENTS, subscription), (PARTS, subscription)]
        {
            let body = json!({ "query": query, "operationName": name });
            visitor.request().header("accept", accept).json(&body).send().await.unwrap().text().await.unwrap();
        }
        let mut socket = visitor.socket().await;
        for query in [WHO, subscription] {
            let payload = json!({ "query": query, "operationName": name });
            socket.send(&json!({ "id": "1", "type": "subscribe", "payload": payload })).await;
            assert_eq!(socket.receive().await["type"], "error");
        }
        assert!(program.terminate().await);
        let text = log.text();
        assert_eq!(text.lines().filter(|line| line.contains(&written)).count(), 6, "{format}: {text}");
        assert!(
            !text.contains("\u{1b}[31m") && !text.contains('\u{2028}') && !text.contains("[31m"),
            "{format}: {text}"
        );
        assert!(text.lines().all(|line| !line.starts_with("forged") && !line.is_empty()), "{format}: {text}");
    }
}
