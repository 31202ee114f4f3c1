//! A flood of expensive anonymous queries does not prevent posting.

use harness::{
    Engine, HOST, Process,
    external::{now, person, settings_on},
    query_flood::{Flood, most_expensive, peak_memory, posts, quantile, with_default_limits},
};

const POSTS: usize = 100;
/// Memory that the flood may add, in MiB.
const MOST_MEMORY: u64 = 300;

async fn people_post_through_a_flood(engine: Engine) {
    let dir = tempfile::tempdir().unwrap();
    let program = Process::serve(&with_default_limits(settings_on(dir.path(), engine).await)).await;
    let staff = person(&program.host, "staff", &["AKIMAT"]);
    let meeting = staff.live_meeting(HOST, HOST, now() + chrono::TimeDelta::minutes(1), "AFTER").await;
    let quiet = posts(&program.host, &meeting, "тыныш", POSTS).await;
    let (query, alone) = most_expensive(&program.host, &meeting).await;
    let before = peak_memory(&program);
    let flood = Flood::begin(&program.host, &query);
    let attacked = posts(&program.host, &meeting, "тасқын", POSTS).await;
    let tally = flood.end().await;
    let memory = peak_memory(&program);
    println!(
        "{engine:?}: the most expensive query takes {alone:?}: {query:.120}\nposts: p50 {:?} and p99 {:?} quiet, {:?} and {:?} in the flood\n\
         memory: {before} MiB before, {memory} MiB at most; attackers: {} answered, {} refused",
        quantile(&quiet, 0.5),
        quantile(&quiet, 0.99),
        quantile(&attacked, 0.5),
        quantile(&attacked, 0.99),
        tally.answered,
        tally.refused,
    );
    assert!(tally.others.is_empty(), "unexpected response to an attacker: {:?}", tally.others.first());
    assert!(tally.refused > 0, "the address must exceed its budget: {tally:?}");
    assert!(memory < before + MOST_MEMORY, "{before} MiB, then {memory} MiB");
    assert_eq!(
        staff.comments(&meeting, serde_json::json!({})).await.len(),
        2 * POSTS,
        "every acknowledged post is stored"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accepts_posts_during_a_query_flood_embedded() {
    people_post_through_a_flood(Engine::Embedded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accepts_posts_during_a_query_flood_production() {
    people_post_through_a_flood(Engine::Production).await;
}
