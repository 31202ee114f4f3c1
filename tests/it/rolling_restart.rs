//! Three replicas are replaced one by one while many follow and one posts.

use std::sync::{
    Arc, RwLock,
    atomic::{AtomicBool, Ordering},
};

use chrono::TimeDelta;
use harness::{
    HOST, Process, Server, Socket, Subscription,
    external::{now, person, settings},
};
use serde_json::json;
use tokio::sync::{Semaphore, watch};

const REPLICAS: usize = 3;

type Hosts = Arc<RwLock<Vec<String>>>;

/// The followed meeting, and a permit for each subscriber that has started.
#[derive(Clone)]
struct Followed {
    hosts: Hosts,
    meeting: String,
    begun: Arc<Semaphore>,
}

/// Subscribes at a host, or returns `None` if it is shutting down.
async fn begin(host: &str, meeting: &str, after: i64) -> Option<Subscription> {
    let query =
        "subscription($id: ID!, $after: Int) { comments(meetingId: $id, after: $after) { seq prev kind recovered } }";
    Socket::try_follow(host, query, json!({ "id": meeting, "after": after })).await
}

/// Follows until everything has arrived, and returns the number of reconnects.
async fn follow(number: usize, env: Followed, mut total: watch::Receiver<i64>) -> usize {
    let Followed { hosts, meeting, begun: first } = env;
    let (mut last, mut begun) = (0, 0);
    loop {
        let host = hosts.read().unwrap()[number % REPLICAS].clone();
        let Some(mut live) = begin(&host, &meeting, last).await else { continue };
        begun += 1;
        if begun == 1 {
            first.add_permits(1);
        }
        loop {
            let event = tokio::select! {
                event = live.try_next() => event,
                _ = total.wait_for(|total| *total == last) => return begun - 1,
            };
            let Some(event) = event else { break };
            match event["kind"].as_str() {
                Some("SUBSCRIBED") => assert_eq!(event["recovered"], true),
                Some("HEARTBEAT") => {}
                _ => {
                    assert_eq!(event["prev"], last, "nothing lost and nothing duplicated");
                    last = event["seq"].as_i64().expect("a position");
                }
            }
        }
    }
}

async fn replaced(followers: usize) {
    let (dir, postgres, redis) = (tempfile::tempdir().unwrap(), Server::postgres(), Server::redis());
    let more = [("KEZDESU_DATABASE_URL", postgres.postgres_url()), ("KEZDESU_REDIS_URL", redis.redis_url())];
    let settings = settings(dir.path(), &more);
    let mut programs = Vec::new();
    for _ in 0..REPLICAS {
        programs.push(Process::serve(&settings).await);
    }
    let hosts: Hosts = Arc::new(RwLock::new(programs.iter().map(|program| program.host.clone()).collect()));
    let staff = person(&programs[0].host, "staff", &["AKIMAT"]);
    let meeting = staff.live_meeting(HOST, HOST, now() + TimeDelta::minutes(1), "AFTER").await;
    let begun = Arc::new(Semaphore::new(0));
    let env = Followed { hosts: Arc::clone(&hosts), meeting: meeting.clone(), begun: Arc::clone(&begun) };
    let (told, total) = watch::channel(-1);
    let following: Vec<_> =
        (0..followers).map(|number| tokio::spawn(follow(number, env.clone(), total.clone()))).collect();
    begun.acquire_many(u32::try_from(followers).unwrap()).await.unwrap().forget();
    let stop = Arc::new(AtomicBool::new(false));
    let writer = tokio::spawn(write(Arc::clone(&hosts), meeting.clone(), Arc::clone(&stop)));
    for (place, program) in programs.iter_mut().enumerate() {
        let fresh = Process::serve(&settings).await;
        hosts.write().unwrap()[place] = fresh.host.clone();
        let old = std::mem::replace(program, fresh);
        assert!(old.terminate().await, "it shuts down gracefully");
    }
    stop.store(true, Ordering::Relaxed);
    told.send_replace(writer.await.unwrap());
    let mut came_back = 0;
    for follower in following {
        came_back += follower.await.unwrap();
    }
    assert!(came_back >= followers, "each subscriber had to reconnect: {came_back}");
}

/// Posts until stopped, retrying each until it is acknowledged, and returns the number of posts.
async fn write(hosts: Hosts, meeting: String, stop: Arc<AtomicBool>) -> i64 {
    let query =
        "mutation($input: PostCommentInput!) { postComment(input: $input) { comment { id } refusal { code } } }";
    let mut done = 0;
    while !stop.load(Ordering::Relaxed) || done == 0 {
        let input = json!({ "meetingId": meeting, "body": done.to_string(), "idempotencyKey": done.to_string() });
        loop {
            let host = hosts.read().unwrap()[0].clone();
            let author = person(&host, "writer", &["CITIZEN"]);
            let answer = author.try_send(query, json!({ "input": input })).await;
            if answer.is_ok_and(|answer| answer["data"]["postComment"]["comment"].is_object()) {
                break;
            }
        }
        done += 1;
    }
    done
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replacing_replicas_loses_and_duplicates_nothing() {
    replaced(50).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make test-faults"]
async fn replacing_replicas_under_a_thousand_subscribers_loses_nothing() {
    replaced(1_000).await;
}
