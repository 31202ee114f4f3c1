//! Replicas start and stop while people follow.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use harness::{
    Actor, Engine, HOST, Process, TestEnv, databases,
    external::{now, person, settings_on},
    id_of, on_both_engines, token_claims, until,
};
use serde_json::{Value, json};

const ROUNDS: usize = 6;

async fn live_meeting(staff: &Actor) -> String {
    staff.live_meeting(HOST, HOST, now() + TimeDelta::minutes(1), "AFTER").await
}

/// Posts with keys until the program is killed.
async fn post_until_cut(author: Actor, meeting: String, round: usize) {
    for n in 0.. {
        let body = format!("{round}.{n}");
        let input = json!({ "meetingId": meeting, "body": body, "idempotencyKey": body });
        let query = "mutation($input: PostCommentInput!) { postComment(input: $input) { comment { id } } }";
        if author.try_send(query, json!({ "input": input })).await.is_err() {
            return;
        }
    }
}

async fn a_follower_survives(engine: Engine) {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings_on(dir.path(), engine).await;
    let mut program = Process::serve(&settings).await;
    let meeting = live_meeting(&person(&program.host, "staff", &["AKIMAT"])).await;
    let mut seen: Vec<String> = Vec::new();
    for round in 0..ROUNDS {
        let author = person(&program.host, &format!("writer-{round}"), &["CITIZEN"]);
        let writer = tokio::spawn(post_until_cut(author.clone(), meeting.clone(), round));
        let after = i64::try_from(seen.len()).unwrap();
        let mut live = author.begin_comments(&meeting, Some(after), "PUBLIC").await;
        assert_eq!(live.next().await["recovered"], true, "events shown before the kill are stored");
        for _ in 0..=3 * round {
            take(&live.next().await, &mut seen);
        }
        program.kill().await;
        // Events in flight still arrive.
        while let Some(event) = live.try_next().await {
            take(&event, &mut seen);
        }
        writer.await.unwrap();
        program = Process::serve(&settings).await;
    }
    let reader = person(&program.host, "reader", &["CITIZEN"]);
    let listed: Vec<String> = reader.comments(&meeting, json!({})).await.iter().map(id_of).collect();
    let mut live = reader.begin_comments(&meeting, Some(i64::try_from(seen.len()).unwrap()), "PUBLIC").await;
    assert_eq!(live.next().await["recovered"], true);
    while seen.len() < listed.len() {
        take(&live.next().await, &mut seen);
    }
    assert_eq!(seen, listed, "every comment once and in order");
    assert!(program.terminate().await);
}

