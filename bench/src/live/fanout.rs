//! Fan-out of events to many subscribers.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use harness::external::person;
use serde_json::{Value, json};

use crate::{
    Lines,
    bench_env::BenchEnv,
    line,
    process::{Part, cpu, memory, pause},
};

const FOLLOWERS: usize = 10_000;
const BURST: usize = 20;
const BURSTS: usize = 5;
const STEADY: usize = 10;
const FIELDS: &str = "{ seq prev kind comment { id body authorName votes state receipt } }";

#[derive(Clone, Copy, Default)]
struct Measured {
    /// Median of deliveries a second in bursts.
    rate: f64,
    /// CPU time of the server per delivery at a steady rate, in µs.
    cpu: f64,
    /// Memory per connection at the end, in KB.
    memory: f64,
    /// 99th percentile from post to delivery at a steady rate, in ms.
    p99: f64,
    /// Length of a message, in bytes.
    length: usize,
}

fn followers(host: &str, count: usize, greetings: usize, query: &str, variables: &Value) -> Value {
    let subscribe = json!({ "id": "1", "type": "subscribe", "payload": { "query": query, "variables": variables } });
    let init = json!({ "type": "connection_init" });
    let messages = if greetings == 0 { json!([]) } else { json!([init.to_string(), subscribe.to_string()]) };
    json!({ "host": host, "count": count, "greetings": greetings, "messages": messages })
}

