//! Events are written to the sockets of a group directly, whole and in order, whatever else is sent there.

use std::time::Duration;

use chrono::TimeDelta;
use harness::{
    Engine, EventStream, HOST, Process, Subscription, TIMEOUT,
    external::{anonymous, now, person, settings_on},
    on_both_engines,
};
use serde_json::{Value, json};

const COMMENTS: &str = "subscription($id: ID!) { comments(meetingId: $id) { seq prev kind comment { body } } }";

/// Follows a meeting's comments from now on.
async fn follow(actor: &harness::Actor, meeting: &str) -> Subscription {
    let mut live = actor.follow(COMMENTS, json!({ "id": meeting })).await;
    assert_eq!(live.next().await["kind"], "SUBSCRIBED");
    live
}

/// Starts a program with a live meeting. Its data is in the directory.
async fn serve_live_meeting(engine: Engine) -> (Process, String, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let program = Process::serve(&settings_on(dir.path(), engine).await).await;
    let staff = person(&program.host, "staff", &["AKIMAT"]);
    let meeting = staff.live_meeting(HOST, HOST, now() + TimeDelta::minutes(1), "AFTER").await;
    (program, meeting, dir)
}

async fn a_group_writes_most_events(engine: Engine) {
    const FOLLOWERS: usize = 20;
    const POSTS: i64 = 10;
    let (program, meeting, _dir) = serve_live_meeting(engine).await;
    let ana = person(&program.host, "ana", &["CITIZEN"]);
    let mut followers = Vec::new();
    for _ in 0..FOLLOWERS {
        followers.push(follow(&anonymous(&program.host), &meeting).await);
    }
    for seq in 1..=POSTS {
        ana.post(&meeting, &format!("Сұрақ {seq}")).await;
        for live in &mut followers {
            let event = live.next().await;
            assert_eq!(event["comment"]["body"], format!("Сұрақ {seq}"));
            assert_eq!((event["seq"].as_i64(), event["prev"].as_i64()), (Some(seq), Some(seq - 1)));
        }
    }
    let mut by = Vec::new();
    for who in ["group", "subscriber"] {
        let name = format!("kezdesu_deliveries_total{{by=\"{who}\"}}");
        by.push(program.metric(&name).await.parse::<usize>().unwrap());
    }
    let sent = FOLLOWERS * (usize::try_from(POSTS).unwrap() + 1);
    assert_eq!(by.iter().sum::<usize>(), sent, "each event once, and the starts: {by:?}");
    // A socket that is busy at that moment is left to its own task.
    assert!(by[0] >= sent / 2, "{by:?}");
}

