//! Webhooks whose receivers are slow, busy, gone, or repaired.

use chrono::TimeDelta;
use harness::{Actor, Behaviour, HOST, Receiver, TestEnv, on_both_engines, record_issue_events, until};
use serde_json::{Value, json};

const SECOND: TimeDelta = TimeDelta::seconds(1);
/// How long a receiver has to respond.
const TIMEOUT: TimeDelta = TimeDelta::seconds(10);
/// The only webhook of somebody, with as many deliveries as a page holds.
const HEALTH: &str = "{ webhooks { active failingSince lastError deliveredSeq \
                       deliveries(first: 100) { nodes { seq state attempts nextAttemptAt } } } }";

async fn health(staff: &Actor) -> Value {
    staff.query(HEALTH, json!({})).await["webhooks"][0].clone()
}

/// Records one event about each of so many issues.
async fn record(env: &TestEnv, issues: u128) {
    let events: Vec<_> = (1..=issues).map(|issue| (issue, "RAISED")).collect();
    record_issue_events(env.service(0).app(), HOST, &events).await;
}

/// Lets time pass until a receiver has so many messages.
async fn receives(env: &TestEnv, receiver: &Receiver, count: usize) {
    let received = || std::future::ready(receiver.received().len());
    until(received, || env.advance(SECOND), |received| *received >= count).await;
}

fn attempted(webhook: &Value) -> usize {
    webhook["deliveries"]["nodes"].as_array().unwrap().iter().filter(|node| node["attempts"] == 1).count()
}

on_both_engines! {
    async fn a_round_to_a_receiver_that_hangs_ends_with_its_first_attempts(env) {
        let (staff, receiver) = (env.akimat(HOST), Receiver::start().await);
        receiver.behave(Behaviour::Hang);
        staff.register_webhook(&receiver.url()).await;
        record(&env, 90).await;
        receives(&env, &receiver, 8).await;
        // The clock stands still from then on, so a message that is in flight later never ends.
        env.advance(TIMEOUT);
        let failing = until(|| health(&staff), || {}, |webhook| !webhook["failingSince"].is_null()).await;
        assert_eq!(failing["lastError"], "The receiver did not respond in time.");
        assert_eq!(attempted(&failing), 8, "the other lines were not sent late");
        assert!(receiver.most_in_flight() <= 8, "{}", receiver.most_in_flight());
    }

    async fn an_event_waits_while_its_issue_is_in_a_state_of_a_later_version(env) {
        let (staff, receiver) = (env.akimat(HOST), Receiver::start().await);
        staff.register_webhook(&receiver.url()).await;
        let set = async |state: &str| {
            env.sql(&format!("UPDATE issues SET state = '{state}' WHERE number = 'TST-2026-000001'")).await;
        };
        record(&env, 1).await;
        set("LATER").await;
        record(&env, 2).await;
        let other_is_sent = |webhook: &Value| webhook["deliveries"]["nodes"][0]["state"] == "DELIVERED";
        let webhook = until(|| health(&staff), || env.advance(SECOND), other_is_sent).await;
        let waiting = json!({ "state": "WAITING", "attempts": 0 });
        for node in &webhook["deliveries"]["nodes"].as_array().unwrap()[1..] {
            assert_eq!(json!({ "state": node["state"], "attempts": node["attempts"] }), waiting, "{webhook}");
        }
        assert_eq!((receiver.taken(), &webhook["failingSince"]), (vec![3], &json!(null)));
        set("REGISTERED").await;
        until(|| std::future::ready(receiver.taken()), || env.advance(SECOND * 10), |taken| taken.len() == 3).await;
        assert_eq!(receiver.taken(), [3, 1, 2]);
        assert!(receiver.received().iter().all(|message| message.json()["data"]["issue"]["number"].is_string()));
    }
}
