//! Cost of lists and searches among half a million issues, compared with the bare SQL of a page, on PostgreSQL.

use harness::{Actor, HOST, external::person, id_of};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::{
    Lines,
    bench_env::BenchEnv,
    line,
    query::{ask, database, multiply, round, us},
};

const ISSUES: usize = 500_000;

/// A list: its name, the filter of the query, and the condition and order of the same page in SQL.
struct List {
    name: &'static str,
    filter: Value,
    sql: String,
}

fn lists() -> Vec<List> {
    let list = |name, mut filter: Value, order: &str, sql: &str| {
        filter["orderBy"] = json!(order);
        List { name, filter, sql: sql.to_owned() }
    };
    let search = |condition: &str, order: &str| {
        format!(
            "SELECT * FROM (SELECT * FROM issues WHERE search LIKE '%{condition}%' OFFSET 0) found ORDER BY {order} LIMIT 21"
        )
    };
    let plain =
        |condition: &str, order: &str| format!("SELECT * FROM issues WHERE {condition} ORDER BY {order} LIMIT 21");
    let newest = "created_at DESC, id DESC";
    let region = format!("region_code = '{HOST}'");
    vec![
        list("newest", json!({}), "NEWEST", &plain("true", newest)),
        list("last changed", json!({}), "LAST_CHANGED", &plain("true", "updated_at DESC, id DESC")),
        list(
            "most urgent and overdue",
            json!({ "overdue": true }),
            "MOST_URGENT",
            &plain("urgent_by < current_date", "urgent_by, id"),
        ),
        list("of an agency", json!({ "agency": "min-water" }), "NEWEST", &plain("responsible = 'min-water'", newest)),
        list("of a district of a city", json!({ "region": HOST }), "NEWEST", &plain(&region, newest)),
        list(
            "of an oblast",
            json!({ "region": "100000000" }),
            "NEWEST",
            &plain("region_code BETWEEN '100000000' AND '109999999'", newest),
        ),
        list(
            "of a category, open",
            json!({ "category": "water", "states": ["ASSIGNED"] }),
            "NEWEST",
            &plain("category = 'water' AND state = 'ASSIGNED'", newest),
        ),
        list("search, a rare word", json!({ "search": "комплаенс" }), "NEWEST", &search("комплаенс", newest)),
        list(
            "search, a rare word, most urgent",
            json!({ "search": "комплаенс" }),
            "MOST_URGENT",
            &search("комплаенс", "urgent_by, id"),
        ),
        list(
            "search, a frequent word",
            json!({ "search": "кудык" }),
            "NEWEST",
            &plain("search LIKE '%кудык%'", newest),
        ),
    ]
}

async fn many_issues(staff: &Actor, pool: &PgPool) {
    let first = id_of(&staff.raise("Көшеде су жоқ", &[]).await);
    let deadline = harness::external::now().date_naive() + chrono::TimeDelta::days(30);
    staff.assign(&first, "min-health", &deadline.to_string()).await;
    let text =
        "'алматыда кудык казылсын су жок кошеде ' || n || CASE WHEN n % 2000 = 7 THEN ' комплаенс' ELSE ' жол' END";
    let region = format!(
        "CASE n % 20 WHEN 0 THEN '{HOST}' WHEN 1 THEN '103230101' ELSE lpad(((n % 8) * 100 + 11000)::text, 5, '0') || '0000' END"
    );
    let changes = [
        ("number", "'ALM-2026-' || (n + 100)"),
        ("search", text),
        ("staff_search", text),
        ("region_code", region.as_str()),
        ("created_at", "created_at - n * interval '1 minute'"),
        ("updated_at", "created_at - (n::bigint * 7919 % 500000)::int * interval '1 minute'"),
        ("urgent_by", "current_date - 10 + n % 1000"),
        ("responsible", "CASE WHEN n % 1000 = 0 THEN 'min-water' ELSE responsible END"),
        ("category", "CASE WHEN n % 18 = 0 THEN 'water' ELSE category END"),
    ];
    multiply(pool, "issues", ISSUES, &changes).await;
}

pub async fn issues(lines: &mut Lines) {
    let env = BenchEnv::start("AFTER", true).await;
    let pool = database(&env).await;
    many_issues(&person(&env.process.host, "staff", &["AKIMAT"]), &pool).await;
    for List { name, filter, sql } in lists() {
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql.clone())).fetch_all(&pool).await.expect("rows").len();
        assert!(rows > 20, "{name}: {rows} rows");
        let floor =
            round(async || sqlx::query(sqlx::AssertSqlSafe(sql.as_str())).fetch_all(&pool).await.expect("rows").len())
                .await;
        let query = "query($filter: IssueFilter) { issues(first: 20, filter: $filter) \
                     { nodes { id number title state deadline overdue region { code } responsible { code } } pageInfo { endCursor } } }";
        let body = json!({ "query": query, "variables": { "filter": filter } });
        let request = harness::web().post(format!("http://{}/graphql", env.process.host)).json(&body);
        let again = || request.try_clone().expect("a body in memory");
        let text = again().send().await.expect("an answer").text().await.expect("a text");
        assert!(!text.contains("errors") && text.len() > 1_000, "{name}: {text}");
        let ours = round(async || ask(again()).await).await;
        let what =
            format!("issues, 500,000, a page {name}: {:.2} ms, bare SQL {:.2} ms", us(ours) / 1e3, us(floor) / 1e3);
        line(lines, what, format!("{:.1} x", us(ours) / us(floor)), "≤ 3 x");
    }
}