/// Streams over HTTP get events through their group, and keep their order when their client reads late.
async fn streams_over_http_are_served_by_their_group(engine: Engine) {
    const POSTS: i64 = 30;
    let (program, meeting, _dir) = serve_live_meeting(engine).await;
    let ana = person(&program.host, "ana", &["CITIZEN"]);
    let open = async || {
        let mut live = EventStream::of(&anonymous(&program.host), COMMENTS, json!({ "id": meeting })).await;
        assert_eq!(live.try_next().await.unwrap()["kind"], "SUBSCRIBED");
        live
    };
    let (mut reader, mut late) = (open().await, open().await);
    let check = |event: &Value, seq: i64| {
        assert_eq!((event["seq"].as_i64(), event["prev"].as_i64()), (Some(seq), Some(seq - 1)), "{event}");
    };
    for seq in 1..=POSTS {
        ana.post(&meeting, &format!("Сұрақ {seq}")).await;
        check(&reader.try_next().await.unwrap(), seq);
    }
    for seq in 1..=POSTS {
        check(&late.try_next().await.unwrap(), seq);
    }
    let by_group = program.metric("kezdesu_deliveries_total{by=\"group\"}").await.parse::<i64>().unwrap();
    let by_task = program.metric("kezdesu_deliveries_total{by=\"subscriber\"}").await.parse::<i64>().unwrap();
    assert_eq!(by_group + by_task, 2 * (POSTS + 1), "each event once, and the starts");
    assert!(by_group >= POSTS, "{by_group} by the group, {by_task} by tasks");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_over_http_are_served_by_their_group_embedded() {
    streams_over_http_are_served_by_their_group(Engine::Embedded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_over_http_are_served_by_their_group_production() {
    streams_over_http_are_served_by_their_group(Engine::Production).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_writes_most_events_embedded() {
    a_group_writes_most_events(Engine::Embedded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_writes_most_events_production() {
    a_group_writes_most_events(Engine::Production).await;
}

/// Returns the number of files that a program has open.
fn open_files(program: &Process) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", program.id())).expect("it runs").count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscribers_that_leave_a_quiet_feed_release_their_connections() {
    const LEAVING: usize = 100;
    let (program, meeting, _dir) = serve_live_meeting(Engine::Embedded).await;
    // Keeps the group, in which nothing happens.
    let _stays = follow(&anonymous(&program.host), &meeting).await;
    let before = open_files(&program);
    for _ in 0..LEAVING {
        follow(&anonymous(&program.host), &meeting).await.disconnect();
    }
    let released = async {
        while open_files(&program) > before + LEAVING / 4 {
            // The service sees the end of a connection a little later.
            let _ = tokio::time::timeout(Duration::from_millis(50), std::future::pending::<()>()).await;
        }
    };
    tokio::time::timeout(TIMEOUT, released).await.expect("connections are closed");
}

/// Sends a message to a socket, and returns the events up to its reply.
async fn events_until_pong(socket: &mut harness::Socket, ping: i64) -> Vec<Value> {
    socket.send(&json!({ "type": "ping", "payload": { "n": ping } })).await;
    let mut events = Vec::new();
    loop {
        let message = socket.receive().await;
        match message["type"].as_str() {
            Some("pong") if message["payload"]["n"] == ping => return events,
            Some("next") => events.push(message),
            _ => panic!("{message}"),
        }
    }
}

on_both_engines! {
    async fn replies_and_events_do_not_mix(env) {
        const POSTS: i64 = 100;
        let meeting = env.akimat(HOST).live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let ana = env.citizen("Ana");
        let mut socket = env.anonymous().socket().await;
        let payload = json!({ "query": COMMENTS, "variables": { "id": meeting } });
        socket.send(&json!({ "id": "a", "type": "subscribe", "payload": payload })).await;
        assert_eq!(socket.receive().await["payload"]["data"]["comments"]["kind"], "SUBSCRIBED");
        let (poster, posted) = (ana.clone(), meeting.clone());
        let posts = tokio::spawn(async move {
            for n in 1..=POSTS {
                poster.post(&posted, &format!("Сұрақ {n}")).await;
            }
        });
        let (mut last, mut ping) = (0, 0);
        while last < POSTS {
            ping += 1;
            for event in events_until_pong(&mut socket, ping).await {
                let event = &event["payload"]["data"]["comments"];
                assert_eq!((event["prev"].as_i64(), event["seq"].as_i64()), (Some(last), Some(last + 1)));
                last += 1;
            }
            // The limit of control messages is by this clock.
            env.advance(TimeDelta::milliseconds(20));
        }
        posts.await.unwrap();
    }

    async fn an_id_used_again_continues_without_the_events_of_before(env) {
        let meeting = env.akimat(HOST).live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let ana = env.citizen("Ana");
        let mut socket = env.anonymous().socket().await;
        let payload = json!({ "query": COMMENTS, "variables": { "id": meeting } });
        let subscribe = json!({ "id": "a", "type": "subscribe", "payload": payload });
        socket.send(&subscribe).await;
        let (mut starts, mut last) = (0, None);
        for round in 1..=10 {
            let body = format!("Сұрақ {round}");
            let posting = ana.post(&meeting, &body);
            let again = async {
                socket.send(&json!({ "id": "a", "type": "complete" })).await;
                socket.send(&subscribe).await;
            };
            tokio::join!(posting, again);
            // The first start is that of the round before.
            let mut is_done = false;
            while !is_done {
                let event = socket.receive().await["payload"]["data"]["comments"].clone();
                if event["kind"] == "SUBSCRIBED" {
                    starts += 1;
                    if starts == round + 1 {
                        ana.post(&meeting, &format!("Соңғы {round}")).await;
                    }
                } else {
                    assert_eq!(event["prev"].as_i64(), last, "{event}");
                    is_done = starts == round + 1 && event["comment"]["body"] == format!("Соңғы {round}");
                }
                last = event["seq"].as_i64();
            }
        }
    }
}
