//! The program is killed while people post: nothing acknowledged is lost or duplicated.

use std::{collections::BTreeMap, sync::Arc};

use chrono::TimeDelta;
use harness::{
    Actor, Engine, HOST, Process,
    external::{now, person, settings_on},
    id_of,
};
use serde_json::{Value, json};

const ROUNDS: usize = 20;

async fn rounds(engine: Engine, writers: usize, least: u32) {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings_on(dir.path(), engine).await;
    let mut program = Process::serve(&settings).await;
    let staff = person(&program.host, "staff", &["AKIMAT"]);
    let meeting = staff.live_meeting(HOST, HOST, now() + TimeDelta::minutes(1), "AFTER").await;
    // Acknowledged posts by body.
    let mut acknowledged: BTreeMap<String, Value> = BTreeMap::new();
    for round in 0..ROUNDS {
        let host = program.host.clone();
        let first = Arc::new(tokio::sync::Semaphore::new(0));
        let writing: Vec<_> = (0..writers)
            .map(|writer| {
                let (author, meeting) = (person(&host, &format!("writer-{writer}"), &["CITIZEN"]), meeting.clone());
                let first = Arc::clone(&first);
                tokio::spawn(async move { write_until_cut(&author, &meeting, round, writer, &first).await })
            })
            .collect();
        // The kill comes in the middle of posting, a little later each round.
        let posts = least + u32::try_from(round).unwrap();
        first.acquire_many(posts).await.unwrap().forget();
        program.kill().await;
        let mut unsure = Vec::new();
        for writer in writing {
            let (done, open) = writer.await.unwrap();
            acknowledged.extend(done);
            unsure.extend(open);
        }
        program = Process::serve(&settings).await;
        for (writer, body) in unsure {
            // Retried with the same key: it exists once, whether or not the first attempt was stored.
            let author = person(&program.host, &format!("writer-{writer}"), &["CITIZEN"]);
            let comment = post(&author, &meeting, &body).await.expect("the service is running again");
            acknowledged.insert(body, comment);
        }
    }
    let anonymous = person(&program.host, "reader", &["CITIZEN"]);
    let kept = anonymous.comments(&meeting, json!({})).await;
    let listed: BTreeMap<String, String> =
        kept.iter().map(|comment| (comment["body"].as_str().unwrap().to_owned(), id_of(comment))).collect();
    assert_eq!(listed.len(), kept.len(), "nothing is duplicated");
    assert!(acknowledged.len() >= ROUNDS * usize::try_from(least).unwrap(), "every round acknowledged posts");
    for (body, comment) in &acknowledged {
        assert_eq!(listed.get(body), Some(&id_of(comment)), "{body} was acknowledged");
    }
    let mut receipts: Vec<i64> =
        kept.iter().map(|comment| comment["receipt"].as_str().unwrap()[2..].parse().unwrap()).collect();
    receipts.sort_unstable();
    assert_eq!(receipts, (1..=i64::try_from(kept.len()).unwrap()).collect::<Vec<_>>(), "receipts are gapless");
    assert_eq!(anonymous.meeting(&meeting).await["commentsHead"], kept.len(), "positions are gapless");
    assert!(program.terminate().await, "the program exits successfully on SIGTERM");
}

type Written = (Vec<(String, Value)>, Option<(usize, String)>);

async fn write_until_cut(
    author: &Actor,
    meeting: &str,
    round: usize,
    writer: usize,
    first: &tokio::sync::Semaphore,
) -> Written {
    let mut done = Vec::new();
    for n in 0.. {
        let body = format!("{round}.{writer}.{n}");
        match post(author, meeting, &body).await {
            Some(comment) => done.push((body, comment)),
            None => return (done, Some((writer, body))),
        }
        first.add_permits(1);
    }
    (done, None)
}

/// Posts with its body as the key, or returns `None` if there is no response.
async fn post(author: &Actor, meeting: &str, body: &str) -> Option<Value> {
    let query =
        "mutation($input: PostCommentInput!) { postComment(input: $input) { comment { id } refusal { code } } }";
    let input = json!({ "meetingId": meeting, "body": body, "idempotencyKey": body });
    let answer = author.try_send(query, json!({ "input": input })).await.ok()?;
    let comment = answer["data"]["postComment"]["comment"].clone();
    assert!(comment.is_object(), "{answer}");
    Some(comment)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_kills_lose_and_duplicate_nothing_embedded() {
    rounds(Engine::Embedded, 4, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_kills_lose_and_duplicate_nothing_production() {
    rounds(Engine::Production, 4, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make test-faults"]
async fn ten_thousand_posts_under_kills_embedded() {
    rounds(Engine::Embedded, 32, 500).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make test-faults"]
async fn ten_thousand_posts_under_kills_production() {
    rounds(Engine::Production, 32, 500).await;
}
