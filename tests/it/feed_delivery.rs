//! Delivery of feeds to many subscribers and across broken connections: exactly once and in order.

use std::time::Duration;

use harness::{Actor, Engine, HOST, Socket, Subscription, TcpProxy, TestEnv, id_of, on_both_engines};
use serde_json::{Value, json};

const QUERY: &str = "subscription($id: ID!, $after: Int) \
                     { comments(meetingId: $id, after: $after) { seq prev kind recovered comment { body } } }";

/// A client that applies the rules of the contract to each event and reports violations.
#[derive(Debug, Default)]
struct Follower {
    last: i64,
    bodies: Vec<String>,
}

impl Follower {
    fn take(&mut self, event: &Value) -> Result<(), String> {
        match event["kind"].as_str() {
            Some("SUBSCRIBED") if event["recovered"] != false => Ok(()),
            Some("SUBSCRIBED") => Err("nothing older is kept".to_owned()),
            Some("HEARTBEAT") => Ok(()),
            _ if event["prev"] != self.last => {
                Err(format!("{} follows {}, not {}", event["seq"], event["prev"], self.last))
            }
            _ => {
                self.last = event["seq"].as_i64().ok_or("no position")?;
                self.bodies.push(event["comment"]["body"].as_str().unwrap_or_default().to_owned());
                Ok(())
            }
        }
    }
}

