//! Webhooks whose receivers are slow, busy, gone, or repaired.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
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
        // A message may come twice.
        let first_times = || {
            let mut taken = receiver.taken();
            let mut seen = std::collections::HashSet::new();
            taken.retain(|seq| seen.insert(*seq));
            taken
        };
        until(|| std::future::ready(first_times()), || env.advance(SECOND), |taken| taken.len() == 3).await;
        assert_eq!(first_times(), [3, 1, 2]);
        assert!(receiver.received().iter().all(|message| message.json()["data"]["issue"]["number"].is_string()));
    }

    async fn a_webhook_whose_receiver_is_gone_is_switched_off(env) {
        let (staff, receiver, other) = (env.akimat(HOST), Receiver::start().await, Receiver::start().await);
        let (webhook, _) = staff.register_webhook(&receiver.url()).await;
        receiver.behave(Behaviour::Respond(410));
        record(&env, 20).await;
        let gone = until(|| health(&staff), || env.advance(SECOND), |webhook| webhook["active"] == false).await;
        assert_eq!(gone["lastError"], "The receiver wants no more events.");
        let sent = receiver.received().len();
        assert!((1..=8).contains(&sent), "the round ends: {sent}");
        let count = |webhook: &Value, state: &str| {
            webhook["deliveries"]["nodes"].as_array().unwrap().iter().filter(|node| node["state"] == state).count()
        };
        assert_eq!((count(&gone, "PARKED"), count(&gone, "WAITING")), (sent, 20 - sent));
        let query = "query($id: ID!) { auditLog(filter: { subject: $id }) { nodes { action actor } } }";
        let log = staff.query(query, json!({ "id": webhook["id"] })).await["auditLog"]["nodes"].clone();
        assert!(log.as_array().unwrap().contains(&json!({ "action": "webhook.disabled", "actor": "service" })), "{log}");
        // The other receiver shows that time enough has passed for a message.
        staff.register_webhook(&other.url()).await;
        record(&env, 1).await;
        receives(&env, &other, 1).await;
        assert_eq!(receiver.received().len(), sent);
        receiver.behave(Behaviour::Respond(200));
        staff.mutate("updateWebhook", json!({ "webhookId": webhook["id"], "active": true })).await;
        // Those that were parked are sent by a replay only.
        receives(&env, &receiver, 21).await;
        staff.mutate("replayWebhook", json!({ "webhookId": webhook["id"], "after": 0 })).await;
        let taken = || std::future::ready(receiver.taken().into_iter().collect::<BTreeSet<_>>().len());
        until(taken, || env.advance(SECOND), |taken| *taken == 21).await;
    }

    async fn a_receiver_that_asks_for_a_pause_gets_it(env) {
        let (staff, receiver) = (env.akimat(HOST), Receiver::start().await);
        staff.register_webhook(&receiver.url()).await;
        receiver.behave(Behaviour::RetryAfter(600));
        record(&env, 20).await;
        let busy = until(|| health(&staff), || env.advance(SECOND), |webhook| !webhook["failingSince"].is_null()).await;
        let sent = receiver.received().len();
        assert!((1..=8).contains(&sent), "the round ends: {sent}");
        let next = |node: &Value| node["nextAttemptAt"].as_str().unwrap().parse::<DateTime<Utc>>().unwrap();
        let since: DateTime<Utc> = busy["failingSince"].as_str().unwrap().parse().unwrap();
        for node in busy["deliveries"]["nodes"].as_array().unwrap() {
            assert_eq!(node["state"], "WAITING");
            assert!(next(node) >= since + TimeDelta::seconds(600), "{node}");
        }
        receiver.behave(Behaviour::Respond(200));
        env.advance(TimeDelta::seconds(600));
        until(|| std::future::ready(receiver.taken().len()), || env.advance(SECOND), |taken| *taken == 20).await;
        assert!(receiver.received().len() <= sent + 20, "nothing was sent meanwhile");
    }

    async fn a_repaired_receiver_is_tried_at_once(env) {
        let (staff, broken, repaired) = (env.akimat(HOST), Receiver::start().await, Receiver::start().await);
        let (webhook, _) = staff.register_webhook(&broken.url()).await;
        let update = async |change: Value| {
            let mut input = json!({ "webhookId": webhook["id"] });
            input.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            staff.mutate("updateWebhook", input).await["webhook"].clone()
        };
        // Fails until the pause is longer than the time that the rest of the test takes.
        let fail = async |receiver: &Receiver, seq: i64| {
            receiver.behave(Behaviour::Respond(500));
            let has_failed = |webhook: &Value| {
                let newest = &webhook["deliveries"]["nodes"][0];
                newest["seq"] == seq && newest["attempts"].as_i64() >= Some(10)
            };
            until(|| health(&staff), || env.advance(TimeDelta::minutes(30)), has_failed).await;
            receiver.behave(Behaviour::Respond(200));
        };
        record(&env, 1).await;
        fail(&broken, 1).await;
        let changed = update(json!({ "url": repaired.url() })).await;
        assert_eq!((&changed["failingSince"], &changed["lastError"]), (&Value::Null, &Value::Null));
        let before = env.now();
        receives(&env, &repaired, 1).await;
        assert!(env.now() - before < TimeDelta::minutes(10));
        assert!(broken.taken().is_empty());

        repaired.behave(Behaviour::Respond(500));
        record(&env, 1).await;
        fail(&repaired, 2).await;
        update(json!({ "active": true })).await;
        let before = env.now();
        until(|| std::future::ready(repaired.taken()), || env.advance(SECOND), |taken| *taken == [1, 2]).await;
        assert!(env.now() - before < TimeDelta::minutes(10));
        let version = update(json!({ "active": true })).await["version"].clone();
        assert_eq!(update(json!({ "active": true })).await["version"], version, "there is nothing to try again");
    }
}
