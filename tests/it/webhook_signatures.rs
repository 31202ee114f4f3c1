//! Signatures of webhooks, verified with the published library.

use chrono::TimeDelta;
use harness::{
    Engine, HOST, NodeProcess, RawConnection, Receiver, TestEnv, checkout, external, node, record_issue_events, until,
    web,
};
use kezdesu::webhooks::{SignedMessage, SigningSecret};
use serde_json::{Value, json};

/// A message as a receiver of a secret gets it.
fn received(secret: &SigningSecret, message: &SignedMessage) -> Value {
    let headers = json!({
        "webhook-id": message.id,
        "webhook-timestamp": message.timestamp.to_string(),
        "webhook-signature": message.signature,
    });
    json!({ "secret": secret.reveal(), "headers": headers, "body": str::from_utf8(&message.body).unwrap() })
}

/// Verifies messages, and returns the payload or the error of each.
async fn verify(messages: &[Value]) -> Vec<Value> {
    let out = node("clients/verify-webhooks.mjs", &[&json!(messages).to_string()]).await;
    out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn signed(secrets: &[&SigningSecret]) -> SignedMessage {
    let body = json!({ "type": "issue.raised", "data": { "seq": 7, "title": "Қазақша \"жол\"" } }).to_string();
    let secrets: Vec<_> = secrets.iter().map(|secret| (*secret).clone()).collect();
    SignedMessage::new("msg_1".to_owned(), external::now(), body.into_bytes(), &secrets)
}

#[tokio::test]
async fn the_published_library_verifies_our_signatures() {
    let [old, new, other] = [(); 3].map(|()| SigningSecret::generate().unwrap());
    let (single, rotating) = (signed(&[&new]), signed(&[&new, &old]));
    let changed = SignedMessage { body: b"{}".to_vec(), ..single.clone() };
    let late = SignedMessage { timestamp: single.timestamp + 1, ..single.clone() };
    let verified = verify(&[
        received(&new, &single),
        received(&new, &rotating),
        received(&old, &rotating),
        received(&old, &single),
        received(&other, &rotating),
        received(&new, &changed),
        received(&new, &late),
    ])
    .await;
    let payload: Value = serde_json::from_slice(&single.body).unwrap();
    let (valid, forged) = (json!({ "payload": payload }), json!({ "error": "No matching signature found" }));
    assert_eq!(verified, [&valid, &valid, &valid, &forged, &forged, &forged, &forged].map(Value::clone));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_published_library_verifies_what_a_receiver_gets() {
    let (env, receiver) = (TestEnv::start(Engine::Embedded).await, Receiver::start().await);
    // The library compares the timestamp with the wall clock.
    env.clock.set(external::now());
    let staff = env.akimat(HOST);
    let (webhook, old) = staff.register_webhook(&receiver.url()).await;
    let rotate = async || {
        let rotated = staff.mutate("rotateWebhookSecret", json!({ "webhookId": webhook["id"] })).await;
        rotated["secret"].as_str().unwrap().to_owned()
    };
    let lost = rotate().await;
    let new = rotate().await;
    record_issue_events(env.service(0).app(), HOST, &[(1, "RAISED")]).await;
    let received = || std::future::ready(receiver.received());
    let received = until(received, || env.advance(TimeDelta::seconds(1)), |received| !received.is_empty()).await;
    let verified = verify(&[&new, &old, &lost].map(|secret| received[0].with_secret(secret))).await;
    assert_eq!(verified[0]["payload"]["type"], "issue.raised", "{verified:?}");
    let data = &verified[0]["payload"]["data"];
    assert_eq!((&data["seq"], &data["issue"]["number"]), (&json!(1), &json!("TST-2026-000001")));
    assert_eq!(verified[1], verified[0], "a receiver may know only the first secret");
    assert_eq!(verified[2], json!({ "error": "No matching signature found" }), "a secret that nobody received");
}

/// The example receiver, and how to post to it.
struct Example(NodeProcess);

impl Example {
    async fn start(secret: &SigningSecret) -> Self {
        let script = checkout().join("examples/webhook-receiver/receiver.mjs").display().to_string();
        let settings = [("WEBHOOK_SECRET", secret.reveal().to_string())];
        Self(NodeProcess::start_program("node".as_ref(), &[script, "0".to_owned()], &settings).await)
    }

    /// Posts a message, and returns the status of the response.
    async fn post(&self, message: &SignedMessage) -> u16 {
        let request = web().post(format!("http://{}/", self.0.host)).body(message.body.clone());
        let request = request.header("webhook-id", &message.id).header("webhook-signature", &message.signature);
        let response = request.header("webhook-timestamp", message.timestamp.to_string()).send().await;
        response.unwrap().status().as_u16()
    }

    async fn line(&mut self) -> Value {
        serde_json::from_str(&self.0.line().await).unwrap()
    }
}

#[tokio::test]
async fn the_example_prints_each_verified_message_once() {
    let [secret, other] = [(); 2].map(|()| SigningSecret::generate().unwrap());
    let mut example = Example::start(&secret).await;
    let message = signed(&[&secret]);
    assert_eq!(example.post(&signed(&[&other])).await, 401, "another's secret");
    let replay = SignedMessage { timestamp: message.timestamp - 3_600, ..message.clone() };
    assert_eq!(example.post(&replay).await, 401, "a replay");
    for _ in 0..2 {
        assert_eq!(example.post(&message).await, 204);
    }
    let last =
        SignedMessage::new("msg_2".to_owned(), external::now(), message.body.clone(), std::slice::from_ref(&secret));
    assert_eq!(example.post(&last).await, 204);
    assert_eq!(example.line().await, json!({ "id": "msg_1", "type": "issue.raised", "seq": 7 }));
    assert_eq!(example.line().await["id"], "msg_2", "the double is not printed");
}

#[tokio::test]
async fn the_example_survives_requests_of_strangers() {
    let secret = SigningSecret::generate().unwrap();
    let mut example = Example::start(&secret).await;
    let head = |length: usize| format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n");
    let mut connection = RawConnection::to(&example.0.host).await;
    connection.send(head(100).as_bytes()).await;
    connection.send(b"{").await;
    drop(connection);
    until(|| std::future::ready(example.0.errors()), || {}, |errors| errors.contains("a request failed")).await;
    let length = (1 << 20) + 1;
    let mut connection = RawConnection::to(&example.0.host).await;
    connection.send(head(length).as_bytes()).await;
    connection.send(&vec![b' '; length]).await;
    connection.receive_until(b"413 Payload Too Large").await;
    assert_eq!(example.post(&signed(&[&secret])).await, 204);
    assert_eq!(example.line().await["id"], "msg_1");
}