async fn deliver_to_many(runs: usize) {
    const FOLLOWERS: usize = 50;
    const WRITERS: usize = 20;
    const POSTS: usize = 5;
    let mut env = TestEnv::start(Engine::Production).await;
    let replicas = [0, env.replica().await, env.replica().await];
    let hosts = replicas.map(|replica| env.host(replica));
    for run in 0..runs {
        let meeting = env.akimat(HOST).live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let mut following = Vec::new();
        for number in 0..FOLLOWERS {
            let reader = env.anonymous().at(hosts[number % 3].clone());
            let mut live = reader.follow(QUERY, json!({ "id": meeting, "after": 0 })).await;
            live.next().await;
            following.push(tokio::spawn(async move {
                let mut follower = Follower::default();
                while follower.bodies.len() < WRITERS * POSTS {
                    let event = live.next().await;
                    follower.take(&event)?;
                }
                Ok::<_, String>(follower)
            }));
        }
        let writing = (0..WRITERS).map(|number| {
            let author = env.citizen(&format!("{run}-{number}")).at(hosts[number % 3].clone());
            let meeting = meeting.clone();
            async move {
                for n in 0..POSTS {
                    author.post(&meeting, &format!("{number}.{n}")).await;
                }
            }
        });
        let mut seen = Vec::new();
        let all = async {
            for follower in following {
                seen.push(follower.await.unwrap().expect("strictly increasing without gaps").bodies);
            }
        };
        let polling = async {
            loop {
                // Only paces the clock: the poll each second finds what the bus lost.
                let _ = tokio::time::timeout(Duration::from_millis(50), std::future::pending::<()>()).await;
                env.advance(chrono::TimeDelta::seconds(1));
            }
        };
        tokio::select! {
            _ = async { tokio::join!(futures_util::future::join_all(writing), all) } => {}
            () = polling => {}
        }
        assert!(seen.iter().all(|bodies| bodies == &seen[0]), "all subscribers saw the same order");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_subscribers_on_three_replicas_see_the_same_order() {
    deliver_to_many(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make test-faults"]
async fn fifty_subscribers_on_three_replicas_see_the_same_order_ten_times() {
    deliver_to_many(10).await;
}

/// Subscribes through a proxy that may end the connection at any byte.
async fn begin(host: &str, meeting: &str, after: i64) -> Option<Subscription> {
    Socket::try_follow(host, QUERY, json!({ "id": meeting, "after": after })).await
}

/// Imports this many comments in one command.
async fn import(env: &TestEnv, staff: &Actor, meeting: &str, count: usize) {
    let add = json!({ "meetingId": meeting, "platform": "VK", "url": "https://vk.example/1" });
    let broadcast = id_of(&staff.mutate("addBroadcast", add).await["meeting"]["broadcasts"][0]);
    let comments: Vec<_> = (0..count)
        .map(|n| json!({ "externalId": n.to_string(), "authorName": "М", "body": format!("Су {n}"), "postedAt": env.now() }))
        .collect();
    let import = json!({ "meetingId": meeting, "broadcastId": broadcast, "comments": comments });
    env.connector(HOST).mutate("importComments", import).await;
}

on_both_engines! {
    async fn resumes_exactly_once_after_a_cut_at_any_byte(env) {
        const CUTS: usize = 200;
        const EVENTS: usize = 500;
        let staff = env.akimat(HOST);
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        import(&env, &staff, &meeting, EVENTS).await;
        let wire = TcpProxy::to(&env.host(0)).await;
        let (mut keeps, mut forgets, mut control, mut broken) = (Follower::default(), Follower::default(), Ok(()), 0);
        for cut in 0..CUTS {
            // From the middle of the handshake to a few events later.
            wire.limit_new_connections(100 + cut * 6);
            let Some(mut live) = begin(&wire.host(), &meeting, keeps.last).await else { continue };
            while keeps.bodies.len() < EVENTS {
                let Some(event) = live.try_next().await else {
                    broken += 1;
                    break;
                };
                keeps.take(&event).expect("every event exactly once");
                // Control: a client that forgets its position now and then.
                control = control.and_then(|()| forgets.take(&event));
            }
            forgets.last = if cut % 50 == 49 { 0 } else { forgets.last };
        }
        assert!(broken > CUTS / 3, "many connections broke after they started: {broken}");
        let mut live = begin(&env.host(0), &meeting, keeps.last).await.expect("a complete connection");
        while keeps.bodies.len() < EVENTS {
            keeps.take(&live.next().await).expect("every event exactly once");
        }
        let bodies: Vec<_> = (0..EVENTS).map(|n| format!("Су {n}")).collect();
        assert_eq!(keeps.bodies, bodies, "every event once and in order");
        assert!(control.is_err(), "the control must detect a lost position");
    }

    async fn busy_streams_do_not_starve_other_operations(env) {
        const BUSY: usize = 8;
        const ASKED: usize = 60;
        /// Events that may come before an answer. The buffers of the connection hold some ten thousand.
        const MAX_AHEAD: usize = 50_000;
        let staff = env.akimat(HOST);
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        import(&env, &staff, &meeting, 500).await;
        let mut socket = env.anonymous().socket().await;
        let subscribe = |id: &str, query: &str| json!({ "id": id, "type": "subscribe", "payload": { "query": query, "variables": { "id": meeting, "after": 0 } } });
        // Endless replays: each one that finishes starts again.
        for busy in 0..BUSY {
            socket.send(&subscribe(&format!("busy-{busy}"), QUERY)).await;
        }
        let (mut replayed, mut begun) = (0_usize, BUSY);
        for asked in 0..ASKED {
            let id = format!("ask-{asked}");
            socket.send(&subscribe(&id, "{ __typename }")).await;
            let before = replayed;
            loop {
                let message = socket.receive().await;
                // A replay may time out while it starts: the clock is ahead of the machine.
                assert!(message["id"] != id || message["type"] != "error", "{message}");
                if message["id"] == id && message["type"] == "complete" {
                    break;
                }
                let seq = message["payload"]["data"]["comments"]["seq"].as_i64();
                if seq.is_some() {
                    replayed += 1;
                    assert!(replayed - before <= MAX_AHEAD, "{id} waits for all others");
                }
                // A heartbeat at the end has the position of the last event too.
                if seq == Some(500) && message["payload"]["data"]["comments"]["kind"] != "HEARTBEAT" {
                    let busy = message["id"].as_str().expect("an id").to_owned();
                    socket.send(&json!({ "id": busy, "type": "complete" })).await;
                    socket.send(&subscribe(&format!("busy-{begun}"), QUERY)).await;
                    begun += 1;
                }
            }
            // Each replay that is completed counts as a control message.
            env.advance(chrono::TimeDelta::seconds(1));
        }
        assert!(replayed > ASKED, "the replays ran meanwhile: {replayed}");
    }
}
