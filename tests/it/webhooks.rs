//! Webhooks: registration, delivery, retries, replay.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use harness::{
    Actor, Behaviour, DATA_KEYS, HOST, Received, Receiver, TestEnv, assert_in_order, error_code, id_of,
    on_both_engines, record_issue_events, refusal, until,
};
use serde_json::{Value, json};

const SECOND: TimeDelta = TimeDelta::seconds(1);
const ELSEWHERE: &str = "103230000";

async fn record(env: &TestEnv, events: &[(u128, &'static str)]) {
    record_issue_events(env.service(0).app(), HOST, events).await;
}

/// Lets time pass until the receiver has taken so many messages.
async fn takes(env: &TestEnv, receiver: &Receiver, count: usize) -> Vec<i64> {
    let taken = || std::future::ready(receiver.taken());
    until(taken, || env.advance(SECOND), |taken| taken.len() >= count).await
}

/// Lets time pass until the only webhook of somebody is as wished, and returns it.
async fn webhook_when(env: &TestEnv, actor: &Actor, good: impl Fn(&Value) -> bool) -> Value {
    let ask = async || actor.webhooks().await.remove(0);
    until(ask, || env.advance(SECOND), good).await
}

fn states(webhook: &Value) -> Vec<(i64, String)> {
    let nodes = webhook["deliveries"]["nodes"].as_array().unwrap();
    let mut states: Vec<_> =
        nodes.iter().map(|node| (node["seq"].as_i64().unwrap(), node["state"].as_str().unwrap().to_owned())).collect();
    states.sort_unstable();
    states
}

on_both_engines! {
    async fn the_owner_registers_and_sees_a_webhook(env) {
        let (staff, receiver) = (env.akimat(HOST), Receiver::start().await);
        let input = json!({ "region": HOST, "url": receiver.url(), "kinds": ["RAISED", "ASSIGNED"], "idempotencyKey": "k" });
        let payload = staff.mutate("registerWebhook", input.clone()).await;
        let (webhook, secret) = (&payload["webhook"], payload["secret"].as_str().unwrap());
        assert!(secret.starts_with("whsec_"), "{payload}");
        assert_eq!((&webhook["url"], &webhook["active"]), (&json!(receiver.url()), &json!(true)));
        assert_eq!(webhook["filter"], json!({ "region": { "code": HOST }, "kinds": ["ASSIGNED", "RAISED"] }));
        assert_eq!(staff.mutate("registerWebhook", input.clone()).await, payload, "a retry has the same result");
        let mut other = input;
        other["kinds"] = json!(["RAISED"]);
        assert_eq!(refusal(&staff.mutate("registerWebhook", other).await), "KEY_REUSED");
        let listed = staff.webhooks().await;
        assert_eq!(listed, std::slice::from_ref(webhook), "without the secret");
        let node = "query($id: ID!) { node(id: $id) { id } }";
        let found = staff.query(node, json!({ "id": webhook["id"] })).await;
        assert_eq!(found["node"]["id"], webhook["id"]);
        assert!(!env.dump("webhooks").await.contains(secret.trim_start_matches("whsec_")), "the secret is encrypted");
    }

    async fn a_body_receives_its_issues_as_it_may_see_them(env) {
        let (staff, receiver) = (env.akimat(HOST), Receiver::start().await);
        let registered = env.agency("min-health").mutate("registerWebhook", json!({ "url": receiver.url() })).await;
        assert_eq!(registered["webhook"]["filter"]["region"], Value::Null, "{registered}");
        let other = id_of(&staff.raise("Жарық", &[]).await);
        staff.assign(&other, "min-energy", "2026-12-31").await;
        let issue = id_of(&staff.raise("Аурухана", &[]).await);
        let number = staff.see_issue(&issue).await["number"].clone();
        staff.assign(&issue, "min-health", "2026-12-31").await;
        takes(&env, &receiver, 1).await;
        staff.assign(&issue, "min-energy", "2026-12-31").await;
        staff.mutate("declineIssue", json!({ "issueId": issue, "reason": "Қайталанады" })).await;
        takes(&env, &receiver, 2).await;
        let messages: Vec<Value> = receiver.received().iter().map(Received::json).collect();
        let types: Vec<_> = messages.iter().map(|message| message["type"].clone()).collect();
        assert_eq!(types, ["issue.assigned", "issue.assigned"], "its own issue, until it is another's");
        let shown = &messages[0]["data"]["issue"];
        assert_eq!((&shown["number"], &shown["responsible"], &shown["deadline"]), (&number, &json!("min-health"), &json!("2026-12-31")));
        assert!(shown["description"].as_str().unwrap().contains("Сейтова"), "the responsible body sees the internals");
        let last = &messages[1]["data"]["issue"];
        assert_eq!((&last["responsible"], &last["description"]), (&json!("min-energy"), &json!("")), "and no longer");
    }

    async fn webhooks_of_others_are_not_found(env) {
        let (staff, receiver) = (env.akimat(HOST), Receiver::start().await);
        let (webhook, _) = staff.register_webhook(&receiver.url()).await;
        let input = json!({ "webhookId": webhook["id"] });
        let replay = json!({ "webhookId": webhook["id"], "after": 0 });
        for other in [env.akimat(ELSEWHERE), env.agency("min-health")] {
            assert_eq!(other.webhooks().await, [] as [Value; 0]);
            for mutation in ["updateWebhook", "rotateWebhookSecret", "testWebhook", "replayWebhook", "removeWebhook"] {
                let input = if mutation == "replayWebhook" { replay.clone() } else { input.clone() };
                assert_eq!(refusal(&other.mutate(mutation, input).await), "NOT_FOUND", "{mutation}");
            }
            let found = other.query("query($id: ID!) { node(id: $id) { id } }", json!({ "id": webhook["id"] })).await;
            assert!(found["node"].is_null());
        }
        for other in [env.citizen("Ana"), env.moderator(HOST), env.person("Oversight", &["ADMINISTRATION"], None)] {
            assert_eq!(error_code(&other.send("{ webhooks { id } }", json!({})).await), "FORBIDDEN");
            assert_eq!(error_code(&other.try_mutate("removeWebhook", input.clone()).await), "FORBIDDEN");
        }
        let register = json!({ "region": HOST, "url": receiver.url() });
        assert_eq!(error_code(&env.akimat(ELSEWHERE).try_mutate("registerWebhook", register).await), "FORBIDDEN");
        let admin = env.person("Admin", &["ADMIN"], None);
        assert_eq!(id_of(&admin.webhooks().await[0]), id_of(&webhook));
        assert_eq!(id_of(&env.akimat("750000000").webhooks().await[0]), id_of(&webhook), "the oblast's akimat");
    }

    async fn an_agency_registers_for_itself(env) {
        let (health, receiver) = (env.agency("min-health"), Receiver::start().await);
        let own = health.mutate("registerWebhook", json!({ "url": receiver.url() })).await;
        assert!(own["secret"].is_string(), "{own}");
        let foreign = json!({ "agency": "min-justice", "url": receiver.url() });
        assert_eq!(error_code(&health.try_mutate("registerWebhook", foreign).await), "FORBIDDEN");
        // A code that nobody has, and one of a body that ended.
        for code in ["MOH", "min-digital"] {
            let admin = env.person("Admin", &["ADMIN"], None);
            for (actor, input) in [
                (admin, json!({ "agency": code, "url": receiver.url() })), (env.agency(code), json!({ "url": receiver.url() })),
            ] {
                let refused = actor.mutate("registerWebhook", input).await;
                assert_eq!((refusal(&refused).as_str(), &refused["refusal"]["field"]), ("INVALID", &json!("agency")), "{code}");
            }
        }
        assert_eq!(env.agency("min-justice").webhooks().await.len(), 0);
        assert_eq!(env.agency("min-health").webhooks().await.len(), 1, "colleagues see it");
    }

    async fn rejects_addresses_that_are_not_allowed(env) {
        let staff = env.akimat(HOST);
        let (webhook, _) = staff.register_webhook("http://127.0.0.1:9/").await;
        for url in ["http://10.0.0.1/", "http://[::1]/", "http://169.254.169.254/", "ftp://127.0.0.1/", "http://0x0a000001/",
            "http://ana:key@127.0.0.1/", "http://127.0.0.1/#a"] {
            let refused = staff.mutate("registerWebhook", json!({ "region": HOST, "url": url })).await;
            assert_eq!((refusal(&refused).as_str(), &refused["refusal"]["field"]), ("INVALID", &json!("url")), "{url}");
            let refused = staff.mutate("updateWebhook", json!({ "webhookId": webhook["id"], "url": url })).await;
            assert_eq!(refusal(&refused), "INVALID", "{url}");
        }
        let long = format!("http://127.0.0.1/{}", "a".repeat(2000));
        assert_eq!(refusal(&staff.mutate("registerWebhook", json!({ "region": HOST, "url": long })).await), "TOO_LONG");
    }

    async fn an_owner_has_a_limited_number_of_webhooks(env) {
        let staff = env.akimat(HOST);
        for n in 0..20 {
            staff.register_webhook(&format!("http://127.0.0.1:9/{n}")).await;
        }
        let more = json!({ "region": HOST, "url": "http://127.0.0.1:9/" });
        assert_eq!(refusal(&staff.mutate("registerWebhook", more.clone()).await), "INVALID");
        let first = id_of(&staff.webhooks().await[0]);
        staff.mutate("removeWebhook", json!({ "webhookId": first })).await;
        assert!(staff.mutate("registerWebhook", more).await["secret"].is_string());
    }

    async fn delivers_signed_events_from_the_registration_on(env) {
        let (staff, receiver) = (env.akimat(HOST), Receiver::start().await);
        record(&env, &[(1, "RAISED")]).await;
        let (_, secret) = staff.register_webhook(&receiver.url()).await;
        record(&env, &[(1, "ASSIGNED"), (2, "RAISED")]).await;
        record_issue_events(env.service(0).app(), ELSEWHERE, &[(3, "RAISED")]).await;
        record(&env, &[(1, "RESOLVED")]).await;
        takes(&env, &receiver, 3).await;
        let mut received = receiver.received();
        received.sort_by_key(Received::seq);
        let types: Vec<_> = received.iter().map(|one| (one.seq(), one.json()["type"].clone())).collect();
        assert_eq!(types, [(2, json!("issue.assigned")), (3, json!("issue.raised")), (5, json!("issue.resolved"))]);
        assert!(received[0].json()["timestamp"].as_str().unwrap().starts_with("2026-03-02T04:00:"));
        // The webhook and its deliveries are read one after the other.
        let delivered = [2, 3, 5].map(|seq| (seq, "DELIVERED".to_owned()));
        let is_done = |webhook: &Value| webhook["deliveredSeq"] == 5 && states(webhook) == delivered;
        let webhook = webhook_when(&env, &staff, is_done).await;
        assert_eq!(webhook["head"], 5);
        assert!(received.iter().all(|message| message.is_signed_with(&[&secret])));
    }

    async fn a_receiver_that_fails_gets_everything_in_order_later(env) {
        let (staff, failing, healthy) = (env.akimat(HOST), Receiver::start().await, Receiver::start().await);
        staff.register_webhook(&failing.url()).await;
        staff.register_webhook(&healthy.url()).await;
        failing.behave(Behaviour::Respond(500));
        let events: Vec<_> = (0..60).map(|n| (n % 7, "CHANGED")).collect();
        record(&env, &events).await;
        takes(&env, &healthy, 60).await;
        let webhook = webhook_when(&env, &staff, |webhook| !webhook["failingSince"].is_null()).await;
        assert_eq!(webhook["lastError"], "The receiver responded with an error.");
        let mut turn = 0;
        failing.choose(move |_| {
            turn += 1;
            match turn % 4 {
                0 => Behaviour::Respond(503),
                1 => Behaviour::CloseMidway,
                _ => Behaviour::Respond(200),
            }
        });
        takes(&env, &failing, 60).await;
        let has_recovered = |webhook: &Value| webhook["deliveredSeq"] == 60 && webhook["failingSince"].is_null();
        let webhook = webhook_when(&env, &staff, has_recovered).await;
        assert!(webhook["lastError"].is_null(), "{webhook}");
        for receiver in [&failing, &healthy] {
            let taken: BTreeSet<_> = receiver.taken().into_iter().collect();
            assert_eq!(taken, (1..=60).collect(), "nothing is lost");
            assert_in_order(&receiver.received(), |seq| (seq - 1) % 7);
            assert!(receiver.most_in_flight() <= 8, "{}", receiver.most_in_flight());
        }
    }

    async fn a_replay_sends_the_same_messages(env) {
        let (staff, receiver) = (env.akimat(HOST), Receiver::start().await);
        let (webhook, _) = staff.register_webhook(&receiver.url()).await;
        record(&env, &[(1, "RAISED"), (1, "ASSIGNED")]).await;
        takes(&env, &receiver, 2).await;
        webhook_when(&env, &staff, |webhook| webhook["deliveredSeq"] == 2).await;
        let input = |after: i64| json!({ "webhookId": webhook["id"], "after": after });
        for wrong in [-1, 3] {
            assert_eq!(refusal(&staff.mutate("replayWebhook", input(wrong)).await), "INVALID");
        }
        staff.mutate("replayWebhook", input(0)).await;
        takes(&env, &receiver, 4).await;
        let messages: Vec<_> = receiver.received().iter().map(|one| (one.seq(), one.id().to_owned())).collect();
        assert_eq!(messages[2..], messages[..2]);
        assert_eq!([messages[0].0, messages[1].0], [1, 2]);
    }

    async fn parks_after_three_days(env) {
        let (staff, receiver) = (env.akimat(HOST), Receiver::start().await);
        staff.register_webhook(&receiver.url()).await;
        receiver.behave(Behaviour::Redirect(receiver.url()));
        record(&env, &[(1, "RAISED")]).await;
        let ask = async || staff.webhooks().await.remove(0);
        let first = until(ask, || env.advance(SECOND), |webhook| webhook["deliveries"]["nodes"][0]["attempts"] == 1).await;
        let delivery = &first["deliveries"]["nodes"][0];
        assert_eq!((&delivery["state"], &delivery["lastStatus"]), (&json!("WAITING"), &json!(307)));
        assert_eq!(delivery["lastError"], "The receiver redirects to another address.");
        let parked = until(ask, || env.advance(TimeDelta::minutes(20)), |webhook| {
            states(webhook) == [(1, "PARKED".to_owned())]
        });
        let attempts = parked.await["deliveries"]["nodes"][0]["attempts"].as_i64().unwrap();
        // The clock moves by twenty minutes, so that some pauses are longer than planned.
        assert!((30..150).contains(&attempts), "{attempts}");
    }

    async fn an_inactive_webhook_gets_its_events_later(env) {
        let (staff, receiver, other) = (env.akimat(HOST), Receiver::start().await, Receiver::start().await);
        let (webhook, _) = staff.register_webhook(&receiver.url()).await;
        staff.register_webhook(&other.url()).await;
        let set = |active: bool| json!({ "webhookId": webhook["id"], "active": active });
        let paused = staff.mutate("updateWebhook", set(false)).await;
        assert_eq!((&paused["webhook"]["active"], &paused["webhook"]["version"]), (&json!(false), &json!(2)));
        let stale = json!({ "webhookId": webhook["id"], "active": true, "version": 1 });
        assert_eq!(refusal(&staff.mutate("updateWebhook", stale).await), "STALE");
        record(&env, &[(1, "RAISED"), (1, "PLANNED"), (1, "RESOLVED")]).await;
        takes(&env, &other, 3).await;
        let paused = staff.webhooks().await.into_iter().find(|listed| listed["id"] == webhook["id"]).unwrap();
        assert_eq!((receiver.received().len(), &paused["deliveries"]["totalCount"]), (0, &json!(0)));
        let change = json!({ "webhookId": webhook["id"], "active": true, "kinds": ["RESOLVED"] });
        staff.mutate("updateWebhook", change).await;
        assert_eq!(takes(&env, &receiver, 1).await, [3], "the kinds of now");
        assert_eq!(receiver.received().len(), 1);
    }

    async fn both_secrets_sign_for_a_day_after_a_rotation(env) {
        let (staff, receiver) = (env.akimat(HOST), Receiver::start().await);
        let (webhook, old) = staff.register_webhook(&receiver.url()).await;
        let rotate = async || {
            let rotated = staff.mutate("rotateWebhookSecret", json!({ "webhookId": webhook["id"] })).await;
            rotated["secret"].as_str().unwrap().to_owned()
        };
        let lost = rotate().await;
        env.advance(TimeDelta::hours(1));
        let new = rotate().await;
        assert_eq!(BTreeSet::from([&old, &lost, &new]).len(), 3);
        let message = async |count: usize| {
            record(&env, &[(1, "CHANGED")]).await;
            takes(&env, &receiver, count).await;
            receiver.received().last().unwrap().clone()
        };
        assert!(message(1).await.is_signed_with(&[&new, &old]));
        env.advance(TimeDelta::hours(24));
        assert!(message(2).await.is_signed_with(&[&new]), "a day after the first rotation");
    }

    async fn a_test_message_shows_whether_the_receiver_works(env) {
        let (staff, receiver) = (env.akimat(HOST), Receiver::start().await);
        let (webhook, _) = staff.register_webhook(&receiver.url()).await;
        let test = async || staff.mutate("testWebhook", json!({ "webhookId": webhook["id"] })).await["webhook"].clone();
        assert!(test().await["lastError"].is_null());
        assert_eq!(receiver.received()[0].json()["type"], "webhook.test");
        receiver.behave(Behaviour::Respond(404));
        let failing = test().await;
        assert_eq!(failing["lastError"], "The receiver responded with an error.");
        assert!(failing["failingSince"].is_string());
    }

    async fn changes_are_in_the_audit_log(env) {
        let staff = env.akimat(HOST);
        let (webhook, _) = staff.register_webhook("http://127.0.0.1:9/").await;
        let input = json!({ "webhookId": webhook["id"] });
        staff.mutate("rotateWebhookSecret", input.clone()).await;
        staff.mutate("removeWebhook", input).await;
        let query = "query($id: ID!) { auditLog(filter: { subject: $id }) { nodes { action actor } } }";
        let log = staff.query(query, json!({ "id": webhook["id"] })).await;
        let entries = log["auditLog"]["nodes"].as_array().unwrap().clone();
        let actions: BTreeSet<_> = entries.iter().map(|entry| entry["action"].as_str().unwrap()).collect();
        assert_eq!(actions, BTreeSet::from(["webhook.registered", "webhook.secret_rotated", "webhook.removed"]));
        assert!(entries.iter().all(|entry| entry["actor"].as_str().unwrap().starts_with("staff:")));
        assert_eq!(staff.webhooks().await.len(), 0);
    }
}

on_both_engines! {
    async fn secrets_are_reencrypted_after_a_rotation_of_keys(env) {
        let mut env = env;
        let (staff, receiver) = (env.akimat(HOST), Receiver::start().await);
        let (webhook, former) = staff.register_webhook(&receiver.url()).await;
        let rotated = staff.mutate("rotateWebhookSecret", json!({ "webhookId": webhook["id"] })).await;
        let secret = rotated["secret"].as_str().unwrap().to_owned();
        let two = "k2:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";
        env.set("KEZDESU_DATA_KEYS", &format!("{two},{DATA_KEYS}"));
        env.replica().await;
        env.stop(0).await;
        let dump = async || env.dump("webhooks").await;
        let table = until(dump, || env.advance(TimeDelta::seconds(10)), |table| table.matches("k2:").count() == 2).await;
        assert!(!table.contains("k1:"), "both secrets are re-encrypted");
        record(&env, &[(1, "RAISED")]).await;
        takes(&env, &receiver, 1).await;
        assert!(receiver.received()[0].is_signed_with(&[&secret, &former]), "with the same secrets");
    }
}
