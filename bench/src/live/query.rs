//! Cost of queries, compared with a bare handler that serves the same bytes.

use std::time::Duration;

use harness::HOST;
use reqwest::RequestBuilder;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use sqlx::{PgPool, postgres::PgPoolOptions, sqlite::SqlitePoolOptions};

use crate::{
    Lines,
    bench_env::BenchEnv,
    line,
    process::{Part, cpu, timed},
};

const ROUNDS: usize = 3_000;

pub async fn ask(request: RequestBuilder) -> usize {
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

pub fn us(span: Duration) -> f64 {
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

/// Meetings that are searched.
const MEETINGS: usize = 330_000;
/// Rounds of a search.
const SEARCHES: usize = 200;

/// Copies the only row of a table this many times, with other values of some columns, where `n` is the number of the copy.
pub async fn multiply(pool: &PgPool, table: &str, count: usize, changes: &[(&str, &str)]) {
    let columns = "SELECT column_name::text FROM information_schema.columns WHERE table_name = $1";
    let columns: Vec<String> = sqlx::query_scalar(columns).bind(table).fetch_all(pool).await.expect("columns");
    let values = columns.iter().map(|column| match changes.iter().find(|(name, _)| name == column) {
        Some((_, value)) => (*value).to_owned(),
        None if column == "id" => "gen_random_uuid()".to_owned(),
        None => column.clone(),
    });
    let copy = format!(
        "INSERT INTO {table} ({}) SELECT {} FROM (SELECT * FROM {table} LIMIT 1) {table}, generate_series(1, {count}) n",
        columns.join(", "),
        values.collect::<Vec<_>>().join(", ")
    );
    // An index is built faster than it is kept in step.
    let indexes =
        "SELECT indexname::text, indexdef FROM pg_indexes WHERE tablename = $1 AND indexdef LIKE '% USING gin %'";
    let indexes: Vec<(String, String)> = sqlx::query_as(indexes).bind(table).fetch_all(pool).await.expect("indexes");
    let drops = indexes.iter().map(|(name, _)| format!("DROP INDEX {name}"));
    let creates = indexes.iter().map(|(_, create)| create.clone());
    for statement in drops.chain([copy]).chain(creates).chain([format!("VACUUM ANALYZE {table}")]) {
        sqlx::query(sqlx::AssertSqlSafe(statement)).execute(pool).await.expect("rows");
    }
}

/// Returns a connection to the database of an environment.
pub async fn database(env: &BenchEnv) -> PgPool {
    let url = env.settings.iter().find(|(name, _)| name == "KEZDESU_DATABASE_URL").expect("a URL");
    PgPoolOptions::new().max_connections(1).connect(&url.1).await.expect("the database")
}

/// Returns the wall time of one of many rounds.
pub async fn round<F: Future>(each: impl Fn() -> F) -> Duration {
    let rounds = u32::try_from(SEARCHES).expect("few");
    let took = timed(async {
        for _ in 0..SEARCHES {
            each().await;
        }
    });
    took.await / rounds
}

/// Compares pages of searches with the bare SQL of a page of the rare word, on PostgreSQL.
pub async fn search(lines: &mut Lines) {
    let env = BenchEnv::start("AFTER", true).await;
    let pool = database(&env).await;
    let text = "'аким халык алдында есеп бериу кездесу отчет акима перед населением ' || n || \
                CASE WHEN n % 2000 = 7 THEN ' комплаенс' ELSE ' жол' END";
    multiply(
        &pool,
        "meetings",
        MEETINGS,
        &[("planned_start", "planned_start + n * interval '1 minute'"), ("search", text)],
    )
    .await;
    let bare = "SELECT * FROM (SELECT * FROM meetings WHERE search LIKE '%комплаенс%' OFFSET 0) found
         ORDER BY planned_start, id LIMIT 21";
    let floor = round(async || assert_eq!(sqlx::query(bare).fetch_all(&pool).await.expect("rows").len(), 21)).await;
    for (name, word) in [("a rare word", "комплаенс"), ("a frequent word", "кездесу"), ("two characters", "су")]
    {
        let body = json!({
            "query": "query($s: String!) { meetings(first: 20, filter: { search: $s }) \
                      { nodes { id title { kk ru } } pageInfo { endCursor } } }",
            "variables": { "s": word },
        });
        let request = harness::web().post(format!("http://{}/graphql", env.process.host)).json(&body);
        let again = || request.try_clone().expect("a body in memory");
        assert!(ask(again()).await > 1_000, "{name}: a page");
        let ours = round(async || ask(again()).await).await;
        let what = format!("search among 330,000 meetings, one page, {name}");
        line(lines, what, format!("{:.1} ms", us(ours) / 1e3), "≤ 10 ms");
        if word == "комплаенс" {
            let what = format!("search among 330,000 meetings, one page: bare SQL {:.1} ms", us(floor) / 1e3);
            line(lines, what, format!("{:.1} x", us(ours) / us(floor)), "≤ 3 x");
        }
    }
}
