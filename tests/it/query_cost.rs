//! Limits of what an operation keeps in memory and asks of the database.

use harness::{Actor, Engine, HOST, TestEnv, id_of};
use serde_json::{Value, json};

const FOLLOW: &str = "subscription($id: ID!) { timeSplit(meetingId: $id) { stage } }";

/// Reads the response to a subscription over server-sent events up to its first event.
async fn first_event(actor: &Actor, query: &str, variables: &Value) -> String {
    let body = json!({ "query": query, "variables": variables });
    let mut answer = actor.request().header("accept", "text/event-stream").json(&body).send().await.unwrap();
    let mut text = String::new();
    while !text.contains("\n\n") {
        let Some(chunk) = tokio::time::timeout(harness::TIMEOUT, answer.chunk()).await.unwrap().unwrap() else {
            break;
        };
        text.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    text
}

async fn live() -> (TestEnv, String) {
    let env = TestEnv::start(Engine::Embedded).await;
    let meeting = env.akimat(HOST).live_meeting(HOST, HOST, env.now(), "AFTER").await;
    (env, meeting)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_the_query_and_variables_kept_for_a_subscriber() {
    let (env, meeting) = live().await;
    let anonymous = env.anonymous();
    let many = Value::Array(vec![json!({ "a": 0 }); 9_000]);
    let undeclared = json!({ "id": meeting, "more": many });
    let event = first_event(&anonymous, FOLLOW, &undeclared).await;
    assert!(event.contains("timeSplit") && !event.contains("errors"), "undeclared variables are dropped: {event}");
    let padded = format!("{FOLLOW} #{}", "x".repeat(17_000));
    for (query, variables) in
        [(FOLLOW, json!({ "id": "x".repeat(17_000) })), (padded.as_str(), json!({ "id": meeting }))]
    {
        let event = first_event(&anonymous, query, &variables).await;
        assert!(event.contains("COST_EXCEEDED"), "{event}");
        assert_eq!(anonymous.follow(query, variables).await.refused().await, "COST_EXCEEDED");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_the_values_in_variables() {
    let (env, _) = live().await;
    let query = "query($kinds: [RegionKind!]) { regions(first: 1, kinds: $kinds) { totalCount } }";
    let kinds = |count: usize| json!({ "kinds": vec!["VILLAGE"; count] });
    assert!(env.anonymous().query(query, kinds(10_000)).await["regions"]["totalCount"].is_i64());
    assert_eq!(env.anonymous().error(query, kinds(20_001)).await, "COST_EXCEEDED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fields_that_query_the_database_cost_more() {
    let (env, meeting) = live().await;
    let anonymous = env.anonymous();
    // Each region's meetings are read and counted separately.
    let each = "meetings(first: 1) { totalCount nodes { id } }";
    let repeated = |times: usize| {
        format!(
            "{{ regions(first: 100) {{ nodes {{ {} }} }} }}",
            (0..times).map(|n| format!("a{n}: {each} ")).collect::<String>()
        )
    };
    assert_eq!(anonymous.error(&repeated(2), json!({})).await, "COST_EXCEEDED");
    // A typical screen is far below the limit.
    let screen = "query($id: ID!, $code: KatoCode!) { meeting(id: $id) { title { kk } timeSplit { stage } broadcasts { url } comments(first: 50) { \
                  totalCount nodes { id body votes authorName state } } } region(code: $code) { name meetings(first: 20) { nodes { id phase \
                  title { kk } comments(first: 3) { nodes { body } } } } } }";
    let shown = anonymous.query(screen, json!({ "id": meeting, "code": HOST })).await;
    assert_eq!(id_of(&shown["region"]["meetings"]["nodes"][0]), meeting);
}
