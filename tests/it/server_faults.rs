//! Servers that crash, freeze and lose data while people post and follow. The long rounds are ignored here and run
//! by `make test-faults`.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use chrono::TimeDelta;
use harness::{
    Actor, Engine, HOST, Process, Server, TestEnv,
    external::{now, person, settings},
    id_of, readiness, until, web,
};
use kezdesu::clock::SystemClock;
use serde_json::{Value, json};

/// Posts under the same key until it is acknowledged.
async fn post_until_acknowledged(author: &Actor, meeting: &str, body: &str) -> Value {
    let input = json!({ "meetingId": meeting, "body": body, "idempotencyKey": body });
    let query = "mutation($input: PostCommentInput!) { postComment(input: $input) { comment { id receipt } refusal { code } } }";
    loop {
        if let Ok(answer) = author.try_send(query, json!({ "input": input })).await
            && answer["data"]["postComment"]["comment"].is_object()
        {
            return answer["data"]["postComment"]["comment"].clone();
        }
        tokio::task::yield_now().await;
    }
}

async fn postgres_restarts(rounds: usize, posts: usize) {
    let (dir, mut postgres, redis) = (tempfile::tempdir().unwrap(), Server::postgres(), Server::redis());
    let more = [("KEZDESU_DATABASE_URL", postgres.postgres_url()), ("KEZDESU_REDIS_URL", redis.redis_url())];
    let program = Process::serve(&settings(dir.path(), &more)).await;
    let staff = person(&program.host, "staff", &["AKIMAT"]);
    let meeting = staff.live_meeting(HOST, HOST, now() + TimeDelta::minutes(1), "AFTER").await;
    let mut live = person(&program.host, "follower", &["CITIZEN"]).follow_comments(&meeting, None, "PUBLIC").await;
    let mut acknowledged: BTreeMap<String, Value> = BTreeMap::new();
    for round in 0..rounds {
        let writers = (0..8).map(|writer| {
            let (author, meeting) = (person(&program.host, &format!("w{writer}"), &["CITIZEN"]), meeting.clone());
            tokio::spawn(async move {
                let mut done = Vec::new();
                for n in 0..posts {
                    let body = format!("{round}.{writer}.{n}");
                    done.push((body.clone(), post_until_acknowledged(&author, &meeting, &body).await));
                }
                done
            })
        });
        let writers: Vec<_> = writers.collect();
        // A fast shutdown, and a crash.
        let signal = if round % 2 == 0 { "INT" } else { "QUIT" };
        let before = live.next().await["seq"].as_i64().expect("a position");
        postgres = tokio::task::spawn_blocking(move || {
            postgres.restart(signal);
            postgres
        })
        .await
        .unwrap();
        for writer in writers {
            acknowledged.extend(writer.await.unwrap());
        }
        let mut last = before;
        while last < i64::try_from(acknowledged.len()).unwrap() {
            let event = live.next().await;
            if event["kind"] == "HEARTBEAT" {
                continue;
            }
            assert_eq!(event["prev"], last, "no gap for subscribers");
            last = event["seq"].as_i64().expect("a position");
        }
    }
    assert_eq!(acknowledged.len(), rounds * 8 * posts);
    let stored = staff.comments(&meeting, json!({})).await;
    let ids: BTreeMap<_, _> = stored.iter().map(|comment| (comment["body"].to_string(), id_of(comment))).collect();
    assert_eq!(
        (stored.len(), ids.len()),
        (acknowledged.len(), acknowledged.len()),
        "nothing lost and nothing duplicated"
    );
    for (body, comment) in &acknowledged {
        assert_eq!(ids[&json!(body).to_string()], id_of(comment));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn database_restarts_under_load_lose_nothing() {
    postgres_restarts(2, 40).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make test-faults"]
async fn repeated_database_restarts_under_load_lose_nothing() {
    postgres_restarts(20, 70).await;
}

/// Returns whether a replica reports its bus as connected.
async fn has_bus(ops_host: &str) -> bool {
    let (_, ready) = readiness(ops_host).await.expect("the operations listener answers");
    ready["checks"]["bus"] == true
}

async fn redis_faults(rounds: usize) {
    let (dir, postgres, mut redis) = (tempfile::tempdir().unwrap(), Server::postgres(), Server::redis());
    let more = [("KEZDESU_DATABASE_URL", postgres.postgres_url()), ("KEZDESU_REDIS_URL", redis.redis_url())];
    let settings = settings(dir.path(), &more);
    let (first, second) = (Process::serve(&settings).await, Process::serve(&settings).await);
    let (staff, ana) = (person(&first.host, "staff", &["AKIMAT"]), person(&first.host, "ana", &["CITIZEN"]));
    let meeting = staff.live_meeting(HOST, HOST, now() + TimeDelta::minutes(1), "AFTER").await;
    let mut live = person(&second.host, "bek", &["CITIZEN"]).follow_comments(&meeting, None, "PUBLIC").await;
    let mut last = 0;
    for round in 0..rounds {
        for fault in ["STOP", "KILL", "FLUSH"] {
            match fault {
                "STOP" => redis.signal("STOP"),
                "KILL" => redis.restart("KILL"),
                _ => {
                    let client = redis::Client::open(redis.redis_url()).unwrap();
                    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
                    let _: () = redis::cmd("FLUSHALL").query_async(&mut connection).await.unwrap();
                }
            }
            for n in 0..10 {
                ana.post(&meeting, &format!("{round} {fault} {n}")).await;
            }
            for _ in 0..10 {
                let event = loop {
                    let event = live.next().await;
                    if event["kind"] != "HEARTBEAT" {
                        break event;
                    }
                };
                assert_eq!((&event["prev"], &event["seq"]), (&json!(last), &json!(last + 1)), "{fault}");
                last += 1;
            }
            if fault == "STOP" {
                redis.signal("CONT");
            }
            for program in [&first, &second] {
                until(async || has_bus(&program.ops_host).await, || (), |bus| *bus).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bus_faults_lose_no_event() {
    redis_faults(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make test-faults"]
async fn repeated_bus_faults_lose_no_event() {
    redis_faults(20).await;
}

/// Returns the 99th percentile.
fn p99(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() * 99 / 100]
}

/// Posts sequentially for `span`, and returns the latencies.
async fn post_for(author: &Actor, meeting: &str, name: &str, span: Duration) -> Vec<Duration> {
    let (began, mut times) = (Instant::now(), Vec::new());
    while began.elapsed() < span {
        let asked = Instant::now();
        author.post(meeting, &format!("{name} {}", times.len())).await;
        times.push(asked.elapsed());
    }
    times
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make test-faults"]
async fn a_hanging_bus_does_not_slow_posts_and_reconnects_quickly() {
    let (dir, postgres, redis) = (tempfile::tempdir().unwrap(), Server::postgres(), Server::redis());
    let more = [("KEZDESU_DATABASE_URL", postgres.postgres_url()), ("KEZDESU_REDIS_URL", redis.redis_url())];
    let settings = settings(dir.path(), &more);
    let (first, second) = (Process::serve(&settings).await, Process::serve(&settings).await);
    let (staff, ana) = (person(&first.host, "staff", &["AKIMAT"]), person(&first.host, "ana", &["CITIZEN"]));
    let meeting = staff.live_meeting(HOST, HOST, now() + TimeDelta::minutes(1), "AFTER").await;
    let mut live = person(&second.host, "bek", &["CITIZEN"]).follow_comments(&meeting, None, "PUBLIC").await;
    let before = post_for(&ana, &meeting, "before", Duration::from_secs(5)).await;
    redis.signal("STOP");
    let during = post_for(&ana, &meeting, "during", Duration::from_secs(30)).await;
    redis.signal("CONT");
    let back = Instant::now();
    for program in [&first, &second] {
        until(async || has_bus(&program.ops_host).await, || (), |bus| *bus).await;
    }
    let back = back.elapsed();
    let count = before.len() + during.len();
    let (before, during) = (p99(before), p99(during));
    println!("p99 of posts: {before:?} before, {during:?} while the bus hung; back after {back:?}");
    assert!(during <= before * 2, "{during:?}, before {before:?}");
    assert!(back < Duration::from_secs(2), "{back:?}");
    for seq in 1..=count {
        let event = loop {
            let event = live.next().await;
            if event["kind"] != "HEARTBEAT" {
                break event;
            }
        };
        assert_eq!((&event["prev"], &event["seq"]), (&json!(seq - 1), &json!(seq)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closes_a_subscriber_that_never_reads_and_keeps_the_others() {
    let env = TestEnv::start(Engine::Embedded).await;
    let (staff, connector, ana) = (env.akimat(HOST), env.connector(HOST), env.citizen("Ana"));
    let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
    let add = json!({ "meetingId": meeting, "platform": "VK", "url": "https://vk.example/1" });
    let broadcast = id_of(&staff.mutate("addBroadcast", add).await["meeting"]["broadcasts"][0]);
    let body = "Жол ".repeat(200);
    let comments: Vec<_> = (0..400)
        .map(|n| json!({ "externalId": n.to_string(), "authorName": "Марат", "body": format!("{body}{n}"), "postedAt": env.now() }))
        .collect();
    for comments in comments.chunks(100) {
        let import = json!({ "meetingId": meeting, "broadcastId": broadcast, "comments": comments });
        connector.mutate("importComments", import).await;
    }
    // Twenty replays of a megabyte each fill every buffer.
    let mut stuck = env.anonymous().socket().await;
    let query = "subscription($id: ID!) { comments(meetingId: $id, after: 0) { seq comment { body } } }";
    for id in 0..20 {
        let payload = json!({ "query": query, "variables": { "id": meeting } });
        stuck.send(&json!({ "id": id.to_string(), "type": "subscribe", "payload": payload })).await;
    }
    let mut live = env.anonymous().follow_comments(&meeting, None, "PUBLIC").await;
    let closed = async || {
        let page = web().get(format!("http://{}/metrics", env.ops_host(0))).send().await.unwrap();
        page.text().await.unwrap().lines().any(|line| line.starts_with("kezdesu_slow_readers_total 1"))
    };
    until(closed, || env.advance(TimeDelta::seconds(1)), |closed| *closed).await;
    ana.post(&meeting, "Естисіз бе?").await;
    assert_eq!(live.next_event_in(&env).await["comment"]["body"], "Естисіз бе?");
}

/// A file system of a few megabytes, if this machine allows mounting one.
struct Small(tempfile::TempDir);

impl Small {
    fn mount() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mut mount = std::process::Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=16m", "tmpfs"]).arg(dir.path());
        mount.status().is_ok_and(|status| status.success()).then_some(Self(dir))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_fails_only_writes_and_recovers() {
    let Some(small) = Small::mount() else {
        println!("SKIPPED: a small file system cannot be mounted here");
        return;
    };
    let program = Process::serve(&settings(small.0.path(), &[])).await;
    let (staff, ana) = (person(&program.host, "staff", &["AKIMAT"]), person(&program.host, "ana", &["CITIZEN"]));
    let meeting = staff.live_meeting(HOST, HOST, now() + TimeDelta::minutes(1), "AFTER").await;
    ana.post(&meeting, "Бұрын").await;
    let filler = small.0.path().join("filler");
    let full = std::process::Command::new("dd").arg("if=/dev/zero").arg(format!("of={}", filler.display())).output();
    assert!(!full.unwrap().status.success(), "the disk is full");
    let body = "Жол ".repeat(200);
    let mut refused = Value::Null;
    for n in 0..200 {
        let input = json!({ "meetingId": meeting, "body": format!("{body}{n}") });
        let answer = ana.try_mutate("postComment", input).await;
        if answer.get("errors").is_some() {
            refused = answer;
            break;
        }
    }
    assert_eq!(refused["errors"][0]["extensions"]["code"], "INTERNAL", "{refused}");
    assert_eq!(ana.meeting(&meeting).await["phase"], "LIVE", "reads still work");
    std::fs::remove_file(filler).unwrap();
    ana.post(&meeting, "Кейін").await;
    let bodies: Vec<_> = staff.comments(&meeting, json!({})).await.iter().map(|c| c["body"].clone()).collect();
    assert!(bodies.contains(&json!("Бұрын")) && bodies.contains(&json!("Кейін")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_with_clocks_hours_apart_agree_on_the_time_split() {
    let mut env = TestEnv::start(Engine::Production).await;
    let early = env.replica_by(SystemClock::showing(now() + TimeDelta::hours(1))).await;
    let late = env.replica_by(SystemClock::showing(now() - TimeDelta::hours(1))).await;
    let (early, late) = (env.host(early), env.host(late));
    let staff = person(&early, "staff", &["AKIMAT"]);
    let meeting = staff.live_meeting(HOST, HOST, now() + TimeDelta::minutes(1), "AFTER").await;
    for (host, stage) in [(&late, "QUESTIONS"), (&early, "PRESENTATION"), (&late, "QUESTIONS")] {
        let set = staff.at(host.clone()).mutate("setStage", json!({ "meetingId": meeting, "stage": stage })).await;
        assert!(set["refusal"].is_null(), "{set}");
    }
    for host in [early, late] {
        let split = staff.at(host).split(&meeting).await;
        for sum in ["presentationMs", "questionsMs"] {
            let ms = split[sum].as_i64().expect("milliseconds");
            assert!((0..60_000).contains(&ms), "clock differences must not count as time: {split}");
        }
    }
}

/// The loss of the bus and its return are logged once each.
#[tokio::test]
async fn logs_each_loss_and_return_of_the_bus_once() {
    let (dir, mut redis) = (tempfile::tempdir().unwrap(), Server::redis());
    let log = dir.path().join("log");
    let settings = settings(dir.path(), &[("KEZDESU_REDIS_URL", redis.redis_url())]);
    let program = Process::serve_logging(&settings, "kezdesu=info", &log).await;
    let said = |what: &str| std::fs::read_to_string(&log).unwrap().matches(what).count();
    let (here, gone) = ("the bus is connected", "the bus is not connected");
    until(async || said(here), || (), |times| *times == 1).await;
    redis.restart("KILL");
    until(async || said(here), || (), |times| *times == 2).await;
    assert_eq!((said(gone), has_bus(&program.ops_host).await), (1, true));
    program.kill().await;
}