/// Triggers events and waits until all are delivered. Returns the time and the load's report.
async fn deliver(load: &mut Part, events: usize, trigger: impl Future<Output = ()>) -> (Duration, Vec<f64>) {
    load.send(&format!("expect {events}")).await;
    assert_eq!(load.receive().await, "armed");
    let began = Instant::now();
    trigger.await;
    let done = load.receive().await;
    let figures = done.split(' ').skip(1).map(|figure| figure.parse().expect("a value")).collect();
    (began.elapsed(), figures)
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// Measures a server whose events are started by `trigger`.
async fn measure(id: u32, load: Value, mut trigger: impl AsyncFnMut(usize)) -> Measured {
    let before = memory(id);
    let mut load = Part::start("load", &load.to_string());
    assert!(load.receive().await.starts_with("ready"));
    pause(Duration::from_secs(2)).await;
    let mut measured = Measured::default();
    let (mut p99s, mut rates) = (Vec::new(), Vec::new());
    let began = cpu(id);
    for _ in 0..STEADY {
        let (took, figures) = deliver(&mut load, FOLLOWERS, trigger(1)).await;
        p99s.push(figures[1]);
        measured.length = figures[2] as usize;
        pause(Duration::from_secs(1).saturating_sub(took)).await;
    }
    measured.cpu = (cpu(id) - began).as_secs_f64() * 1e6 / (STEADY * FOLLOWERS) as f64;
    for _ in 0..BURSTS {
        let (took, _) = deliver(&mut load, FOLLOWERS * BURST, trigger(BURST)).await;
        rates.push((FOLLOWERS * BURST) as f64 / took.as_secs_f64());
    }
    measured.rate = median(rates);
    measured.p99 = median(p99s);
    measured.memory = (memory(id) - before) / FOLLOWERS as f64;
    measured
}

async fn measure_floor(name: &str, length: usize, greetings: usize) -> Measured {
    let mut server = Part::start(name, &length.to_string());
    let host = server.receive().await;
    let query = format!("subscription {{ comments {FIELDS} }}");
    let load = followers(&host, FOLLOWERS, greetings, &query, &Value::Null);
    let id = server.id();
    measure(id, load, async |events| server.send(&events.to_string()).await).await
}

/// Measures posts through `postComment`, published at once and sent one by one, as people do.
async fn measure_posts() -> Measured {
    let env = BenchEnv::start("AFTER", false).await;
    let query = format!("subscription($id: ID!) {{ comments(meetingId: $id) {FIELDS} }}");
    let load = followers(&env.process.host, FOLLOWERS, 2, &query, &json!({ "id": env.meeting }));
    let mut posted = 0;
    measure(env.process.id(), load, async |events| {
        for _ in 0..events {
            posted += 1;
            env.post(posted, 1).await;
        }
    })
    .await
}

/// Measures bulk approvals: all events of a burst are in one commit.
async fn measure_approvals() -> Measured {
    let env = BenchEnv::start("BEFORE", false).await;
    let moderator = Arc::new(person(&env.process.host, "moderator", &["MODERATOR"]));
    let mut waiting = Vec::new();
    for run in 0..BURSTS + 1 {
        waiting.push(env.post(run, BURST).await);
    }
    let mut single = waiting.pop().expect("one more").into_iter();
    let query = format!("subscription($id: ID!) {{ comments(meetingId: $id) {FIELDS} }}");
    let load = followers(&env.process.host, FOLLOWERS, 2, &query, &json!({ "id": env.meeting }));
    measure(env.process.id(), load, async |events| {
        let comments = if events == 1 { vec![single.next().expect("one more")] } else { waiting.pop().expect("more") };
        env.approve(&moderator, &comments).await;
    })
    .await
}

pub async fn fanout(lines: &mut Lines) {
    let (ours, bulk) = (measure_posts().await, measure_approvals().await);
    let floor = measure_floor("floor", ours.length, 0).await;
    let plain = measure_floor("plain", ours.length, 1).await;
    let all = [
        ("bare sockets", floor),
        ("async-graphql-axum", plain),
        ("Kezdesu, bulk approvals", bulk),
        ("Kezdesu, posts one by one", ours),
    ];
    for (name, measured) in all {
        let Measured { rate, cpu, memory, p99, length } = measured;
        let figures = format!("{rate:.0}/s");
        line(lines, format!("fanout, {name}: deliveries in bursts of {BURST} ({length} bytes)"), figures, "");
        line(lines, format!("fanout, {name}: CPU a delivery, steady"), format!("{cpu:.1} µs"), "");
        line(lines, format!("fanout, {name}: memory a connection"), format!("{memory:.1} KB"), "");
        line(lines, format!("fanout, {name}: p99 of post-to-screen, steady"), format!("{p99:.0} ms"), "");
    }
    for (name, measured, floor_mark, plain_mark) in
        [("bulk approvals", bulk, "≥ 60 %", "≥ 10 x"), ("posts one by one", ours, "≥ 35 %", "≥ 4 x")]
    {
        let share = format!("{:.0} %", 100.0 * measured.rate / floor.rate);
        line(lines, format!("fanout, {name}: bursts, of bare sockets"), share, floor_mark);
        let times = format!("{:.1} x", measured.rate / plain.rate);
        line(lines, format!("fanout, {name}: bursts, of async-graphql-axum"), times, plain_mark);
    }
    line(lines, "fanout: steady CPU, of bare sockets", format!("{:.2} x", ours.cpu / floor.cpu), "≤ 1.4 x");
    line(lines, "fanout: memory a connection", format!("{:.1} KB", ours.memory), "≤ 8 KB");
}

/// Measures fan-out with more and more different operations among the subscribers.
pub async fn groups(lines: &mut Lines) {
    let mut alone = 0.0;
    for operations in [1, 10, 100, 1_000] {
        let env = BenchEnv::start("BEFORE", false).await;
        let moderator = Arc::new(person(&env.process.host, "moderator", &["MODERATOR"]));
        let comments = env.post(0, BURST).await;
        let query = format!("subscription OPERATION($id: ID!) {{ comments(meetingId: $id) {FIELDS} }}");
        let mut load = followers(&env.process.host, FOLLOWERS, 2, &query, &json!({ "id": env.meeting }));
        load["operations"] = json!(operations);
        let mut load = Part::start("load", &load.to_string());
        assert!(load.receive().await.starts_with("ready"));
        let id = env.process.id();
        let began = cpu(id);
        deliver(&mut load, FOLLOWERS * BURST, env.approve(&moderator, &comments)).await;
        let cost = (cpu(id) - began).as_secs_f64() * 1e3 / BURST as f64;
        line(lines, format!("groups: CPU an event, {operations} of {FOLLOWERS} differ"), format!("{cost:.1} ms"), "");
        match operations {
            1 => alone = cost,
            1_000 => {
                let what = format!("groups: CPU an event, {operations} operations, of that of one");
                line(lines, what, format!("{:.1} x", cost / alone), "≤ 4 x");
            }
            _ => {}
        }
    }
}

/// Measures a crowd that arrives within a second, as when a broadcast begins.
pub async fn edge(lines: &mut Lines) {
    let count = 2_000;
    for production in [false, true] {
        let env = BenchEnv::start("AFTER", production).await;
        env.post(0, BURST).await;
        let query = format!("subscription($id: ID!) {{ comments(meetingId: $id) {FIELDS} }}");
        let mut load = followers(&env.process.host, count, 2, &query, &json!({ "id": env.meeting }));
        load["withinMs"] = json!(1_000);
        let began = Instant::now();
        let mut load = Part::start("load", &load.to_string());
        let ready = load.receive().await;
        let took = began.elapsed().as_secs_f64();
        let figures: Vec<f64> = ready.split(' ').skip(1).map(|figure| figure.parse().expect("a value")).collect();
        let engine = if production { "PostgreSQL" } else { "SQLite" };
        let what = format!("edge, {engine}: {count} sockets arrive within a second, until all are live");
        line(lines, what, format!("{took:.2} s"), "");
        let what = format!("edge, {engine}: from arrival to live, p50 {:.0} ms, p99", figures[0]);
        line(lines, what, format!("{:.0} ms", figures[1]), "");
    }
}

/// Measures many subscribers resuming at once.
pub async fn cold_join(lines: &mut Lines) {
    let (count, back) = (2_000, 200);
    for production in [false, true] {
        let env = BenchEnv::start("AFTER", production).await;
        env.post(0, back).await;
        let env = env.restart().await;
        let query =
            format!("subscription($id: ID!, $after: Int) {{ comments(meetingId: $id, after: $after) {FIELDS} }}");
        let variables = json!({ "id": env.meeting, "after": 0 });
        let mut load = followers(&env.process.host, count, 2, &query, &variables);
        load["expect"] = json!(count * back);
        let (before, began) = (env.statements().await, Instant::now());
        let mut load = Part::start("load", &load.to_string());
        while !load.receive().await.starts_with("done") {}
        let statements = env.statements().await - before;
        let engine = if production { "PostgreSQL" } else { "SQLite" };
        let what = format!("cold-join, {engine}: {count} followers, each {back} events back, until all are live");
        line(lines, what, format!("{:.2} s", began.elapsed().as_secs_f64()), "");
        line(
            lines,
            format!("cold-join, {engine}: statements meanwhile, jobs included"),
            statements.to_string(),
            "a few a feed",
        );
    }
}
