//! Trace export, and logs without personal data.

use std::sync::Arc;

use chrono::TimeDelta;
use harness::{
    HOST, Process,
    external::{now, person, settings},
    id_of, until, web,
};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::Mutex,
};

/// Starts a collector that keeps everything it receives.
async fn collector() -> (String, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    let heard = Arc::new(Mutex::new(Vec::new()));
    let all = Arc::clone(&heard);
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            let all = Arc::clone(&all);
            tokio::spawn(async move {
                let mut bytes = Vec::new();
                let body = loop {
                    let mut part = [0; 4096];
                    let Ok(count @ 1..) = connection.read(&mut part).await else { return };
                    bytes.extend_from_slice(&part[..count]);
                    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
                    let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
                    let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
                    let length: usize = length.expect("a length").parse().expect("a number");
                    if bytes.len() >= end + 4 + length {
                        break end + 4;
                    }
                };
                all.lock().await.extend_from_slice(&bytes[body..]);
                let _ =
                    connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
            });
        }
    });
    (address, heard)
}

#[tokio::test(flavor = "multi_thread")]
async fn continues_the_trace_of_the_caller() {
    let dir = tempfile::tempdir().unwrap();
    let (collector, heard) = collector().await;
    let program = Process::serve(&settings(
        dir.path(),
        &[("KEZDESU_OTLP", collector), ("KEZDESU_TRUSTED_PROXIES", "127.0.0.1".to_owned())],
    ))
    .await;
    let staff = person(&program.host, "staff", &["AKIMAT"]);
    staff.live_meeting(HOST, HOST, now() + TimeDelta::hours(1), "AFTER").await;
    let trace: [u8; 16] = *b"kezdesu-trace-01";
    let hex: String = trace.iter().map(|byte| format!("{byte:02x}")).collect();
    let request = web().post(format!("http://{}/graphql", program.host));
    let request = request.header("traceparent", format!("00-{hex}-00f067aa0ba902b7-01"));
    let body = json!({ "query": "query WhoAmI { viewer { subject } }", "operationName": "WhoAmI" });
    assert_eq!(request.json(&body).send().await.unwrap().status(), 200);
    // Pending spans are exported at shutdown.
    assert!(program.terminate().await);
    let heard = heard.lock().await;
    let holds = |part: &[u8]| heard.windows(part.len()).any(|window| window == part);
    assert!(holds(b"graphql.request") && holds(b"store.tx") && holds(b"WhoAmI"));
    assert!(holds(&trace), "the span must belong to the caller's trace");
}

#[tokio::test(flavor = "multi_thread")]
async fn aggregates_histograms_without_scrapes() {
    let dir = tempfile::tempdir().unwrap();
    let (collector, heard) = collector().await;
    let program = Process::serve(&settings(dir.path(), &[("KEZDESU_OTLP", collector)])).await;
    // The span of the job is its only visible effect.
    let holds = async || heard.lock().await.windows(10).any(|window| window == b"histograms");
    until(holds, || {}, |found| *found).await;
    assert!(program.terminate().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_no_token_text_or_name_at_trace_level() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    let program = Process::serve_logging(&settings(dir.path(), &[]), "trace,tungstenite::protocol=trace", &log).await;
    let staff = person(&program.host, "staff", &["AKIMAT", "MODERATOR"]);
    let canary = person(&program.host, "canary-subject", &["CITIZEN"]);
    let meeting = staff.live_meeting(HOST, HOST, now() + TimeDelta::hours(1), "AFTER").await;
    let mut live = canary.follow_comments(&meeting, None, "PUBLIC").await;
    let id = id_of(&canary.post(&meeting, "canary-body").await);
    assert_eq!(live.next().await["kind"], "POSTED");
    let stream = web().post(format!("http://{}/graphql", program.host)).header("accept", "text/event-stream");
    let stream = stream.bearer_auth(canary.token.as_deref().expect("a token"));
    let query = "query Streamed { viewer { subject displayName } }";
    let answer = stream.json(&json!({ "query": query, "operationName": "Streamed" })).send().await.unwrap();
    let text = answer.text().await.unwrap();
    assert!(
        text.starts_with("event: next\ndata: {\"data\":{\"viewer\":") && text.ends_with("event: complete\ndata:\n\n"),
        "{text}"
    );
    staff.mutate("answerComment", json!({ "commentId": id, "answer": "canary-answer" })).await;
    let refused = json!({ "meetingId": meeting, "body": "canary-refused".repeat(200) });
    canary.mutate("postComment", refused).await;
    canary.error("{ canaryField(text: \"canary-text\") }", json!({})).await;
    let bad = web().post(format!("http://{}/graphql", program.host)).bearer_auth("canary.bad.token");
    assert_eq!(bad.json(&json!({ "query": "{ viewer { subject } }" })).send().await.unwrap().status(), 401);
    let malformed = web().post(format!("http://{}/graphql", program.host)).header("content-type", "application/json");
    assert_eq!(malformed.body("canary-broken {").send().await.unwrap().status(), 400);
    assert!(program.terminate().await);
    let text = std::fs::read_to_string(log).unwrap();
    assert!(text.contains("graphql.request") && text.contains("graphql.subscription"), "the log is not empty");
    assert!(text.contains("Streamed"), "operations of every transport are logged");
    let token = canary.token.as_deref().expect("a token");
    let signature = token.rsplit('.').next().expect("a signature");
    for line in text.lines() {
        assert!(!line.contains("canary") && !line.contains(signature), "{line}");
    }
}
