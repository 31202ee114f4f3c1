//! Clients that are slow or idle at each point where the service waits for them.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use harness::{
    Actor, Engine, HOST, Process, RawConnection, TestEnv, Tokens,
    external::{anonymous, now, person, settings},
    id_of, token_claims, until,
};
use serde_json::{Value, json};
use tokio::process::Command;

pub(crate) const EVENTS: &str = "text/event-stream";
pub(crate) const PARTS: &str = "multipart/mixed;subscriptionSpec=1.0";

/// Comments of a flood.
pub(crate) const FLOOD: usize = 600;

/// Creates a live meeting with more comments than network buffers hold.
pub(crate) async fn flood(staff: &Actor) -> String {
    let meeting = staff.live_meeting(HOST, HOST, now() + TimeDelta::minutes(1), "AFTER").await;
    pour(staff, &meeting).await;
    meeting
}

/// Imports a flood of comments from a new broadcast.
pub(crate) async fn pour(staff: &Actor, meeting: &str) {
    let known = staff.meeting(meeting).await["broadcasts"].as_array().expect("broadcasts").len();
    let add = json!({ "meetingId": meeting, "platform": "VK", "url": format!("https://vk.example/{known}") });
    let broadcast = id_of(&staff.mutate("addBroadcast", add).await["meeting"]["broadcasts"][known]);
    let body = "ә".repeat(990);
    let comments: Vec<_> = (0..FLOOD)
        .map(|n| json!({ "externalId": n.to_string(), "authorName": "М", "body": format!("{n} {body}"), "postedAt": "2026-03-02T04:00:00Z" }))
        .collect();
    for comments in comments.chunks(150) {
        let import = json!({ "meetingId": meeting, "broadcastId": broadcast, "comments": comments });
        assert_eq!(staff.mutate("importComments", import).await["imported"], comments.len());
    }
}

/// Returns a subscription to all comments of a meeting, about eight kilobytes per event.
pub(crate) fn all_of(meeting: &str) -> Value {
    let fields = "seq kind c0: comment { body } c1: comment { body } c2: comment { body } c3: comment { body }";
    let query = format!("subscription All($id: ID!) {{ comments(meetingId: $id, after: 0) {{ {fields} }} }}");
    json!({ "query": query, "variables": { "id": meeting } })
}

/// Subscribes and then stops reading.
pub(crate) async fn stalled_reader(actor: &Actor, accept: &str, meeting: &str) -> RawConnection {
    let mut raw = RawConnection::post(actor, accept, &all_of(meeting)).await;
    raw.receive_until(b"\"seq\":0").await;
    raw
}

