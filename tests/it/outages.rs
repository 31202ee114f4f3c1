//! Outages of the bus, the database and the network lose nothing that was acknowledged.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use harness::{Actor, Engine, HOST, TcpProxy, TestEnv, databases, id_of, readiness, until};
use serde_json::{Value, json};

async fn ready(env: &TestEnv, replica: usize) -> (u16, Value) {
    readiness(&env.ops_host(replica)).await.unwrap()
}

/// Waits until a replica reports this state of its bus, and advances the clock while waiting.
async fn until_bus_is(env: &TestEnv, replica: usize, up: bool) -> Value {
    let good = |(_, said): &(u16, Value)| said["checks"]["bus"] == up;
    let (status, said) = until(|| ready(env, replica), || env.advance(TimeDelta::seconds(1)), good).await;
    assert_eq!(status, 200, "the service works without the bus: {said}");
    said
}

/// Starts a test environment with a proxy in front of its bus.
async fn with_bus_on_a_wire() -> (TestEnv, TcpProxy) {
    let (wire, url) = TcpProxy::in_front_of(&databases().await.redis()).await;
    (TestEnv::with(Engine::Production, &[("KEZDESU_REDIS_URL", &url)]).await, wire)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn serves_without_the_bus_reports_it_and_recovers() {
    let (mut env, wire) = with_bus_on_a_wire().await;
    let (staff, ana) = (env.akimat(HOST), env.citizen("Ana"));
    let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
    let second = env.replica().await;
    let mut live = env.anonymous().at(env.host(second)).follow_comments(&meeting, None, "PUBLIC").await;
    until_bus_is(&env, 0, true).await;
    until_bus_is(&env, second, true).await;
    for round in 0..3 {
        wire.take_down();
        let said = until_bus_is(&env, second, false).await;
        assert_eq!(said["degraded"], true);
        let posted = ana.post(&meeting, &format!("Байланыссыз {round}")).await;
        let event = live.next_event_in(&env).await;
        assert_eq!((&event["comment"]["id"], &event["kind"]), (&posted["id"], &json!("POSTED")));
        wire.restore();
        assert_eq!(until_bus_is(&env, 0, true).await["degraded"], false);
        until_bus_is(&env, second, true).await;
        let posted = ana.post(&meeting, &format!("Байланыс бар {round}")).await;
        let event = live.next_event_in(&env).await;
        assert_eq!(event["comment"]["id"], posted["id"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn starts_without_the_bus_and_connects_later() {
    let (wire, url) = TcpProxy::in_front_of(&databases().await.redis()).await;
    wire.take_down();
    let mut env = TestEnv::with(Engine::Production, &[("KEZDESU_REDIS_URL", &url)]).await;
    let (staff, ana) = (env.akimat(HOST), env.citizen("Ana"));
    let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
    let second = env.replica().await;
    let mut near = env.anonymous().follow_comments(&meeting, None, "PUBLIC").await;
    let mut far = env.anonymous().at(env.host(second)).follow_comments(&meeting, None, "PUBLIC").await;
    ana.post(&meeting, "Бір").await;
    assert_eq!(near.next().await["comment"]["body"], "Бір", "the same replica does not need the bus");
    assert_eq!(far.next_event_in(&env).await["comment"]["body"], "Бір");
    wire.restore();
    until_bus_is(&env, 0, true).await;
    until_bus_is(&env, second, true).await;
    ana.post(&meeting, "Екі").await;
    assert_eq!(far.next_event_in(&env).await["comment"]["body"], "Екі");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn posts_do_not_wait_for_an_unresponsive_bus() {
    let (env, wire) = with_bus_on_a_wire().await;
    let (staff, ana) = (env.akimat(HOST), env.citizen("Ana"));
    let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
    until_bus_is(&env, 0, true).await;
    let mut live = env.anonymous().follow_comments(&meeting, None, "PUBLIC").await;
    wire.pause();
    let began = std::time::Instant::now();
    for n in 0..30 {
        ana.post(&meeting, &format!("Сұрақ {n}")).await;
        assert_eq!(live.next().await["seq"], n + 1);
    }
    let took = began.elapsed();
    assert!(took < std::time::Duration::from_secs(10), "posts waited for the bus: {took:?}");
    until_bus_is(&env, 0, false).await;
    wire.restore();
    until_bus_is(&env, 0, true).await;
}

/// Starts a test environment with a proxy in front of its database.
async fn with_database_on_a_wire() -> (TestEnv, TcpProxy) {
    let (wire, url) = TcpProxy::in_front_of(&databases().await.fresh().await).await;
    (TestEnv::with(Engine::Production, &[("KEZDESU_DATABASE_URL", &url)]).await, wire)
}

/// Posts with a key until it is acknowledged, and returns the body, the id and the number of attempts.
async fn post_until_done(author: Actor, meeting: String, body: String) -> (String, String, usize) {
    let input = json!({ "meetingId": meeting, "body": body, "idempotencyKey": body });
    for tries in 1..1000 {
        let answer = author.try_mutate("postComment", input.clone()).await;
        match answer["errors"][0]["extensions"]["code"].as_str() {
            None => {
                let payload = &answer["data"]["postComment"];
                assert!(payload["refusal"].is_null(), "{payload}");
                return (body, id_of(&payload["comment"]), tries);
            }
            Some("INTERNAL") => {
                let error = &answer["errors"][0];
                assert!(error["extensions"]["errorId"].is_string(), "{error}");
                for secret in ["sql", "connection", "pool", "io error", "postgres"] {
                    let text = error["message"].as_str().unwrap().to_lowercase();
                    assert!(!text.contains(secret), "internals are exposed: {error}");
                }
            }
            Some(other) => panic!("{other}: {answer}"),
        }
    }
    panic!("{body} was never acknowledged");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_database_connections_lose_and_duplicate_nothing() {
    let (env, wire) = with_database_on_a_wire().await;
    let staff = env.akimat(HOST);
    let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
    let mut live = env.anonymous().follow_comments(&meeting, Some(0), "PUBLIC").await;
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let (author, meeting) = (env.citizen(&format!("Writer {writer}")), meeting.clone());
            tokio::spawn(async move {
                let mut done = Vec::new();
                for n in 0..25 {
                    done.push(post_until_done(author.clone(), meeting.clone(), format!("{writer}.{n}")).await);
                }
                done
            })
        })
        .collect();
    // Disconnects at every tenth event, whatever is in progress.
    let mut seen = Vec::new();
    while seen.len() < 100 {
        let event = live.next_event_in(&env).await;
        assert_eq!(event["seq"].as_u64().unwrap(), u64::try_from(seen.len()).unwrap() + 1);
        seen.push(event["comment"]["id"].as_str().unwrap().to_owned());
        if seen.len() % 10 == 0 {
            wire.disconnect_all();
        }
    }
    let mut acknowledged = BTreeMap::new();
    let mut sent = 0;
    for writer in writers {
        for (body, id, tries) in writer.await.unwrap() {
            sent += tries;
            acknowledged.insert(body, id);
        }
    }
    assert!(sent > 100, "at least one post was retried");
    let reader = env.anonymous();
    let kept = reader.comments(&meeting, json!({})).await;
    let listed: Vec<String> = kept.iter().map(id_of).collect();
    assert_eq!(listed, seen, "the events equal the list, in order");
    let mut wanted: Vec<String> = acknowledged.into_values().collect();
    let mut found = listed;
    wanted.sort();
    found.sort();
    assert_eq!(found, wanted);
    let receipts: Vec<String> = kept.iter().map(|one| one["receipt"].as_str().unwrap().to_owned()).collect();
    assert_eq!(receipts, (1..=100).map(|n| format!("Q-{n:04}")).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn is_not_ready_without_the_database_and_recovers() {
    let (env, wire) = with_database_on_a_wire().await;
    let (staff, ana) = (env.akimat(HOST), env.citizen("Ana"));
    let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
    let mut live = env.anonymous().follow_comments(&meeting, None, "PUBLIC").await;
    wire.take_down();
    assert_eq!(ready(&env, 0).await.0, 503);
    let answer = ana.try_mutate("postComment", json!({ "meetingId": meeting, "body": "Бар ма?" })).await;
    let error = &answer["errors"][0];
    assert_eq!(error["extensions"]["code"], "INTERNAL", "{answer}");
    assert_eq!(error["extensions"].as_object().unwrap().len(), 2, "only the code and the error id: {error}");
    let units = ana.query("{ region(code: \"751110000\") { names { kk } } }", json!({})).await;
    assert_eq!(units["region"]["names"]["kk"], "Алмалы ауданы", "regions are served without the database");
    wire.restore();
    until(|| ready(&env, 0), || env.advance(TimeDelta::seconds(1)), |(status, _)| *status == 200).await;
    ana.post(&meeting, "Қайтты").await;
    assert_eq!(live.next_event_in(&env).await["comment"]["body"], "Қайтты", "the stream was not interrupted");
}
