//! Behaviour under overload: limits of response size, statements and concurrent operations.

use std::{
    collections::VecDeque,
    fmt::Write as _,
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use harness::{
    Actor, Engine, HOST, Process, TIMEOUT, TestEnv, error_code,
    external::{anonymous, now, person, settings_on},
    id_of,
    query_flood::{peak_memory, with_default_limits},
    until,
};
use kezdesu::{graphql::node::GlobalId, http::HttpLimits};
use serde_json::{Value, json};
use tokio::task::JoinSet;

const RESPONSE: &str = "application/graphql-response+json";

/// Sends a query and returns the status, `Retry-After` and the response.
async fn send(actor: &Actor, accept: &str, query: &str, variables: Value) -> (u16, Option<String>, Value) {
    let body = json!({ "query": query, "variables": variables });
    let answer = actor.request().header("accept", accept).json(&body).send().await.unwrap();
    let wait = answer.headers().get("retry-after").map(|wait| wait.to_str().unwrap().to_owned());
    (answer.status().as_u16(), wait, answer.json().await.unwrap())
}

/// Sends a query over a new socket, and returns the type and the payload of the first message.
async fn over_socket(actor: &Actor, query: &str) -> (String, Value) {
    let mut socket = actor.socket().await;
    socket.send(&json!({ "id": "1", "type": "subscribe", "payload": { "query": query } })).await;
    let said = socket.receive().await;
    (said["type"].as_str().unwrap().to_owned(), said["payload"].clone())
}

/// Creates a live meeting with this many comments that have answers of maximum length.
async fn long_answers(staff: &Actor, ana: &Actor, now: DateTime<Utc>, count: usize) -> String {
    let meeting = staff.live_meeting(HOST, HOST, now, "AFTER").await;
    for n in 0..count {
        let comment = id_of(&ana.post(&meeting, &format!("Сұрақ {n}")).await);
        for (command, input) in [
            ("selectComment", json!({ "commentId": comment })),
            ("answerComment", json!({ "commentId": comment, "answer": "ә".repeat(5_000) })),
        ] {
            let done = staff.mutate(command, input).await;
            assert!(done["refusal"].is_null(), "{done}");
        }
    }
    meeting
}

/// Returns a query that repeats the answers of a meeting.
fn repeated(meeting: &str, times: usize) -> String {
    let mut fields = String::new();
    (0..times).for_each(|n| write!(fields, "a{n}: answer ").unwrap());
    format!("{{ meeting(id: \"{meeting}\") {{ comments(first: 10) {{ nodes {{ {fields} }} }} }} }}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rejects_a_response_beyond_two_megabytes() {
    let env = TestEnv::start(Engine::Embedded).await;
    let staff = env.person("Staff", &["AKIMAT", "MODERATOR"], Some(HOST));
    let meeting = long_answers(&staff, &env.citizen("Ana"), env.now(), 10).await;
    let anonymous = env.anonymous();
    let query = |times: usize| repeated(&meeting, times);
    let (status, _, answer) = send(&anonymous, RESPONSE, &query(15), json!({})).await;
    assert!(status == 200 && answer.get("errors").is_none(), "1.5 MB are accepted: {status}");
    let (status, _, answer) = send(&anonymous, RESPONSE, &query(49), json!({})).await;
    assert_eq!((status, error_code(&answer), answer["errors"].as_array().unwrap().len()), (400, "COST_EXCEEDED", 1));
    assert!(answer.get("data").is_none(), "no partial data is sent");
    let (kind, payload) = over_socket(&anonymous, &query(49)).await;
    assert_eq!((kind.as_str(), &payload[0]["extensions"]["code"]), ("error", &json!("COST_EXCEEDED")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counts_field_names_in_the_response_size() {
    let env = TestEnv::start(Engine::Embedded).await;
    let anonymous = env.anonymous();
    let query = |length: usize| {
        let mut fields = String::new();
        (0..40).for_each(|n| write!(fields, "a{n}{}: code ", "x".repeat(length)).unwrap());
        format!("{{ regions(first: 100) {{ nodes {{ {fields} }} }} }}")
    };
    let (status, _, answer) = send(&anonymous, RESPONSE, &query(300), json!({})).await;
    assert!(status == 200 && answer.get("errors").is_none(), "{status}");
    let (status, _, answer) = send(&anonymous, RESPONSE, &query(700), json!({})).await;
    assert_eq!((status, error_code(&answer)), (400, "COST_EXCEEDED"));
    let (kind, payload) = over_socket(&anonymous, &query(700)).await;
    assert_eq!((kind.as_str(), &payload[0]["extensions"]["code"]), ("error", &json!("COST_EXCEEDED")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_the_statements_of_one_operation() {
    let env = TestEnv::start(Engine::Embedded).await;
    let anonymous = env.anonymous();
    let each = "meetings(first: 1) { totalCount }";
    let query = |regions: usize, times: usize| {
        let mut fields = String::new();
        (0..times).for_each(|n| write!(fields, "a{n}: {each} ").unwrap());
        format!("{{ regions(first: {regions}) {{ nodes {{ {fields} }} }} }}")
    };
    let (_, statements) = env.counting(anonymous.query(&query(25, 2), json!({}))).await;
    // A few are from background jobs.
    assert!((100..=120).contains(&statements), "{statements} statements");
    let query = query(60, 2);
    let ((status, _, answer), statements) = env.counting(send(&anonymous, RESPONSE, &query, json!({}))).await;
    assert_eq!((status, error_code(&answer)), (400, "COST_EXCEEDED"), "{answer:.300}");
    assert!(statements <= 120, "{statements} statements");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reports_an_exhausted_database_pool_as_overload() {
    let env = TestEnv::with(Engine::Production, &[("KEZDESU_DATABASE_CONNECTIONS", "2")]).await;
    let meeting = env.akimat(HOST).live_meeting(HOST, HOST, env.now(), "AFTER").await;
    let store = &env.service(0).app().store;
    let mut writers = Vec::new();
    // Takes every connection, so that the next command waits.
    while let Ok(writer) = tokio::time::timeout(Duration::from_millis(200), store.begin()).await {
        writers.push(writer.unwrap());
    }
    let Some(GlobalId::Meeting(id)) = GlobalId::parse(&meeting) else { panic!("{meeting}") };
    // The open transactions still work.
    let busy = async {
        loop {
            writers[0].segments(id).await.unwrap();
            let _ = tokio::time::timeout(Duration::from_millis(50), std::future::pending::<()>()).await;
        }
    };
    let refused = tokio::select! {
        refused = post(env.citizen("Ana"), meeting.clone()) => refused.unwrap_err(),
        () = busy => unreachable!(),
    };
    let expected = (503, Some("1".to_owned()), "RATE_LIMITED".to_owned(), "SERVICE".to_owned());
    assert_eq!(refused, expected);
    drop(writers);
    assert_eq!(post(env.citizen("Ben"), meeting).await, Ok(()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unread_responses_use_bounded_memory() {
    let dir = tempfile::tempdir().unwrap();
    let program = Process::serve(&with_default_limits(settings_on(dir.path(), Engine::Embedded).await)).await;
    let staff = person(&program.host, "staff", &["AKIMAT", "MODERATOR"]);
    let ana = person(&program.host, "ana", &["CITIZEN"]);
    let meeting = long_answers(&staff, &ana, now() + TimeDelta::minutes(1), 10).await;
    let before = peak_memory(&program);
    // Each socket requests forty megabytes with twenty kilobytes, and reads nothing.
    let hostile = async || {
        let mut socket = anonymous(&program.host).socket().await;
        for id in 0..20 {
            let payload = json!({ "query": repeated(&meeting, 19) });
            socket.send(&json!({ "id": id.to_string(), "type": "subscribe", "payload": payload })).await;
        }
        socket
    };
    let mut sockets = VecDeque::new();
    for _ in 0..30 {
        sockets.push_back((Instant::now(), hostile().await));
    }
    let ask =
        async || send(&anonymous(&program.host), RESPONSE, "{ regions(first: 1) { totalCount } }", json!({})).await;
    let stall = HttpLimits::default().write_timeout.to_std().unwrap();
    // On a busy machine the service closes the first sockets before enough is rendered: new ones follow.
    let refused = tokio::time::timeout(TIMEOUT * 4, async {
        loop {
            let asked = ask().await;
            if asked.0 == 503 {
                break asked;
            }
            if sockets.front().is_some_and(|(opened, _): &(Instant, _)| opened.elapsed() > stall) {
                sockets.pop_front();
                sockets.push_back((Instant::now(), hostile().await));
            }
        }
    });
    let (_, wait, answer) = refused.await.expect("held memory is bounded");
    assert_eq!((error_code(&answer), wait.as_deref()), ("RATE_LIMITED", Some("1")), "{answer}");
    assert_eq!(answer["errors"][0]["extensions"]["scope"], "SERVICE");
    let most = peak_memory(&program);
    println!("memory: {before} MiB before, {most} MiB at most");
    assert!(most < before + 400, "{before} MiB, then {most} MiB");
    drop(sockets);
    until(ask, || (), |(status, ..)| *status == 200).await;
}

/// Success, or the status, `Retry-After`, code and scope of the rejection.
type Outcome = Result<(), (u16, Option<String>, String, String)>;

/// Posts a comment.
async fn post(actor: Actor, meeting: String) -> Outcome {
    let query = "mutation($input: PostCommentInput!) { postComment(input: $input) { comment { id } } }";
    let input = json!({ "meetingId": meeting, "body": "Жол?" });
    let (status, wait, answer) = send(&actor, "application/json", query, json!({ "input": input })).await;
    if answer["data"]["postComment"]["comment"]["id"].is_string() {
        return Ok(());
    }
    let scope = answer["errors"][0]["extensions"]["scope"].as_str().unwrap_or_default().to_owned();
    Err((status, wait, error_code(&answer).to_owned(), scope))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rejects_mutations_beyond_the_concurrency_limit_but_answers_queries() {
    let env = TestEnv::with(Engine::Embedded, &[("KEZDESU_CONCURRENT_OPERATIONS", "2")]).await;
    let meeting = env.akimat(HOST).live_meeting(HOST, HOST, env.now(), "AFTER").await;
    // The next writer waits for this transaction.
    let writer = env.service(0).app().store.begin().await.unwrap();
    let mut posts = JoinSet::new();
    for n in 0..3 {
        posts.spawn(post(env.citizen(&format!("Guest {n}")), meeting.clone()));
    }
    let ask = || {
        let answered = posts.try_join_next();
        async { answered }
    };
    let refused = until(ask, || env.advance(TimeDelta::milliseconds(500)), Option::is_some).await;
    let refused = refused.unwrap().unwrap().unwrap_err();
    let expected = (503, Some("1".to_owned()), "RATE_LIMITED".to_owned(), "SERVICE".to_owned());
    assert_eq!(refused, expected, "one exceeds the limit");
    let seen = env.anonymous().query("{ regions(first: 1) { totalCount } }", json!({})).await;
    assert!(seen["regions"]["totalCount"].is_i64(), "queries have their own limit");
    assert!(posts.try_join_next().is_none(), "the two admitted mutations still wait for the writer");
    drop(writer);
    while let Some(posted) = posts.join_next().await {
        assert_eq!(posted.unwrap(), Ok(()));
    }
    assert_eq!(post(env.citizen("Late"), meeting).await, Ok(()), "later mutations are accepted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rejects_subscriptions_when_too_many_start_at_once() {
    let limits = [("KEZDESU_DATABASE_CONNECTIONS", "2"), ("KEZDESU_CONCURRENT_OPERATIONS", "1")];
    let env = TestEnv::with(Engine::Production, &limits).await;
    let meeting = env.akimat(HOST).live_meeting(HOST, HOST, env.now(), "AFTER").await;
    let mut sockets = Vec::new();
    for _ in 0..2 {
        sockets.push(env.anonymous().socket().await);
    }
    // One may start and 16 wait. The first waits for this connection.
    let connection = env.service(0).app().store.begin().await.unwrap();
    let (answered, mut answers) = tokio::sync::mpsc::unbounded_channel();
    for mut socket in sockets {
        let answered = answered.clone();
        for id in 0..20 {
            let query = format!("subscription {{ comments(meetingId: \"{meeting}\") {{ kind }} }}");
            socket.send(&json!({ "id": id.to_string(), "type": "subscribe", "payload": { "query": query } })).await;
        }
        tokio::spawn(async move {
            for _ in 0..20 {
                answered.send(socket.receive().await).unwrap();
            }
        });
    }
    // Those that find all places taken are rejected at once.
    for _ in 0..23 {
        let said = answers.recv().await.unwrap();
        let error = &said["payload"][0]["extensions"];
        assert_eq!((&said["type"], &error["code"]), (&json!("error"), &json!("RATE_LIMITED")), "{said}");
        assert_eq!((&error["scope"], error["retryAfterMs"].is_u64()), (&json!("SERVICE"), true), "{said}");
    }
    drop(connection);
    for _ in 0..17 {
        let said = answers.recv().await.unwrap();
        assert_eq!(said["payload"]["data"]["comments"]["kind"], "SUBSCRIBED", "those that waited start: {said}");
    }
}
