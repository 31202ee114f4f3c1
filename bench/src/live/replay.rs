//! Time to read what a filter selects of a million events that were missed, compared with the bare SQL for the matches.

use std::time::Duration;

use harness::{
    Actor,
    external::{anonymous, person},
    id_of,
};
use serde_json::json;
use sqlx::PgPool;

use crate::{
    Lines,
    bench_env::BenchEnv,
    line,
    process::timed,
    query::{database, multiply, us},
};

/// Events in the feed, of which one in a thousand is about the followed body.
const EVENTS: usize = 1_000_000;
const MATCHES: usize = EVENTS / 1_000;
const ROUNDS: usize = 5;
const FEED: &str = "subscription($filter: IssueFilter, $after: Int) {
    issues(filter: $filter, after: $after) { kind seq issue { id number title state } } }";

/// Fills the feed. Each event of the body is about an issue of its own.
async fn missed_events(staff: &Actor, pool: &PgPool) {
    let (health, water) = (staff.raise("Аурухана", &[]).await, staff.raise("Су", &[]).await);
    let deadline = (harness::external::now().date_naive() + chrono::TimeDelta::days(30)).to_string();
    staff.assign(&id_of(&water), "min-water", &deadline).await;
    staff.assign(&id_of(&health), "min-health", &deadline).await;
    let run = async |statement: &str| {
        sqlx::query(sqlx::AssertSqlSafe(statement)).execute(pool).await.expect("rows");
    };
    run("CREATE TABLE bodies AS SELECT agency, subject FROM feed_events WHERE feed = 'issues' AND agency IS NOT NULL ORDER BY seq").await;
    run("DELETE FROM feed_events WHERE NOT (feed = 'issues' AND seq = (SELECT max(seq) FROM feed_events WHERE feed = 'issues'))").await;
    run("UPDATE feed_events SET seq = 0 WHERE feed = 'issues'").await;
    let agency = "CASE WHEN n % 1000 = 0 THEN (SELECT agency FROM bodies LIMIT 1) ELSE feed_events.agency END";
    multiply(pool, "feed_events", EVENTS, &[("seq", "n"), ("agency", agency)]).await;
    run("DELETE FROM feed_events WHERE feed = 'issues' AND seq = 0").await;
    run(&format!("UPDATE feeds SET head = {EVENTS}, kept_after = 0 WHERE name = 'issues'")).await;
    multiply(pool, "issues", MATCHES, &[("number", "'ALM-2026-' || (n + 100)")]).await;
    run("UPDATE feed_events SET subject = own.id FROM
             (SELECT id, row_number() OVER (ORDER BY id) * 1000 AS seq FROM issues) own
         WHERE feed = 'issues' AND feed_events.seq = own.seq")
    .await;
    run("VACUUM ANALYZE feed_events").await;
}

/// Reads the matches and their issues by bare SQL, in pages as the service does.
async fn bare(pool: &PgPool) -> usize {
    let events = "SELECT * FROM feed_events WHERE feed = 'issues' AND agency = (SELECT agency FROM bodies LIMIT 1)
                  AND seq > $1 ORDER BY seq LIMIT 256";
    let (mut read, mut after) = (0, 0_i64);
    loop {
        let rows = sqlx::query(events).bind(after).fetch_all(pool).await.expect("events");
        let Some(last) = rows.last() else { return read };
        after = sqlx::Row::get(last, "seq");
        let subjects: Vec<uuid::Uuid> = rows.iter().map(|row| sqlx::Row::get(row, "subject")).collect();
        let issues = sqlx::query("SELECT * FROM issues WHERE id = ANY($1)").bind(&subjects).fetch_all(pool).await;
        assert_eq!(issues.expect("issues").len(), rows.len());
        read += rows.len();
    }
}

/// Follows the body's events from the beginning until the last one.
async fn replay(follower: &Actor) {
    let mut live = follower.follow(FEED, json!({ "filter": { "agency": "min-water" }, "after": 0 })).await;
    let mut last = 0;
    while last < EVENTS as i64 {
        let event = live.next().await;
        last = event["seq"].as_i64().expect("a position");
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

pub async fn replays(lines: &mut Lines) {
    let env = BenchEnv::start("AFTER", true).await;
    let pool = database(&env).await;
    missed_events(&person(&env.process.host, "staff", &["AKIMAT"]), &pool).await;
    let follower = anonymous(&env.process.host);
    let (mut ours, mut floor) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        floor.push(timed(async { assert_eq!(bare(&pool).await, MATCHES) }).await);
        ours.push(timed(replay(&follower)).await);
    }
    let (ours, floor) = (median(ours), median(floor));
    let what = format!(
        "replay, 1,000 of 1,000,000 events: {:.1} ms, bare SQL for the matches {:.1} ms",
        us(ours) / 1e3,
        us(floor) / 1e3
    );
    line(lines, what, format!("{:.1} x", us(ours) / us(floor)), "≤ 2 x");
}