/// Waits until no stream is open on a transport.
pub(crate) async fn none_open(program: &Process, door: &str) {
    let name = format!("kezdesu_streams{{door=\"{door}\"}}");
    until(|| program.metric(&name), || (), |count| count == "0").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closes_a_stream_that_is_not_read_and_keeps_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let program = Process::serve(&settings(dir.path(), &[])).await;
    let staff = person(&program.host, "staff", &["AKIMAT", "CONNECTOR", "CITIZEN"]);
    let meeting = flood(&staff).await;
    let mut neighbour = staff.follow_comments(&meeting, None, "PUBLIC").await;
    let reader = anonymous(&program.host);
    let began = Instant::now();
    let mut parts = stalled_reader(&reader, PARTS, &meeting).await;
    let mut events = stalled_reader(&reader, EVENTS, &meeting).await;
    none_open(&program, "sse").await;
    none_open(&program, "multipart").await;
    assert!(began.elapsed() >= Duration::from_secs(10), "closed too early: {:?}", began.elapsed());
    assert_eq!(program.metric("kezdesu_slow_readers_total").await, "2");
    staff.post(&meeting, "Көрші").await;
    assert_eq!(neighbour.next().await["comment"]["body"], "Көрші");
    assert!(!events.rest().await.ends_with(b"event: complete\ndata:\n\n"), "the stream must not be completed");
    assert!(!parts.rest().await.ends_with(b"--\r\n\r\n0\r\n\r\n"), "the stream must not be completed");
    assert!(program.terminate().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unread_streams_end_with_the_token_and_the_service() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(dir.path(), &[]);
    let program = Process::serve(&settings).await;
    let staff = person(&program.host, "staff", &["AKIMAT", "CONNECTOR"]);
    let meeting = flood(&staff).await;
    // Less than the timeout of slow readers.
    let early = Duration::from_secs(8);

    let mut claims = token_claims("ana", "Ana", &["CITIZEN"], None, now());
    claims["exp"] = json!((now() + TimeDelta::seconds(3)).timestamp());
    let ana = Actor::with_token(&program.host, Tokens.sign(&claims));
    let (_ending, began) = (stalled_reader(&ana, EVENTS, &meeting).await, Instant::now());
    none_open(&program, "sse").await;
    assert!(began.elapsed() < early, "its token has expired: {:?}", began.elapsed());

    let bek = person(&program.host, "bek", &["CITIZEN"]);
    let (_withdrawn, began) = (stalled_reader(&bek, EVENTS, &meeting).await, Instant::now());
    let mut command = Command::new(Process::program());
    let done =
        command.args(["withdraw-tokens", "--subject", "bek", "--no-wait"]).envs(settings).output().await.unwrap();
    assert!(done.status.success(), "{done:?}");
    none_open(&program, "sse").await;
    assert!(began.elapsed() < early, "its token was revoked: {:?}", began.elapsed());

    let (_staying, began) = (stalled_reader(&anonymous(&program.host), EVENTS, &meeting).await, Instant::now());
    assert!(program.terminate().await);
    assert!(began.elapsed() < early, "the service shuts down: {:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_ends_when_its_client_disconnects() {
    let dir = tempfile::tempdir().unwrap();
    let program = Process::serve(&settings(dir.path(), &[])).await;
    let staff = person(&program.host, "staff", &["AKIMAT", "CONNECTOR"]);
    let meeting = flood(&staff).await;
    for (accept, door) in [(EVENTS, "sse"), (PARTS, "multipart")] {
        for is_stuck in [true, false] {
            let client =
                if is_stuck { stalled_reader(&staff, accept, &meeting).await } else { quiet(&staff, accept).await };
            let began = Instant::now();
            drop(client);
            none_open(&program, door).await;
            assert!(began.elapsed() < Duration::from_secs(5), "{door}: {:?}", began.elapsed());
        }
    }
}

/// Subscribes to a feed without events.
async fn quiet(actor: &Actor, accept: &str) -> RawConnection {
    let mut raw = RawConnection::post(actor, accept, &json!({ "query": "subscription { meetings { kind } }" })).await;
    raw.receive_until(b"SUBSCRIBED").await;
    raw
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader_receives_everything_once_and_in_order() {
    let env = TestEnv::start(Engine::Embedded).await;
    let staff = env.person("Staff", &["AKIMAT", "CONNECTOR"], Some(HOST));
    let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
    pour(&staff, &meeting).await;
    let mut reader = stalled_reader(&env.anonymous(), EVENTS, &meeting).await;
    let mut last = 0;
    while last < FLOOD {
        reader.receive_until(b"\ndata: ").await;
        let event: Value = serde_json::from_slice(&reader.receive_until(b"\n").await).unwrap();
        if event["data"]["comments"]["kind"] != "HEARTBEAT" {
            last += 1;
            assert_eq!(event["data"]["comments"]["seq"], last);
        }
        // The timeout is for clients that read nothing.
        env.advance(TimeDelta::milliseconds(20));
    }
}

#[tokio::test]
async fn times_out_waiting_for_a_body() {
    let env = TestEnv::start(Engine::Embedded).await;
    for (language, words) in [("en", "too long"), ("ru", "слишком долго"), ("kk", "тым ұзақ")] {
        let mut slow = RawConnection::to(&env.host(0)).await;
        let head = format!(
            "POST /graphql HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\naccept-language: {language}\r\n\
             content-length: 100\r\n\r\n{{\"query\""
        );
        slow.send(head.as_bytes()).await;
        let mut answer = std::pin::pin!(slow.rest());
        let answer = loop {
            // Advances again until the service has armed its timer.
            if let Ok(answer) = tokio::time::timeout(Duration::from_millis(50), &mut answer).await {
                break String::from_utf8(answer).unwrap();
            }
            env.advance(TimeDelta::seconds(5));
        };
        assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("connection: close\r\n"), "{answer}");
        let body: Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap();
        assert_eq!(body["errors"][0]["extensions"], json!({ "code": "TIMEOUT" }));
        assert!(body["errors"][0]["message"].as_str().unwrap().contains(words), "{body}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn times_out_waiting_for_a_head_but_not_between_requests() {
    let dir = tempfile::tempdir().unwrap();
    let program = Process::serve(&settings(dir.path(), &[])).await;
    let ask = b"GET /graphql/schema HTTP/1.1\r\nhost: a\r\n\r\n";
    let mut kept = RawConnection::to(&program.host).await;
    kept.send(ask).await;
    kept.receive_until(b"\r\n\r\n").await;
    let (mut silent, mut operator) =
        (RawConnection::to(&program.host).await, RawConnection::to(&program.ops_host).await);
    let mut half = RawConnection::to(&program.host).await;
    half.send(b"POST /graphql HTTP/1.1\r\nhost: a\r\ncontent-").await;
    operator.send(b"GET /met").await;
    let began = Instant::now();
    for slow in [&mut half, &mut silent, &mut operator] {
        assert_eq!(slow.rest().await, b"");
    }
    let took = began.elapsed();
    assert!(took >= Duration::from_secs(9) && took < Duration::from_secs(15), "{took:?}");
    kept.send(ask).await;
    kept.receive_until(b"HTTP/1.1 200 OK\r\n").await;
}

/// Opens a socket that answers pings only if the test does.
pub(crate) async fn bare_socket(host: &str) -> RawConnection {
    let mut raw = RawConnection::to(host).await;
    raw.send(
        b"GET /graphql HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
          sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-protocol: graphql-transport-ws\r\n\r\n",
    )
    .await;
    raw.receive_until(b"\r\n\r\n").await;
    raw.send(&frame(0x81, br#"{"type":"connection_init"}"#)).await;
    raw.receive_until(br#"{"type":"connection_ack"}"#).await;
    raw
}

/// Encodes a client frame with a zero mask.
pub(crate) fn frame(first: u8, text: &[u8]) -> Vec<u8> {
    let length = u16::try_from(text.len()).expect("a short text");
    let length =
        if length < 126 { vec![0x80 | length.to_be_bytes()[1]] } else { [&[0xfe], &length.to_be_bytes()[..]].concat() };
    [&[first], &length[..], &[0; 4], text].concat()
}

const PING: [u8; 2] = [0x89, 0];
const PONG: u8 = 0x8a;
const CLOSE: u8 = 0x88;

#[tokio::test]
async fn pings_every_25_seconds_and_closes_after_two_missed_pongs() {
    let env = TestEnv::start(Engine::Embedded).await;
    let host = env.host(0);
    let (mut gone, mut there, mut early) =
        (bare_socket(&host).await, bare_socket(&host).await, bare_socket(&host).await);
    for round in 1..=4 {
        env.advance(TimeDelta::milliseconds(24_999));
        // A ping sent too early would arrive before this pong.
        early.send(&frame(0x81, br#"{"type":"ping"}"#)).await;
        assert_eq!(early.receive(17).await[2..], *br#"{"type":"pong"}"#);
        env.advance(TimeDelta::milliseconds(1));
        for answers in [&mut early, &mut there] {
            assert_eq!(answers.receive(2).await, PING);
            answers.send(&frame(PONG, b"")).await;
        }
        match round {
            1 | 2 => assert_eq!(gone.receive(2).await, PING),
            3 => {
                let close = gone.receive(4).await;
                assert_eq!((close[0], u16::from_be_bytes([close[2], close[3]])), (CLOSE, 1001));
            }
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn times_out_a_subscription_that_cannot_start() {
    let env = TestEnv::start(Engine::Production).await;
    let staff = env.akimat(HOST);
    let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
    let anonymous = env.anonymous();
    let held = env.hold("LOCK TABLE feed_epoch IN ACCESS EXCLUSIVE MODE").await;
    let streamed = async |accept: &'static str| {
        let body = json!({ "query": "subscription { meetings { kind } }" });
        let answer = anonymous.request().header("accept", accept).json(&body).send().await.unwrap();
        answer.text().await.unwrap()
    };
    let all = async {
        let mut live = anonymous.begin_comments(&meeting, None, "PUBLIC").await;
        tokio::join!(async { live.refused().await }, streamed(EVENTS), streamed(PARTS))
    };
    let mut all = std::pin::pin!(all);
    let (socket, events, parts) = loop {
        // Only paces the clock.
        if let Ok(refused) = tokio::time::timeout(Duration::from_millis(25), &mut all).await {
            break refused;
        }
        env.advance(TimeDelta::seconds(1));
    };
    assert_eq!(socket, "TIMEOUT");
    for text in [events, parts] {
        assert!(text.contains(r#""code":"TIMEOUT""#), "{text}");
    }
    drop(held);
    let mut live = anonymous.follow_comments(&meeting, None, "PUBLIC").await;
    env.citizen("Ana").post(&meeting, "Жол?").await;
    assert_eq!(live.next().await["kind"], "POSTED");
}
