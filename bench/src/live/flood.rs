//! Latency of posts during a flood of expensive anonymous queries.

use chrono::TimeDelta;
use harness::{
    Engine, HOST, Process,
    external::{now, person, settings_on},
    query_flood::{Flood, most_expensive, peak_memory, posts, quantile, with_default_limits},
};

use crate::{Lines, line};

const POSTS: usize = 500;

pub async fn flood(lines: &mut Lines) {
    for (name, engine) in [("SQLite", Engine::Embedded), ("PostgreSQL", Engine::Production)] {
        let dir = tempfile::tempdir().expect("a directory");
        let program = Process::serve(&with_default_limits(settings_on(dir.path(), engine).await)).await;
        let staff = person(&program.host, "staff", &["AKIMAT"]);
        let meeting = staff.live_meeting(HOST, HOST, now() + TimeDelta::minutes(1), "AFTER").await;
        let quiet = posts(&program.host, &meeting, "quiet", POSTS).await;
        let (query, alone) = most_expensive(&program.host, &meeting).await;
        let memory = peak_memory(&program);
        let flood = Flood::begin(&program.host, &query);
        let attacked = posts(&program.host, &meeting, "flood", POSTS).await;
        let tally = flood.end().await;
        assert!(tally.others.is_empty() && tally.refused > 0, "{tally:?}");
        let ms = |times: &[std::time::Duration], part: f64| quantile(times, part).as_secs_f64() * 1e3;
        for (part, of) in [(0.5, "p50"), (0.99, "p99")] {
            let (quiet, attacked) = (ms(&quiet, part), ms(&attacked, part));
            let what = format!("flood, {name}: {of} of posts {attacked:.1} ms, quiet {quiet:.1} ms");
            line(lines, what, format!("{:.1} x", attacked / quiet), if of == "p99" { "≤ 2 x" } else { "" });
        }
        let what =
            format!("flood, {name}: most expensive query alone, {} run and {} refused", tally.answered, tally.refused);
        line(lines, what, format!("{:.0} ms", alone.as_secs_f64() * 1e3), "");
        let what = format!("flood, {name}: highest resident memory, {memory} MiB before");
        line(lines, what, format!("{} MiB", peak_memory(&program)), "");
    }
}