/// Appends an event, which must be the next one.
fn take(event: &Value, seen: &mut Vec<String>) {
    let position = i64::try_from(seen.len()).unwrap();
    assert_eq!((event["prev"].as_i64(), event["seq"].as_i64()), (Some(position), Some(position + 1)), "{event}");
    seen.push(event["commentId"].as_str().unwrap().to_owned());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn resumes_exactly_once_after_a_kill_embedded() {
    a_follower_survives(Engine::Embedded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn resumes_exactly_once_after_a_kill_production() {
    a_follower_survives(Engine::Production).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closes_a_reader_that_never_reads_and_keeps_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let program = Process::serve(&settings_on(dir.path(), Engine::Embedded).await).await;
    let staff = person(&program.host, "staff", &["AKIMAT", "CONNECTOR", "CITIZEN"]);
    let meeting = live_meeting(&staff).await;
    let add = json!({ "meetingId": meeting, "platform": "VK", "url": "https://vk.example/1" });
    let broadcast = id_of(&staff.mutate("addBroadcast", add).await["meeting"]["broadcasts"][0]);
    // More than the network buffers hold.
    let comments: Vec<Value> = (0..150)
        .map(|n| json!({ "externalId": n.to_string(), "authorName": "М", "body": "ә".repeat(1000), "postedAt": "2026-03-02T04:00:00Z" }))
        .collect();
    staff
        .mutate("importComments", json!({ "meetingId": meeting, "broadcastId": broadcast, "comments": comments }))
        .await;
    let mut stuck = staff.socket().await;
    let mut neighbour = staff.follow_comments(&meeting, None, "PUBLIC").await;
    let twenty = "{ seq c0: comment { body } c1: comment { body } c2: comment { body } c3: comment { body } }";
    let query = format!("subscription($id: ID!) {{ comments(meetingId: $id, after: 0) {twenty} }}");
    for id in 0..20 {
        let payload = json!({ "query": query, "variables": { "id": meeting } });
        stuck.send(&json!({ "id": id.to_string(), "type": "subscribe", "payload": payload })).await;
    }
    let began = Instant::now();
    until_one_socket(&program).await;
    let took = began.elapsed();
    assert!(took >= Duration::from_secs(10), "closed too early: {took:?}");
    staff.post(&meeting, "Көрші").await;
    assert_eq!(neighbour.next().await["comment"]["body"], "Көрші");
    assert!([1006, 1013].contains(&stuck.close_code().await));
    assert!(program.terminate().await);
}

async fn until_one_socket(program: &Process) {
    assert_eq!(program.metric("kezdesu_sockets ").await, "2");
    until(|| program.metric("kezdesu_sockets "), || {}, |count| count == "1").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_migrate_an_empty_database_concurrently() {
    let dir = tempfile::tempdir().unwrap();
    let mut settings = settings_on(dir.path(), Engine::Production).await;
    for (name, value) in &mut settings {
        if name == "KEZDESU_DATABASE_URL" {
            *value = databases().await.empty().await;
        }
    }
    let starting = (0..3).map(|_| Process::serve(&settings));
    let programs = futures_util::future::join_all(starting).await;
    for program in programs {
        let found = person(&program.host, "reader", &["CITIZEN"]).query("{ regions { totalCount } }", json!({})).await;
        assert!(found["regions"]["totalCount"].as_i64() > Some(200), "{found}");
        assert!(program.terminate().await);
    }
}

/// Kills the first start at different moments, and checks that the next one succeeds.
async fn first_starts_are_cut(engine: Engine) {
    for cut in 0..12 {
        let dir = tempfile::tempdir().unwrap();
        let mut settings = settings_on(dir.path(), engine).await;
        for (name, value) in &mut settings {
            if name == "KEZDESU_DATABASE_URL" {
                *value = databases().await.empty().await;
            }
        }
        for more in 0..3 {
            Process::serve_only_for(Duration::from_millis(8 * cut + 3 * more), &settings).await;
        }
        let program = Process::serve(&settings).await;
        let found = person(&program.host, "reader", &["CITIZEN"]).query("{ regions { totalCount } }", json!({})).await;
        assert!(found["regions"]["totalCount"].as_i64() > Some(200), "{found}");
        assert!(program.terminate().await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_first_start_can_be_repeated_embedded() {
    first_starts_are_cut(Engine::Embedded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_first_start_can_be_repeated_production() {
    first_starts_are_cut(Engine::Production).await;
}

on_both_engines! {
    async fn subscribers_of_a_stopped_replica_resume_on_another(env) {
        let mut env = env;
        let (staff, ana) = (env.akimat(HOST), env.citizen("Ana"));
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let second = env.replica().await;
        let other = env.host(second);
        let mut live = env.anonymous().begin_comments(&meeting, Some(0), "PUBLIC").await;
        assert_eq!(live.next().await["kind"], "SUBSCRIBED");
        let mut seen = Vec::new();
        ana.post(&meeting, "Бірінші").await;
        take(&live.next().await, &mut seen);
        let (there, id) = (ana.at(other.clone()), meeting.clone());
        let writer = tokio::spawn(async move {
            for n in 0..20 {
                there.post(&id, &format!("Сұрақ {n}")).await;
            }
        });
        let anonymous = env.anonymous();
        let (code, ()) = tokio::join!(
            async {
                while let Some(event) = live.try_next().await {
                    take(&event, &mut seen);
                }
            },
            env.stop(0)
        );
        let () = code;
        writer.await.unwrap();
        let mut live = anonymous
            .at(other.clone())
            .begin_comments(&meeting, Some(i64::try_from(seen.len()).unwrap()), "PUBLIC")
            .await;
        assert_eq!(live.next().await["recovered"], true);
        while seen.len() < 21 {
            take(&live.next_event_in(&env).await, &mut seen);
        }
        let listed: Vec<String> = anonymous.at(other).comments(&meeting, json!({})).await.iter().map(id_of).collect();
        assert_eq!(seen, listed);
    }
}

#[tokio::test]
async fn server_sent_events_end_with_the_token_and_the_service() {
    let mut env = TestEnv::start(Engine::Embedded).await;
    let mut claims = token_claims("ana", "Ana", &["CITIZEN"], None, env.now());
    claims["exp"] = json!((env.now() + TimeDelta::minutes(5)).timestamp());
    let query = json!({ "query": "subscription { meetings { kind } }" });
    let open =
        async |actor: Actor| actor.request().header("accept", "text/event-stream").json(&query).send().await.unwrap();
    let mut ending = open(env.with_claims(&claims)).await;
    let mut staying = open(env.anonymous()).await;
    for stream in [&mut ending, &mut staying] {
        let first = stream.chunk().await.unwrap().unwrap();
        assert!(first.starts_with(b"event: next\ndata: {\"data\":{\"meetings\":{\"kind\":\"SUBSCRIBED\"}}}"));
    }
    env.advance(TimeDelta::minutes(5));
    assert!(rest(&mut ending).await.ends_with("event: complete\ndata:\n\n"), "the token has expired");
    let (text, ()) = tokio::join!(rest(&mut staying), env.stop(0));
    assert!(text.ends_with("event: complete\ndata:\n\n"), "the service shuts down: {text}");
}

/// Reads the rest of a stream.
async fn rest(stream: &mut reqwest::Response) -> String {
    let all = async {
        let mut text = String::new();
        while let Some(chunk) = stream.chunk().await.unwrap() {
            text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
        text
    };
    tokio::time::timeout(harness::TIMEOUT, all).await.expect("the stream ends")
}
