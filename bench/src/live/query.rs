//! Cost of queries, compared with a bare handler that serves the same bytes.

use std::time::Duration;

use harness::HOST;
use reqwest::RequestBuilder;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use sqlx::sqlite::SqlitePoolOptions;

use crate::{
    Lines,
    bench_env::BenchEnv,
    line,
    process::{Part, cpu, timed},
};

const ROUNDS: usize = 3_000;

async fn ask(request: RequestBuilder) -> usize {
    request.send().await.expect("an answer").bytes().await.expect("a body").len()
}

/// Returns CPU time of the server and wall time per request.
async fn cost(id: u32, request: &RequestBuilder) -> (Duration, Duration) {
    let again = || request.try_clone().expect("a body in memory");
    for _ in 0..100 {
        ask(again()).await;
    }
    let before = cpu(id);
    let rounds = u32::try_from(ROUNDS).expect("few");
    let took = timed(async {
        for _ in 0..ROUNDS {
            ask(again()).await;
        }
    })
    .await;
    ((cpu(id) - before) / rounds, took / rounds)
}

/// Reads the rows of the meeting screen by bare SQL on the same file, and returns CPU and wall time per screen.
async fn bare_sql(env: &BenchEnv) -> (Duration, Duration) {
    let dir = env.settings.iter().find(|(name, _)| name == "KEZDESU_DATA_DIR").expect("a directory");
    let url = format!("sqlite://{}/kezdesu.db?mode=ro", dir.1);
    let pool = SqlitePoolOptions::new().max_connections(1).connect(&url).await.expect("the database");
    let id: Vec<u8> = sqlx::query_scalar("SELECT id FROM meetings LIMIT 1").fetch_one(&pool).await.expect("a meeting");
    let screen = [
        "SELECT * FROM meetings WHERE id = ?",
        "SELECT * FROM stage_segments WHERE meeting_id = ?",
        "SELECT * FROM comments WHERE meeting_id = ? AND state IN ('PUBLISHED', 'SELECTED', 'ANSWERED') ORDER BY posted_seq LIMIT 21",
    ];
    let (id, before) = (&id, cpu(std::process::id()));
    let rounds = u32::try_from(ROUNDS).expect("few");
    let took = timed(async {
        for _ in 0..ROUNDS {
            let mut rows = 0;
            for text in screen {
                rows += sqlx::query(text).bind(id).fetch_all(&pool).await.expect("rows").len();
            }
            assert!(rows > 20, "{rows}");
        }
    })
    .await;
    ((cpu(std::process::id()) - before) / rounds, took / rounds)
}

pub async fn query(lines: &mut Lines) {
    let env = BenchEnv::start("AFTER", false).await;
    env.post(0, 40).await;
    let region = json!({
        "query": "query($code: KatoCode!) { region(code: $code) { id code name children(first: 50) { nodes { id code name } } } }",
        "variables": { "code": HOST },
    });
    let screen = json!({
        "query": "query($id: ID!) { meeting(id: $id) { id phase title { kk ru } plannedStart \
                  timeSplit { stage presentationMs questionsMs budgetMs status } \
                  comments(first: 20) { nodes { id body authorName votes state receipt } pageInfo { endCursor } } } }",
        "variables": { "id": env.meeting },
    });
    let (region, screen) = (&region, &screen);
    for (name, body) in [("region with children", region), ("meeting screen", screen)] {
        let address = |host: &str| format!("http://{host}/graphql");
        let post = |host: &str| harness::web().post(address(host)).json(body);
        let [(ours, ours_wall), (floor, floor_wall)] = compare(&env, post, name).await;
        if name == "meeting screen" {
            let (sql, wall) = bare_sql(&env).await;
            let what = format!("query, {name}: {:.0} µs on the wall, bare SQL {:.0} µs", us(ours_wall), us(wall));
            line(lines, what, format!("{:.1} x", us(ours_wall) / us(wall)), "≤ 3 x");
            let what = format!("query, {name}: {:.0} µs of CPU, bare SQL {:.0} µs", us(ours), us(sql));
            line(lines, what, format!("{:.1} x", us(ours) / us(sql)), "");
        }
        let what = format!("query, {name}: {:.0} µs on the wall, bare handler {:.0} µs", us(ours_wall), us(floor_wall));
        line(lines, what, format!("{:.1} x", us(ours_wall) / us(floor_wall)), "≤ 3 x");
        let what = format!("query, {name}: {:.0} µs of CPU, bare handler {:.0} µs", us(ours), us(floor));
        line(lines, what, format!("{:.1} x", us(ours) / us(floor).max(1.0)), "≤ 3 x");

        // Registers the document under its hash, by which it is then queried.
        let query = body["query"].as_str().expect("text");
        let hash = format!("{:x}", Sha256::digest(query));
        let mut register = body.clone();
        register["extensions"] = json!({ "persistedQuery": { "version": 1, "sha256Hash": hash } });
        ask(harness::web().post(address(&env.process.host)).json(&register)).await;
        let get = |host: &str| {
            let query = [("documentId", hash.clone()), ("variables", body["variables"].to_string())];
            harness::web().get(address(host)).query(&query)
        };
        let [(ours, ours_wall), (floor, floor_wall)] = compare(&env, get, name).await;
        let what =
            format!("query, {name} by GET: {:.0} µs on the wall, bare handler {:.0} µs", us(ours_wall), us(floor_wall));
        line(lines, what, format!("{:.2} x", us(ours_wall) / us(floor_wall)), "≤ 1.5 x");
        let what = format!("query, {name} by GET: {:.0} µs of CPU, bare handler {:.0} µs", us(ours), us(floor));
        line(lines, what, format!("{:.2} x", us(ours) / us(floor).max(1.0)), "≤ 1.5 x");
    }
}

fn us(span: Duration) -> f64 {
    span.as_secs_f64() * 1e6
}

/// Returns CPU time of the server and wall time per request of the service and of a bare handler.
async fn compare(env: &BenchEnv, request: impl Fn(&str) -> RequestBuilder, name: &str) -> [(Duration, Duration); 2] {
    let ours = request(&env.process.host);
    let answer = ours.try_clone().expect("a body in memory").send().await.expect("an answer");
    let text = answer.text().await.expect("a body");
    assert!(!text.contains("\"errors\""), "{name}: {text}");
    let mut bare = Part::start("bare", &text.len().to_string());
    let host = bare.receive().await;
    [cost(env.process.id(), &ours).await, cost(bare.id(), &request(&host)).await]
}
