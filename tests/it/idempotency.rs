//! Idempotency keys.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use harness::{Actor, HOST, TestEnv, id_of, on_both_engines, refusal, sdl, until};
use serde_json::{Value, json};

/// Mutations that create something each time, unless they have the same idempotency key.
const CREATE: [&str; 3] = ["addBroadcast", "planMeeting", "postComment"];
/// Those that are tested in `receptions.rs`.
const OF_RECEPTIONS: [&str; 3] = ["openReception", "register", "registerWalkIn"];
/// Those that are tested in `webhooks.rs`.
const OF_WEBHOOKS: [&str; 1] = ["registerWebhook"];
/// Those that are tested in `issues.rs`.
const OF_ISSUES: [&str; 4] = ["raiseIssue", "recordRequests", "reportProgress", "submitRequest"];

/// Those that are tested in `publications.rs`.
const OF_PUBLICATIONS: [&str; 1] = ["publish"];

#[test]
fn every_mutation_with_an_idempotency_key_is_tested_here() {
    let with_key: BTreeSet<_> = sdl::mutations().into_iter().filter(|name| sdl::takes_key(name)).collect();
    let tested = CREATE.into_iter().chain(OF_RECEPTIONS).chain(OF_WEBHOOKS).chain(OF_ISSUES).chain(OF_PUBLICATIONS);
    assert_eq!(with_key, tested.collect());
}

fn plan(env: &TestEnv, key: &str) -> Value {
    json!({
        "host": HOST, "region": HOST, "title": { "kk": "Кездесу" }, "origin": "CALENDAR",
        "plannedStart": env.now() + TimeDelta::days(30), "plannedMinutes": 60, "moderation": "AFTER", "idempotencyKey": key,
    })
}

/// Returns a permitted actor, an input for the mutation, and a different input with the same key.
fn creating(env: &TestEnv, name: &str, meeting: &str) -> (Actor, Value, Value) {
    let changed = |input: &Value, field: &str, value: Value| {
        let mut changed = input.clone();
        changed[field] = value;
        changed
    };
    match name {
        "addBroadcast" => {
            let input =
                json!({ "meetingId": meeting, "platform": "VK", "url": "https://vk.example/1", "idempotencyKey": "k" });
            let other = changed(&input, "url", json!("https://vk.example/2"));
            (env.akimat(HOST), input, other)
        }
        "planMeeting" => {
            let input = plan(env, "k");
            let other = changed(&input, "plannedMinutes", json!(61));
            (env.akimat(HOST), input, other)
        }
        "postComment" => {
            let input = json!({ "meetingId": meeting, "body": "Жол?", "idempotencyKey": "k" });
            let other = changed(&input, "body", json!("Су?"));
            (env.citizen("Ana"), input, other)
        }
        other => panic!("no inputs are defined for {other}"),
    }
}

