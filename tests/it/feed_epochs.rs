//! Feed epochs after a restore, and the progress of filtered subscribers.

use chrono::TimeDelta;
use harness::{Actor, HOST, Process, Server, Subscription, TestEnv, external, id_of, on_both_engines};
use kezdesu::{idgen::RandomIds, service};
use serde_json::{Value, json};

const FAR_HOST: &str = "103200000";
const FAR: &str = "103230000";
const FOLLOW: &str = "subscription($id: ID!, $after: Int, $epoch: String) { comments(meetingId: $id, after: $after, epoch: $epoch) \
                      { seq prev kind recovered epoch comment { body } } }";

/// Subscribes to comments from a position of an epoch, and returns the first event too.
async fn follow(actor: &Actor, meeting: &str, after: Option<i64>, epoch: Option<&str>) -> (Subscription, Value) {
    let mut live = actor.follow(FOLLOW, json!({ "id": meeting, "after": after, "epoch": epoch })).await;
    let first = live.next().await;
    assert_eq!(first["kind"], "SUBSCRIBED", "{first}");
    (live, first)
}

fn epoch_of(event: &Value) -> String {
    event["epoch"].as_str().expect("an epoch").to_owned()
}

/// Reads to the end of a stream.
async fn ended(live: &mut Subscription) {
    while live.socket.receive().await["type"] != "complete" {}
}

/// Starts a new epoch, as an operator does after a restore.
async fn restored(env: &TestEnv) -> String {
    let store = &env.service(0).app().store;
    service::new_epoch(store, env.clock.as_ref(), RandomIds::start().as_ref()).await.expect("a new epoch")
}

