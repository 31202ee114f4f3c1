//! Time to deliver events to twenty receivers, and the same while one of them never responds.

use std::time::Duration;

use harness::{Behaviour, HOST, Receiver, external::person};
use sqlx::PgPool;

use crate::{
    Lines,
    bench_env::BenchEnv,
    line,
    process::{pause, timed},
    query::{database, multiply},
};

/// Events for each receiver.
const EVENTS: usize = 5_000;
const RECEIVERS: usize = 20;
const ISSUES: usize = 500;

/// Records events about many issues after the newest event of the feed.
async fn record(pool: &PgPool) {
    let record = format!(
        "INSERT INTO feed_events (feed, seq, at, subject, kind, public_kind, audience, actor, region_code, agency)
         SELECT 'issues', head + n, now(), own.id, 'CHANGED', 'CHANGED', NULL, NULL, '{HOST}', NULL
         FROM feeds, generate_series(1, {EVENTS}) n
         JOIN (SELECT id, row_number() OVER (ORDER BY id) AS place FROM issues) own ON own.place = 1 + n % {ISSUES}
         WHERE name = 'issues'"
    );
    for statement in [record, format!("UPDATE feeds SET head = head + {EVENTS} WHERE name = 'issues'")] {
        sqlx::query(sqlx::AssertSqlSafe(statement)).execute(pool).await.expect("events");
    }
}

/// Returns how long the receivers take to get all events of a round.
async fn round(pool: &PgPool, receivers: &[Receiver], before: usize) -> Duration {
    record(pool).await;
    let began = timed(async {
        while receivers.iter().any(|receiver| receiver.count() < before + EVENTS) {
            pause(Duration::from_millis(20)).await;
        }
    });
    began.await
}

pub async fn webhooks(lines: &mut Lines) {
    let env = BenchEnv::with_webhooks().await;
    let pool = database(&env).await;
    let staff = person(&env.process.host, "staff", &["AKIMAT"]);
    staff.raise("Көшеде су жоқ", &[]).await;
    multiply(&pool, "issues", ISSUES, &[("number", "'ALM-2026-' || (n + 100)")]).await;
    let mut receivers = Vec::new();
    for _ in 0..RECEIVERS {
        let receiver = Receiver::start().await;
        staff.register_webhook(&receiver.url()).await;
        receivers.push(receiver);
    }
    let healthy = round(&pool, &receivers, 0).await;
    let dead = receivers.pop().expect("a receiver");
    dead.behave(Behaviour::Hang);
    let with_dead = round(&pool, &receivers, EVENTS).await;
    let rate = (EVENTS * RECEIVERS) as f64 / healthy.as_secs_f64();
    line(lines, "webhooks: 100,000 events to 20 receivers", format!("{rate:.0}/s"), "");
    let what = format!(
        "webhooks: with one dead {:.1} s for the rest, without {:.1} s",
        with_dead.as_secs_f64(),
        healthy.as_secs_f64()
    );
    line(lines, what, format!("{:.2} x", with_dead.as_secs_f64() / healthy.as_secs_f64()), "≤ 1.5 x");
}
