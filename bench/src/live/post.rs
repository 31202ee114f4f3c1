//! Acknowledged posts a second in one meeting, compared with bare INSERTs of the same durability.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use harness::{Server, external::person};
use serde_json::json;
use sqlx::{Executor, postgres::PgPoolOptions, sqlite::SqlitePoolOptions};

use crate::{Lines, bench_env::BenchEnv, line};

const SPAN: Duration = Duration::from_secs(4);
const TABLE: &str = "CREATE TABLE bench (id TEXT PRIMARY KEY, meeting TEXT, body TEXT, author TEXT, state TEXT)";
const BODY: &str = "Ауылымыздың жолы қашан жөнделеді, көктемде су басып қалады";

/// Returns how often a second `work` is done by this many concurrent workers.
async fn rate<F: Future<Output = ()> + Send + 'static>(
    at_once: usize,
    work: impl Fn(usize, u64) -> F + Send + Sync + 'static,
) -> f64 {
    let (done, work) = (Arc::new(AtomicU64::new(0)), Arc::new(work));
    let began = Instant::now();
    let workers: Vec<_> = (0..at_once)
        .map(|worker| {
            let (done, work) = (Arc::clone(&done), Arc::clone(&work));
            tokio::spawn(async move {
                for n in 0.. {
                    if began.elapsed() >= SPAN {
                        return;
                    }
                    work(worker, n).await;
                    done.fetch_add(1, Relaxed);
                }
            })
        })
        .collect();
    for worker in workers {
        worker.await.expect("a statement runs");
    }
    done.load(Relaxed) as f64 / began.elapsed().as_secs_f64()
}

async fn bare(production: bool, at_once: usize) -> f64 {
    let insert = |worker: usize, n: u64| {
        format!("INSERT INTO bench VALUES ('{worker}-{n}', 'meeting', '{BODY}', 'author', 'PUBLISHED')")
    };
    if production {
        let server = Server::postgres();
        let pool = PgPoolOptions::new().max_connections(64).connect(&server.postgres_url()).await.expect("a database");
        pool.execute(TABLE).await.expect("a table");
        return rate(at_once, move |worker, n| {
            let pool = pool.clone();
            async move {
                pool.execute(sqlx::AssertSqlSafe(insert(worker, n))).await.expect("a row");
            }
        })
        .await;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let url = format!("sqlite://{}?mode=rwc", dir.path().join("bench.db").display());
    let pool = SqlitePoolOptions::new().max_connections(1).connect(&url).await.expect("a database");
    pool.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL").await.expect("the same settings as ours");
    pool.execute(TABLE).await.expect("a table");
    rate(at_once, move |worker, n| {
        let pool = pool.clone();
        async move {
            pool.execute(sqlx::AssertSqlSafe(insert(worker, n))).await.expect("a row");
        }
    })
    .await
}

async fn ours(production: bool, at_once: usize) -> f64 {
    let server = production.then(Server::postgres);
    let env = if production {
        BenchEnv::on("AFTER", &server.as_ref().expect("a server").postgres_url()).await
    } else {
        BenchEnv::start("AFTER", false).await
    };
    let host = env.process.host.clone();
    let authors: Arc<Vec<_>> =
        Arc::new((0..at_once).map(|n| person(&host, &format!("writer-{n}"), &["CITIZEN"])).collect());
    let meeting = env.meeting.clone();
    rate(at_once, move |worker, n| {
        let (authors, meeting) = (Arc::clone(&authors), meeting.clone());
        async move {
            let input = json!({ "meetingId": meeting, "body": format!("{BODY} {n}"), "idempotencyKey": format!("{n}") });
            let text = "mutation($input: PostCommentInput!) { postComment(input: $input) { comment { id } refusal { code } } }";
            let answer = authors[worker].query(text, json!({ "input": input })).await;
            assert!(answer["postComment"]["comment"].is_object(), "{answer}");
        }
    })
    .await
}

pub async fn post(lines: &mut Lines) {
    for (engine, production) in [("SQLite", false), ("PostgreSQL", true)] {
        for at_once in [1, 64] {
            let (floor, ours) = (bare(production, at_once).await, ours(production, at_once).await);
            let mark = if at_once == 64 { "≥ 50 %" } else { "" };
            let what = format!("post, {engine}, {at_once} at once: {ours:.0}/s of bare INSERTs' {floor:.0}/s");
            line(lines, what, format!("{:.0} %", 100.0 * ours / floor), mark);
        }
    }
}