on_both_engines! {
    async fn epoch_is_sent_first_and_survives_a_restart(env) {
        let mut env = env;
        let (staff, ana, anonymous) = (env.akimat(HOST), env.citizen("Ana"), env.anonymous());
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        ana.post(&meeting, "Бір").await;
        let (mut live, first) = follow(&anonymous, &meeting, Some(0), None).await;
        let epoch = epoch_of(&first);
        assert_eq!((&live.next().await["epoch"], &live.next_in(&env).await["epoch"]), (&Value::Null, &Value::Null));
        let meetings = "subscription($epoch: String) { meetings(after: 0, epoch: $epoch) { kind recovered epoch } }";
        let seen = anonymous.follow(meetings, json!({ "epoch": epoch })).await.next().await;
        assert_eq!(seen, json!({ "kind": "SUBSCRIBED", "recovered": true, "epoch": epoch }));
        let second = env.replica().await;
        let there = anonymous.at(env.host(second));
        assert_eq!(epoch_of(&follow(&there, &meeting, None, None).await.1), epoch, "all replicas have the same epoch");
        env.stop(0).await;
        let (_, again) = follow(&there, &meeting, Some(1), Some(&epoch)).await;
        assert_eq!((again["recovered"].as_bool(), epoch_of(&again)), (Some(true), epoch));
    }

    async fn resuming_across_a_restored_backup_reports_a_gap(env) {
        let (staff, ana, anonymous) = (env.akimat(HOST), env.citizen("Ana"), env.anonymous());
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        for body in ["Бір", "Екі", "Үш"] {
            ana.post(&meeting, body).await;
        }
        let (mut live, first) = follow(&anonymous, &meeting, Some(3), None).await;
        let (old, mut split) = (
            epoch_of(&first),
            anonymous
                .follow(
                    "subscription($id: ID!) { timeSplit(meetingId: $id) { presentationMs } }",
                    json!({ "id": meeting }),
                )
                .await,
        );
        split.next().await;
        let new = restored(&env).await;
        assert_ne!(new, old);
        // Subscriptions end at the next poll.
        let mut ended = std::pin::pin!(ended(&mut live));
        // Only paces the clock.
        while tokio::time::timeout(std::time::Duration::from_millis(10), &mut ended).await.is_err() {
            env.advance(TimeDelta::milliseconds(200));
        }
        for (after, epoch, recovered, seq) in [
            (Some(2), Some(old.as_str()), Some(false), 3),
            (Some(3), Some(&old), Some(false), 3),
            (Some(2), Some(&new), Some(true), 2),
            (Some(2), None, Some(true), 2),
            (None, Some(&old), None, 3),
        ] {
            let (_, first) = follow(&anonymous, &meeting, after, epoch).await;
            assert_eq!(
                (first["recovered"].as_bool(), first["seq"].as_i64()),
                (recovered, Some(seq)),
                "{after:?} {epoch:?}"
            );
            assert_eq!(epoch_of(&first), new);
        }
        let (mut live, _) = follow(&anonymous, &meeting, Some(2), Some(&old)).await;
        ana.post(&meeting, "Төрт").await;
        assert_eq!(live.next().await["comment"]["body"], "Төрт");
        // Subscriptions without positions continue.
        split.next_in(&env).await;

        let body = json!({ "query": FOLLOW, "variables": { "id": meeting } });
        let ask = |id: String| {
            anonymous.request().header("accept", "text/event-stream").header("last-event-id", id).json(&body)
        };
        for (id, recovered) in [(format!("{old}.1"), false), (format!("{new}.1"), true)] {
            let chunk = ask(id.clone()).send().await.unwrap().chunk().await.unwrap().unwrap();
            let text = std::str::from_utf8(&chunk).unwrap();
            assert!(text.contains(&format!("\"recovered\":{recovered}")), "{id}: {text}");
        }
    }

    async fn filtered_subscribers_resume_from_the_last_heartbeat(env) {
        let (admin, ana) = (env.person("Staff", &["ADMIN"], None), env.citizen("Ana"));
        let query =
            "subscription($after: Int) { meetings(region: \"75\", after: $after) { seq prev kind meeting { id } } }"
                .replace("\"75\"", &format!("\"{HOST}\""));
        let mut live = env.anonymous().follow(&query, json!({ "after": 0 })).await;
        assert_eq!(live.next().await["seq"], 0);
        for _ in 0..3 {
            admin.live_meeting(FAR_HOST, FAR, env.now(), "AFTER").await;
        }
        // Three meetings with three events each.
        let beat = loop {
            let event = live.next_in(&env).await;
            assert_eq!((&event["kind"], &event["prev"]), (&json!("HEARTBEAT"), &json!(0)), "{event}");
            if event["seq"] == 9 {
                break event;
            }
        };
        let mut again = env.anonymous().follow(&query, json!({ "after": beat["seq"] })).await;
        assert_eq!(again.next().await, json!({ "seq": 9, "prev": 9, "kind": "SUBSCRIBED", "meeting": null }));
        let here = admin.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        for (live, prev) in [(&mut live, 0), (&mut again, 9)] {
            let event = live.next_event_in(&env).await;
            assert_eq!(event, json!({ "seq": 10, "prev": prev, "kind": "PLANNED", "meeting": { "id": here } }));
        }

        // The same for unpublished comments.
        let meeting = admin.live_meeting(HOST, HOST, env.now(), "BEFORE").await;
        let mut live = env.anonymous().follow_comments(&meeting, Some(0), "PUBLIC").await;
        let waits = id_of(&ana.post(&meeting, "Жол?").await);
        while live.next_in(&env).await["seq"] != 1 {}
        env.moderator(HOST).moderate("APPROVE", &[&waits]).await;
        let event = live.next_event_in(&env).await;
        assert_eq!((&event["seq"], &event["prev"]), (&json!(2), &json!(0)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_epoch_command_is_noticed_by_running_replicas() {
    let dir = tempfile::tempdir().unwrap();
    let settings = external::settings(dir.path(), &[]);
    let program = Process::serve(&settings).await;
    let staff = external::person(&program.host, "staff", &["AKIMAT"]);
    let meeting = staff.live_meeting(HOST, HOST, external::now() + TimeDelta::minutes(1), "AFTER").await;
    let (mut live, first) = follow(&staff, &meeting, None, None).await;
    let mut command = tokio::process::Command::new(Process::program());
    let done = command.arg("new-epoch").envs(settings).output().await.unwrap();
    assert!(done.status.success(), "{done:?}");
    ended(&mut live).await;
    let (_, second) = follow(&staff, &meeting, Some(0), Some(&epoch_of(&first))).await;
    assert_eq!(second["recovered"], false);
    let told = String::from_utf8(done.stdout).unwrap();
    assert_eq!(told.trim(), format!("the feeds are in epoch {}", epoch_of(&second)));
    assert!(program.terminate().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recovered_database_gets_a_new_epoch_automatically() {
    let (dir, mut postgres, redis) = (tempfile::tempdir().unwrap(), Server::postgres(), Server::redis());
    let more = [("KEZDESU_DATABASE_URL", postgres.postgres_url()), ("KEZDESU_REDIS_URL", redis.redis_url())];
    let program = Process::serve(&external::settings(dir.path(), &more)).await;
    let staff = external::person(&program.host, "staff", &["AKIMAT"]);
    let meeting = staff.live_meeting(HOST, HOST, external::now() + TimeDelta::minutes(1), "AFTER").await;
    let (mut live, first) = follow(&staff, &meeting, None, None).await;
    postgres.restart("INT");
    let (_, again) = follow(&staff, &meeting, Some(0), Some(&epoch_of(&first))).await;
    assert_eq!((&again["recovered"], &again["epoch"]), (&json!(true), &first["epoch"]));
    postgres.recover();
    ended(&mut live).await;
    let (_, again) = follow(&staff, &meeting, Some(0), Some(&epoch_of(&first))).await;
    assert_eq!(again["recovered"], false);
    let stored = |event: &Value| epoch_of(event).split_once('-').unwrap().0.to_owned();
    assert_eq!(stored(&again), stored(&first), "only the timeline differs");
    assert!(program.terminate().await);
}
