//! WebSocket close codes: client closes, protocol errors, floods and bad credentials.

use std::time::Duration;

use chrono::TimeDelta;
use harness::{
    Engine, HOST, Process, RawWebSocket, Socket, TIMEOUT, TestEnv,
    external::{now, person, settings_on},
    frame, node, python, until,
};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection};
use serde_json::{Value, json};

const TEXT: u8 = 0x81;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;
const CLOSE: u8 = 0x88;

async fn embedded() -> TestEnv {
    TestEnv::start(Engine::Embedded).await
}

#[tokio::test]
async fn answers_a_close_with_a_close() {
    let env = embedded().await;
    for (sent, answered) in [
        (&b""[..], 1005),
        (&[3, 232], 1000),
        (&[3, 233, b'b', b'y', b'e'], 1001),
        (&[15, 160], 4000),
        (&[0, 1], 1002),
        (&[3, 237], 1002),
        (&[3], 1002),
        (&[3, 232, 0xff], 1007),
    ] {
        for introduced in [false, true] {
            let host = env.host(0);
            let mut socket =
                if introduced { RawWebSocket::introduced(&host).await } else { RawWebSocket::open(&host).await };
            socket.send(CLOSE, sent).await;
            assert_eq!(socket.close_code().await, answered, "{sent:?}");
        }
    }
}

#[tokio::test]
async fn answers_a_close_while_operations_run() {
    let env = embedded().await;
    let mut socket = RawWebSocket::introduced(&env.host(0)).await;
    for id in ["1", "2"] {
        let payload = json!({ "query": "subscription { meetings { kind } }" });
        socket.send(TEXT, json!({ "id": id, "type": "subscribe", "payload": payload }).to_string().as_bytes()).await;
        socket.next().await.expect("the subscription starts");
    }
    socket.send(CLOSE, &[3, 232]).await;
    assert_eq!(socket.close_code().await, 1000);
}

/// Concatenates the parts of a frame.
fn bare(bytes: &[&[u8]]) -> Vec<u8> {
    bytes.concat()
}