on_both_engines! {
    async fn the_same_key_returns_the_first_result_and_writes_nothing(env) {
        let (staff, ana, ben) = (env.akimat(HOST), env.citizen("Ana"), env.citizen("Ben"));
        let plan = json!({
            "host": HOST, "region": HOST, "title": { "kk": "Кездесу" }, "origin": "CALENDAR",
            "plannedStart": env.now(), "plannedMinutes": 60, "moderation": "AFTER", "idempotencyKey": "k",
        });
        let meeting = id_of(&staff.mutate("planMeeting", plan.clone()).await["meeting"]);
        assert_eq!(id_of(&staff.mutate("planMeeting", plan.clone()).await["meeting"]), meeting);
        let mut other = plan;
        other["plannedMinutes"] = json!(61);
        assert_eq!(refusal(&staff.mutate("planMeeting", other).await), "KEY_REUSED");
        staff.announce(&meeting).await;
        staff.mutate("startMeeting", json!({ "meetingId": meeting })).await;

        let add =
            json!({ "meetingId": meeting, "platform": "VK", "url": "https://vk.example/1", "idempotencyKey": "k" });
        for _ in 0..2 {
            assert_eq!(
                staff.mutate("addBroadcast", add.clone()).await["meeting"]["broadcasts"].as_array().unwrap().len(),
                1
            );
        }
        let post = |body: &str| json!({ "meetingId": meeting, "body": body, "idempotencyKey": "k" });
        let first = ana.mutate("postComment", post("Жол?")).await["comment"].clone();
        let answers = futures_util::future::join_all((0..8).map(|_| ana.mutate("postComment", post("Жол?")))).await;
        assert!(answers.iter().all(|payload| payload["comment"]["id"] == first["id"]));
        assert_eq!(refusal(&ana.mutate("postComment", post("Су?")).await), "KEY_REUSED");
        assert_eq!(ben.mutate("postComment", post("Су?")).await["comment"]["receipt"], "Q-0002", "keys are per person");
        assert_eq!(env.anonymous().meeting(&meeting).await["commentsHead"], 2);
        let racing = futures_util::future::join_all((0..8).map(|_| {
            ana.mutate("postComment", json!({ "meetingId": meeting, "body": "Бәрі бірге", "idempotencyKey": "race" }))
        }))
        .await;
        assert!(
            racing
                .iter()
                .all(|payload| payload["comment"]["id"] == racing[0]["comment"]["id"] && !payload["comment"].is_null())
        );
        assert_eq!(env.anonymous().comments(&meeting, json!({})).await.len(), 3);
    }

    async fn a_rejected_command_leaves_its_key_free(env) {
        let (staff, ana) = (env.akimat(HOST), env.citizen("Ana"));
        let meeting = id_of(&staff.plan(HOST, HOST, env.now() + TimeDelta::days(8), "AFTER").await);
        let post = json!({ "meetingId": meeting, "body": "Жол?", "idempotencyKey": "k" });
        assert_eq!(refusal(&ana.mutate("postComment", post.clone()).await), "NOT_LIVE");
        staff.announce(&meeting).await;
        staff.mutate("startMeeting", json!({ "meetingId": meeting })).await;
        assert_eq!(ana.mutate("postComment", post).await["comment"]["receipt"], "Q-0001");
        for key in ["", &"k".repeat(201)] {
            let payload =
                ana.mutate("postComment", json!({ "meetingId": meeting, "body": "Су?", "idempotencyKey": key })).await;
            assert_eq!(payload["refusal"]["field"], "idempotencyKey");
        }
    }

    async fn rejects_a_reused_key_with_another_input(env) {
        let meeting = env.akimat(HOST).live_meeting(HOST, HOST, env.now(), "AFTER").await;
        for name in CREATE {
            let (actor, input, other) = creating(&env, name, &meeting);
            let first = actor.mutate(name, input.clone()).await;
            assert!(first["refusal"].is_null(), "{name}: {first}");
            for _ in 0..2 {
                assert_eq!(refusal(&actor.mutate(name, other.clone()).await), "KEY_REUSED", "{name}");
            }
            assert_eq!(actor.mutate(name, input).await, first, "{name}: the key still belongs to the first command");
            let mut free = other;
            free["idempotencyKey"] = json!("another");
            let second = actor.mutate(name, free).await;
            assert!(second["refusal"].is_null(), "{name}: another key is accepted: {second}");
        }
    }

    async fn keeps_a_key_for_seven_days(env) {
        let staff = env.akimat(HOST);
        let planned = async |input: &Value| id_of(&staff.mutate("planMeeting", input.clone()).await["meeting"]);
        let early = plan(&env, "early");
        let first = planned(&early).await;
        env.advance(TimeDelta::hours(1));
        let late = plan(&env, "late");
        let second = planned(&late).await;
        env.advance(TimeDelta::days(7) - TimeDelta::hours(1) - TimeDelta::minutes(1));
        assert_eq!(planned(&early).await, first);
        // The first key expires within an hour; the one claimed an hour later does not.
        let forgotten = until(|| planned(&early), || env.advance(TimeDelta::minutes(1)), |id| *id != first).await;
        assert!(forgotten != second, "a new meeting is planned");
        assert_eq!(planned(&late).await, second, "a key is kept for seven days");
        assert_eq!(planned(&early).await, forgotten, "the new result is kept under the key");
    }
}
