//! Operations whose clients have gone.

use harness::{
    Process, Socket,
    external::{anonymous, settings},
    until,
};
use serde_json::json;

/// A query near the limit of statements.
const HEAVY: &str =
    "{ regions(first: 20) { nodes { a: meetings(first: 1) { totalCount } b: meetings(first: 1) { totalCount } } } }";
const TIMES: usize = 20;

/// Returns how many operations ended with this code.
async fn ended(program: &Process, code: &str) -> usize {
    program.metric(&format!("kezdesu_requests_total{{code=\"{code}\"}} ")).await.parse().unwrap()
}

#[tokio::test]
async fn cancels_a_query_when_its_client_completes_it() {
    let dir = tempfile::tempdir().unwrap();
    let program = Process::serve(&settings(dir.path(), &[])).await;
    let mut socket = Socket::open(&program.host).await;
    socket.send(&json!({ "type": "connection_init" })).await;
    assert_eq!(socket.receive().await["type"], "connection_ack");
    for n in 0..TIMES {
        let id = n.to_string();
        socket.send(&json!({ "id": id, "type": "subscribe", "payload": { "query": HEAVY } })).await;
        socket.send(&json!({ "id": id, "type": "complete" })).await;
    }
    let all =
        until(async || ended(&program, "CANCELLED").await + ended(&program, "OK").await, || (), |all| *all == TIMES);
    all.await;
    let cancelled = ended(&program, "CANCELLED").await;
    assert!(cancelled > TIMES / 2, "{cancelled} of {TIMES} were cancelled");
    program.kill().await;
}

#[tokio::test]
async fn cancels_a_query_when_its_client_disconnects() {
    let dir = tempfile::tempdir().unwrap();
    let program = Process::serve(&settings(dir.path(), &[])).await;
    for _ in 0..TIMES {
        let raw =
            harness::RawConnection::post(&anonymous(&program.host), "application/json", &json!({ "query": HEAVY }))
                .await;
        drop(raw);
    }
    // Some connections close before their request arrives, so nothing is started for them.
    until(async || ended(&program, "CANCELLED").await, || (), |cancelled| *cancelled > 0).await;
    program.kill().await;
}
