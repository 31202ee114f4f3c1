//! A power cut while people post: nothing that was acknowledged is lost or doubled.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{TimeDelta, Utc};
use harness::{Actor, Process, Tokens, databases, id_of, token_claims};
use serde_json::{Value, json};

const HOST: &str = "751110000";
const ROUNDS: usize = 20;
const WRITERS: usize = 4;

/// Settings of the program on one of the two engines.
async fn settings(dir: &std::path::Path, production: bool) -> Vec<(String, String)> {
    let jwks = dir.join("jwks.json");
    Tokens.publish(&jwks);
    let mut pairs = vec![
        ("KEZDESU_DATA_DIR".to_owned(), dir.display().to_string()),
        ("KEZDESU_JWKS".to_owned(), jwks.display().to_string()),
        ("KEZDESU_JWT_ISSUER".to_owned(), Tokens::ISSUER.to_owned()),
        ("KEZDESU_JWT_AUDIENCE".to_owned(), Tokens::AUDIENCE.to_owned()),
    ];
    if production {
        let databases = databases().await;
        pairs.push(("KEZDESU_DATABASE_URL".to_owned(), databases.fresh().await));
        pairs.push(("KEZDESU_REDIS_URL".to_owned(), databases.redis()));
    }
    pairs
}

#[expect(clippy::disallowed_methods, reason = "the program runs on the wall clock")]
fn person(host: &str, subject: &str, roles: &[&str]) -> Actor {
    let now = Utc::now();
    let claims = token_claims(subject, subject, roles, Some(HOST), now);
    Actor::with_token(host, Tokens.sign(&claims))
}

#[expect(clippy::disallowed_methods, reason = "the program runs on the wall clock")]
async fn rounds(production: bool, least: u32) {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(dir.path(), production).await;
    let mut program = Process::serve(&settings).await;
    let staff = person(&program.host, "staff", &["AKIMAT"]);
    let meeting = staff.live_meeting(HOST, HOST, Utc::now() + TimeDelta::minutes(1), "AFTER").await;
    // Body of every acknowledged post, with what was acknowledged.
    let mut acknowledged: BTreeMap<String, Value> = BTreeMap::new();
    for round in 0..ROUNDS {
        let host = program.host.clone();
        let first = Arc::new(tokio::sync::Semaphore::new(0));
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (author, meeting) = (person(&host, &format!("writer-{writer}"), &["CITIZEN"]), meeting.clone());
                let first = Arc::clone(&first);
                tokio::spawn(async move { write_until_cut(&author, &meeting, round, writer, &first).await })
            })
            .collect();
        // The cut comes in the middle of posting, a little later each round.
        let posts = least + u32::try_from(round).unwrap();
        first.acquire_many(posts).await.unwrap().forget();
        program.kill().await;
        let mut unsure = Vec::new();
        for writer in writers {
            let (done, open) = writer.await.unwrap();
            acknowledged.extend(done);
            unsure.extend(open);
        }
        program = Process::serve(&settings).await;
        for (writer, body) in unsure {
            // The same key again: whether the first try was written or not, it is there once.
            let author = person(&program.host, &format!("writer-{writer}"), &["CITIZEN"]);
            let comment = post(&author, &meeting, &body).await.expect("the service is back");
            acknowledged.insert(body, comment);
        }
    }
    let stranger = person(&program.host, "reader", &["CITIZEN"]);
    let kept = stranger.comments(&meeting, json!({})).await;
    let listed: BTreeMap<String, String> =
        kept.iter().map(|comment| (comment["body"].as_str().unwrap().to_owned(), id_of(comment))).collect();
    assert_eq!(listed.len(), kept.len(), "nothing is doubled");
    assert!(acknowledged.len() >= ROUNDS * usize::try_from(least).unwrap(), "much was acknowledged in every round");
    for (body, comment) in &acknowledged {
        assert_eq!(listed.get(body), Some(&id_of(comment)), "{body} was acknowledged");
    }
    let mut receipts: Vec<i64> =
        kept.iter().map(|comment| comment["receipt"].as_str().unwrap()[2..].parse().unwrap()).collect();
    receipts.sort_unstable();
    assert_eq!(receipts, (1..=i64::try_from(kept.len()).unwrap()).collect::<Vec<_>>(), "receipts have no hole");
    assert_eq!(stranger.meeting(&meeting).await["commentsHead"], kept.len(), "nor have positions");
    assert!(program.terminate().await, "asked to end, the program ends well");
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

/// Posts with a key of its own; none where no answer came.
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
async fn twenty_power_cuts_lose_and_double_nothing_embedded() {
    rounds(false, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_power_cuts_lose_and_double_nothing_production() {
    rounds(true, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make test-faults"]
async fn ten_thousand_posts_under_power_cuts_embedded() {
    rounds(false, 500).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make test-faults"]
async fn ten_thousand_posts_under_power_cuts_production() {
    rounds(true, 500).await;
}