#[tokio::test]
async fn closes_a_socket_for_a_broken_frame_with_its_code() {
    let env = embedded().await;
    let mask = &[0; 4][..];
    for (what, bytes, code) in [
        ("text that is not UTF-8", frame(TEXT, &[b'{', 0xff, b'}']), 1007),
        ("fragments that are not UTF-8", bare(&[&frame(0x01, &[0xd0]), &frame(0x80, &[0x20])]), 1007),
        ("an unmasked frame", bare(&[&[TEXT, 2], b"{}"]), 1002),
        ("the first reserved bit", frame(0xc1, b"{}"), 1002),
        ("the second reserved bit", frame(0xa1, b"{}"), 1002),
        ("the third reserved bit", frame(0x91, b"{}"), 1002),
        ("an unknown data opcode", frame(0x83, b""), 1002),
        ("an unknown control opcode", frame(0x8b, b""), 1002),
        ("a long ping", frame(PING, &[0; 126]), 1002),
        ("a long close", frame(CLOSE, &[[3, 232].as_slice(), &[b'a'; 124]].concat()), 1002),
        ("a fragmented ping", frame(0x09, b""), 1002),
        ("a continuation of nothing", frame(0x80, b"{}"), 1002),
        ("a text within a text", bare(&[&frame(0x01, b"{"), &frame(TEXT, b"}")]), 1002),
        ("bytes", frame(0x82, b"{}"), 4400),
        ("a message that is too large", bare(&[&[TEXT, 0xff], &(1_u64 << 20).to_be_bytes(), mask]), 1009),
        ("fragments that are too large", [frame(0x01, &[b' '; 40_000]), frame(0x80, &[b' '; 40_000])].concat(), 1009),
    ] {
        for introduced in [false, true] {
            let host = env.host(0);
            let mut socket =
                if introduced { RawWebSocket::introduced(&host).await } else { RawWebSocket::open(&host).await };
            socket.raw.send(&bytes).await;
            // Later frames are ignored, and must not prevent the Close from arriving.
            socket.raw.send(&frame(TEXT, br#"{"type":"ping"}"#)).await;
            assert_eq!(socket.close_code().await, code, "{what}");
        }
    }
}

/// Parses the reports of a client script.
fn said(lines: &str) -> Vec<Value> {
    lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn closes_and_breaks(client: &str, said: &[Value]) {
    for one in said {
        if let Some(closes) = one["closes"].as_u64() {
            assert_eq!((one["code"].as_u64(), &one["clean"]), (Some(closes), &json!(true)), "{client}: {one}");
        } else if one["closes"].is_string() {
            assert_eq!((&one["code"], &one["clean"]), (&json!(1000), &json!(true)), "{client}: {one}");
        } else {
            let code = if one["breaks"] == "text" { 1007 } else { 1002 };
            assert_eq!(one["code"], code, "{client}: {one}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closes_cleanly_with_ws_and_graphql_ws() {
    let env = embedded().await;
    let said = said(&node("clients/closes.mjs", &[&env.host(0)]).await);
    assert_eq!(said.len(), 9, "{said:?}");
    closes_and_breaks("node", &said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closes_cleanly_with_python() {
    let env = embedded().await;
    let Some(lines) = python("closes.py", &[&env.host(0)]).await else { return };
    let said = said(&lines);
    assert_eq!(said.len(), 6, "{said:?}");
    closes_and_breaks("python", &said);
}

#[tokio::test]
async fn closes_a_socket_whose_authorization_is_not_a_string() {
    let env = embedded().await;
    let opened = async |payload: Value| {
        let mut socket = Socket::open(&env.host(0)).await;
        socket.send(&json!({ "type": "connection_init", "payload": payload })).await;
        socket
    };
    for payload in [
        json!({ "authorization": 7 }),
        json!({ "authorization": ["Bearer x"] }),
        json!({ "authorization": { "Bearer": "x" } }),
        json!({ "authorization": false }),
        json!({ "AUTHORIZATION": 7 }),
        json!({ "authorization": "", "Authorization": "Bearer x" }),
    ] {
        let mut socket = opened(payload.clone()).await;
        let (code, reason) = socket.close_frame().await;
        assert_eq!((code, reason.is_empty()), (4403, false), "{payload}");
    }
    for payload in [json!({ "authorization": null }), json!({ "language": 7 }), Value::Null] {
        assert_eq!(opened(payload).await.receive().await["type"], "connection_ack");
    }
}

/// Returns messages that a client could send repeatedly without running anything.
fn floods() -> Vec<(&'static str, Vec<u8>)> {
    let text = |value: Value| frame(TEXT, value.to_string().as_bytes());
    let payload = json!({ "query": "{ nothing }" });
    vec![
        ("pings", frame(PING, b"x")),
        ("pongs", frame(PONG, b"")),
        ("pings of the protocol", text(json!({ "type": "ping" }))),
        ("pongs of the protocol", text(json!({ "type": "pong" }))),
        ("ends of nothing", text(json!({ "type": "complete", "id": "none" }))),
        ("malformed operations", text(json!({ "type": "subscribe", "id": "1", "payload": { "query": 1 } }))),
        ("unknown documents", text(json!({ "type": "subscribe", "id": "1", "payload": { "documentId": "none" } }))),
        ("operations that are refused", text(json!({ "type": "subscribe", "id": "1", "payload": payload }))),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closes_a_socket_that_sends_too_many_messages() {
    let env = embedded().await;
    for (what, one) in floods() {
        let mut socket = RawWebSocket::introduced(&env.host(0)).await;
        // Faster than any honest client, but within the limit.
        for _ in 0..3 {
            for _ in 0..100 {
                socket.raw.send(&one).await;
                if what.contains("operations") || what.contains("documents") {
                    socket.next().await.expect("a refusal");
                }
            }
            env.advance(TimeDelta::seconds(1));
        }
        socket.send(TEXT, br#"{"type":"ping","payload":7}"#).await;
        let pong = br#"{"payload":7,"type":"pong"}"#;
        while socket.next().await.expect("the socket is still open").1 != pong {}
        for _ in 0..2_000 {
            // The socket may be closed meanwhile.
            if socket.raw.try_send(&one).await.is_err() {
                break;
            }
            if what == "operations that are refused" {
                // One at a time, since the id is in use until it is rejected.
                match socket.next().await {
                    Some((TEXT, _)) => {}
                    Some((CLOSE, close)) => {
                        assert_eq!(close[..2], 1008_u16.to_be_bytes(), "{what}");
                        break;
                    }
                    other => panic!("{what}: {other:?}"),
                }
            }
        }
        if what != "operations that are refused" {
            assert_eq!(socket.close_code().await, 1008, "{what}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_may_complete_many_operations_at_once() {
    let env = TestEnv::with(Engine::Embedded, &[("KEZDESU_GATEWAYS", "127.0.0.0/8")]).await;
    let mut socket = RawWebSocket::introduced(&env.host(0)).await;
    for n in 0..10_000 {
        socket.send(TEXT, json!({ "type": "complete", "id": n.to_string() }).to_string().as_bytes()).await;
    }
    socket.send(TEXT, br#"{"type":"ping"}"#).await;
    assert_eq!(socket.next().await, Some((TEXT, br#"{"type":"pong"}"#.to_vec())));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stops_reading_from_a_peer_that_reads_no_pong() {
    // As a gateway, which is not closed for the number of its pings.
    let env = TestEnv::with(Engine::Embedded, &[("KEZDESU_GATEWAYS", "127.0.0.0/8")]).await;
    let filler = "a".repeat(1_000);
    for (what, one) in [
        ("pings", frame(PING, &[0; 125])),
        ("pings of the protocol", frame(TEXT, json!({ "type": "ping", "payload": filler }).to_string().as_bytes())),
    ] {
        let mut socket = RawWebSocket::introduced(&env.host(0)).await;
        let many = one.repeat(64);
        let given_up = async {
            let mut flood = std::pin::pin!(socket.raw.flood(&many));
            loop {
                // Once it is blocked, advances the clock until it is closed.
                match tokio::time::timeout(Duration::from_millis(200), &mut flood).await {
                    Ok(taken) => break taken,
                    Err(_) => env.advance(TimeDelta::seconds(1)),
                }
            }
        };
        let taken = tokio::time::timeout(TIMEOUT, given_up).await.expect("the socket is closed in time");
        assert!(taken < 64 << 20, "{what}: {taken} bytes were read from a peer that reads nothing");
        let rest = socket.raw.rest().await;
        assert!(!rest.contains(&CLOSE), "{what}: no Close can reach a blocked peer");
    }
}

/// A lock that blocks all commits, like a hanging disk.
struct CommitLock(DatabaseConnection);

impl CommitLock {
    async fn acquire(settings: &[(String, String)], dir: &std::path::Path) -> Self {
        let url = settings.iter().find(|(name, _)| name == "KEZDESU_DATABASE_URL");
        let embedded = format!("sqlite:{}", dir.join("kezdesu.db").display());
        let mut options = ConnectOptions::new(url.map_or(embedded, |(_, url)| url.clone()));
        options.max_connections(1);
        let connection = Database::connect(options).await.expect("the database answers");
        let acquire =
            if url.is_some() { "BEGIN; LOCK TABLE comments IN ACCESS EXCLUSIVE MODE" } else { "BEGIN IMMEDIATE" };
        connection.execute_unprepared(acquire).await.expect("the lock is taken");
        Self(connection)
    }

    async fn release(self) {
        self.0.execute_unprepared("ROLLBACK").await.expect("the lock is released");
    }
}

async fn counts_what_was_completed_until_it_has_ended(engine: Engine) {
    let dir = tempfile::tempdir().unwrap();
    let mut settings = settings_on(dir.path(), engine).await;
    settings.push(("KEZDESU_SOCKET_OPERATIONS".to_owned(), "3".to_owned()));
    // The metric of running operations needs a concurrency limit.
    settings.push(("KEZDESU_CONCURRENT_OPERATIONS".to_owned(), "256".to_owned()));
    let program = Process::serve(&settings).await;
    let staff = person(&program.host, "staff", &["AKIMAT"]);
    let meeting = staff.live_meeting(HOST, HOST, now() + TimeDelta::minutes(1), "AFTER").await;
    let ana = person(&program.host, "ana", &["CITIZEN"]);
    let mut socket = ana.socket().await;
    let post = |id: &str, n: usize| {
        let query =
            "mutation($input: PostCommentInput!) { postComment(input: $input) { comment { id } refusal { code } } }";
        let input = json!({ "meetingId": meeting, "body": format!("Сұрақ {n}") });
        json!({ "id": id, "type": "subscribe", "payload": { "query": query, "variables": { "input": input } } })
    };
    let lock = CommitLock::acquire(&settings, dir.path()).await;
    for n in 0..3 {
        // A client may reuse an id after completing it.
        socket.send(&post("1", n)).await;
        // An operation that has not started would be cancelled by `complete`.
        let running = || program.metric("kezdesu_operations_running{operation=\"mutation\"}");
        until(running, || (), |running| *running == (n + 1).to_string()).await;
        socket.send(&json!({ "id": "1", "type": "complete" })).await;
    }
    for n in 3..6 {
        socket.send(&post("2", n)).await;
        let refused = socket.receive().await;
        assert_eq!((&refused["id"], &refused["type"]), (&json!("2"), &json!("error")), "{refused}");
        assert_eq!(
            refused["payload"][0]["extensions"]["code"], "COST_EXCEEDED",
            "completed operations count until their work ends"
        );
    }
    lock.release().await;
    until(|| staff.meeting(&meeting), || (), |meeting| meeting["commentsHead"] == 3).await;
    socket.send(&json!({ "id": "3", "type": "subscribe", "payload": { "query": "{ viewer { subject } }" } })).await;
    assert_eq!(socket.receive().await["type"], "next", "the slots are free again");
    assert!(program.terminate().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counts_a_completed_operation_until_its_work_ends_embedded() {
    counts_what_was_completed_until_it_has_ended(Engine::Embedded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counts_a_completed_operation_until_its_work_ends_production() {
    counts_what_was_completed_until_it_has_ended(Engine::Production).await;
}
