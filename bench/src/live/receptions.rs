//! Registrations of a crowd for few slots, compared with bare transactions that write the same rows.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use futures_util::future::join_all;
use harness::{
    Actor, HOST, Opening, Server,
    external::{now, person},
    id_of,
};
use serde_json::json;
use sqlx::{AssertSqlSafe, Executor as _, PgPool, SqlitePool, postgres::PgPoolOptions, sqlite::SqlitePoolOptions};

use crate::{Lines, bench_env::BenchEnv, line};

/// People who register at once, for 20 slots.
const PEOPLE: usize = 400;
const ROUNDS: usize = 5;
const TABLES: [&str; 5] = [
    "CREATE TABLE receptions (id INTEGER PRIMARY KEY, last_number INTEGER)",
    "CREATE TABLE registrations (id TEXT PRIMARY KEY, reception INTEGER, number INTEGER, state TEXT, topic TEXT)",
    "CREATE TABLE applicants (id TEXT PRIMARY KEY, name TEXT, phone TEXT)",
    "CREATE TABLE feeds (name TEXT PRIMARY KEY, head INTEGER)",
    "CREATE TABLE events (feed TEXT, seq INTEGER, subject TEXT, kind TEXT, PRIMARY KEY (feed, seq))",
];
const ROWS: [&str; 2] = ["INSERT INTO receptions VALUES (1, 0)", "INSERT INTO feeds VALUES ('receptions', 0)"];

/// How long each registration of a crowd took, and all together.
struct Crowd {
    each: Vec<Duration>,
    all: Duration,
}

async fn crowd<F: Future<Output = ()>>(work: impl Fn(usize) -> F) -> Crowd {
    let began = Instant::now();
    let each = join_all((0..PEOPLE).map(|n| {
        let done = work(n);
        async move {
            done.await;
            began.elapsed()
        }
    }))
    .await;
    Crowd { each, all: began.elapsed() }
}

/// A database for bare transactions.
enum Floor {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

impl Floor {
    /// Runs statements on one connection.
    async fn run(&self, statements: &[String]) {
        macro_rules! run_on {
            ($pool:expr) => {{
                let mut connection = $pool.acquire().await.expect("a connection");
                for statement in statements {
                    connection.execute(AssertSqlSafe(statement.as_str())).await.expect("the statement runs");
                }
            }};
        }
        match self {
            Self::Sqlite(pool) => run_on!(pool),
            Self::Postgres(pool) => run_on!(pool),
        }
    }

    const fn begin(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "BEGIN IMMEDIATE",
            Self::Postgres(_) => "BEGIN",
        }
    }

    /// Writes what a registration writes, in one transaction.
    async fn write(&self, round: usize, n: usize) {
        let id = format!("{round}-{n}");
        self.run(&[
            self.begin().to_owned(),
            "UPDATE receptions SET last_number = last_number + 1 WHERE id = 1".to_owned(),
            format!("INSERT INTO registrations VALUES ('{id}', 1, {n}, 'WAITING', 'topic')"),
            format!("INSERT INTO applicants VALUES ('{id}', 'name', 'phone')"),
            "UPDATE feeds SET head = head + 1 WHERE name = 'receptions'".to_owned(),
            format!("INSERT INTO events SELECT name, head, '{id}', 'CHANGED' FROM feeds WHERE name = 'receptions'"),
            "COMMIT".to_owned(),
        ])
        .await;
    }
}

async fn bare(floor: &Floor) -> Vec<Crowd> {
    floor.run(&TABLES.map(str::to_owned)).await;
    floor.run(&ROWS.map(str::to_owned)).await;
    let mut rounds = Vec::new();
    for round in 0..ROUNDS {
        rounds.push(crowd(|n| floor.write(round, n)).await);
    }
    rounds
}

async fn sqlite(file: &std::path::Path) -> Floor {
    let url = format!("sqlite://{}?mode=rwc", file.display());
    let pool = SqlitePoolOptions::new().max_connections(1).connect(&url).await.expect("a database");
    pool.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL").await.expect("the same settings as ours");
    Floor::Sqlite(pool)
}

async fn postgres(url: &str) -> Floor {
    Floor::Postgres(PgPoolOptions::new().max_connections(16).connect(url).await.expect("a database"))
}

async fn ours(env: &BenchEnv) -> Vec<Crowd> {
    let host = &env.process.host;
    let staff = person(host, "staff", &["AKIMAT"]);
    let mut rounds = Vec::new();
    for round in 0..ROUNDS {
        let meeting = staff.ended_meeting(HOST, HOST, now() + TimeDelta::minutes(1)).await;
        let opening = Opening { starts_in: TimeDelta::hours(24), slots: 10, desks: 2 };
        let reception = id_of(&staff.mutate("openReception", opening.input(&meeting, now())).await["reception"]);
        let people: Vec<Actor> = (0..PEOPLE).map(|n| person(host, &format!("p{round}-{n}"), &["CITIZEN"])).collect();
        // Connections are opened before, as apps have them open.
        join_all(people.iter().map(|person| person.query(harness::WHO, json!({})))).await;
        rounds.push(
            crowd(|n| {
                let (person, reception) = (&people[n], &reception);
                async move {
                    let row = person.register(reception, json!({})).await;
                    assert!(row["state"] == "BOOKED" || row["state"] == "WAITING", "{row}");
                }
            })
            .await,
        );
    }
    rounds
}

/// Returns the median of the rounds' times for the whole crowd, and the p99 of one registration over all rounds.
fn summary(rounds: &[Crowd]) -> (Duration, Duration) {
    let mut all: Vec<_> = rounds.iter().map(|round| round.all).collect();
    all.sort_unstable();
    let mut each: Vec<_> = rounds.iter().flat_map(|round| round.each.clone()).collect();
    each.sort_unstable();
    (all[all.len() / 2], each[each.len() * 99 / 100])
}

pub async fn receptions(lines: &mut Lines) {
    for (engine, production) in [("SQLite", false), ("PostgreSQL", true)] {
        let server = production.then(Server::postgres);
        let dir = tempfile::tempdir().expect("a directory");
        let floor = match &server {
            Some(server) => bare(&postgres(&server.postgres_url()).await).await,
            None => bare(&sqlite(&dir.path().join("bench.db")).await).await,
        };
        let env = BenchEnv::start("AFTER", production).await;
        let ((floor, _), (all, p99)) = (summary(&floor), summary(&ours(&env).await));
        let what = format!("register, {engine}, {PEOPLE} people for 20 slots at once: p99");
        line(lines, what, format!("{} ms", p99.as_millis()), "≤ 250 ms");
        let what =
            format!("register, {engine}: all in {} ms, bare transactions {} ms", all.as_millis(), floor.as_millis());
        line(lines, what, format!("{:.1} x", all.as_secs_f64() / floor.as_secs_f64()), "≤ 4 x");
    }
}
