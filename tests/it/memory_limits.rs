//! Peers that send without reading: the program bounds its memory and keeps serving others.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use chrono::TimeDelta;
use harness::{
    Actor, Engine, HOST, Process, RawWebSocket, TIMEOUT,
    external::{now, person, settings_on},
    frame, until,
};
use serde_json::json;
use tokio::task::JoinHandle;

const ATTACKERS: usize = 8;
const POSTS: usize = 100;
/// Allowed growth of memory under a flood, far less than is sent.
const GROWTH: u64 = 60 << 20;

/// Peers that send repeatedly without reading, and reconnect when closed.
struct Flood {
    tasks: Vec<JoinHandle<()>>,
    sent: Arc<AtomicUsize>,
    cut: Arc<AtomicUsize>,
}

impl Flood {
    fn begin(host: &str, what: &[u8], introduced: bool) -> Self {
        let (sent, cut) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let attack = |_| {
            let (host, what, sent, cut) = (host.to_owned(), what.to_vec(), Arc::clone(&sent), Arc::clone(&cut));
            tokio::spawn(async move {
                loop {
                    // Sockets without `connection_init` are closed after ten seconds in any case.
                    let mut socket = if introduced {
                        RawWebSocket::introduced(&host).await
                    } else {
                        RawWebSocket::open(&host).await
                    };
                    sent.fetch_add(socket.raw.flood(&what).await, Ordering::Relaxed);
                    cut.fetch_add(1, Ordering::Relaxed);
                }
            })
        };
        Self { tasks: (0..ATTACKERS).map(attack).collect(), sent, cut }
    }

    /// Stops after this many disconnects, and returns the number of bytes sent.
    async fn end_after_disconnects(self, cuts: usize) -> usize {
        until(async || self.cut.load(Ordering::Relaxed), || (), |cut| *cut >= cuts).await;
        self.tasks.iter().for_each(JoinHandle::abort);
        self.sent.load(Ordering::Relaxed)
    }
}

/// Returns the median latency of posts.
async fn median_of_posts(ana: &Actor, meeting: &str, round: &str) -> Duration {
    let mut times = Vec::new();
    for n in 0..POSTS {
        let began = Instant::now();
        ana.post(meeting, &format!("Сұрақ {round} {n}")).await;
        times.push(began.elapsed());
    }
    times.sort();
    times[POSTS / 2]
}

async fn keeps_its_memory(engine: Engine, kind: &str, what: Vec<u8>, as_gateways: bool) {
    let dir = tempfile::tempdir().unwrap();
    let mut settings = settings_on(dir.path(), engine).await;
    if as_gateways {
        settings.push(("KEZDESU_GATEWAYS".to_owned(), "127.0.0.0/8".to_owned()));
    }
    let program = Process::serve(&settings).await;
    let staff = person(&program.host, "staff", &["AKIMAT"]);
    let meeting = staff.live_meeting(HOST, HOST, now() + TimeDelta::minutes(1), "AFTER").await;
    let ana = person(&program.host, "ana", &["CITIZEN"]);
    median_of_posts(&ana, &meeting, "first").await;
    let quiet = median_of_posts(&ana, &meeting, "quiet").await;
    let (before, _) = program.memory();
    let flood = Flood::begin(&program.host, &what, as_gateways);
    let flooded = median_of_posts(&ana, &meeting, "flooded").await;
    // A gateway is closed after ten seconds without reading, others for the number of their messages.
    let sent = flood.end_after_disconnects(ATTACKERS).await;
    let (after, peak) = program.memory();
    eprintln!(
        "{engine:?}, flood of {kind}: {} MB sent; memory {} MB before, {} MB at the highest, {} MB after; posts' median {quiet:?} quiet, \
         {flooded:?} under the flood",
        sent >> 20,
        before >> 20,
        peak >> 20,
        after >> 20
    );
    assert!(peak - before < GROWTH, "{kind}: from {before} to {peak} bytes");
    let name = if as_gateways { "kezdesu_slow_readers_total" } else { "kezdesu_socket_floods_total" };
    let counted: usize = program.metric(name).await.parse().unwrap();
    assert!(counted >= ATTACKERS / 2, "{kind}: {counted}");
    tokio::time::timeout(TIMEOUT, ana.post(&meeting, "Соңы")).await.expect("the service responds");
    assert!(program.terminate().await);
}

fn pings() -> Vec<u8> {
    frame(0x89, &[7; 125]).repeat(64)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bounds_memory_under_a_flood_of_pings_embedded() {
    keeps_its_memory(Engine::Embedded, "pings", pings(), false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bounds_memory_under_a_flood_of_pings_production() {
    keeps_its_memory(Engine::Production, "pings", pings(), false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bounds_memory_under_a_flood_of_pings_from_a_gateway() {
    keeps_its_memory(Engine::Embedded, "a gateway's pings", pings(), true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bounds_memory_under_a_flood_of_large_protocol_pings_from_a_gateway() {
    let ping = json!({ "type": "ping", "payload": "a".repeat(60_000) }).to_string();
    keeps_its_memory(Engine::Embedded, "a gateway's large pings", frame(0x81, ping.as_bytes()), true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn releases_memory_after_a_thousand_subscribers_leave() {
    let dir = tempfile::tempdir().unwrap();
    let program = Process::serve(&settings_on(dir.path(), Engine::Embedded).await).await;
    let staff = person(&program.host, "staff", &["AKIMAT"]);
    let meeting = staff.live_meeting(HOST, HOST, now() + TimeDelta::minutes(1), "AFTER").await;
    let ana = person(&program.host, "ana", &["CITIZEN"]);
    median_of_posts(&ana, &meeting, "before").await;
    let (before, _) = program.memory();
    let mut crowd = Vec::new();
    for _ in 0..1_000 {
        crowd.push(ana.follow_comments(&meeting, None, "PUBLIC").await);
    }
    let (full, _) = program.memory();
    drop(crowd);
    let left = until(async || program.memory().0, || (), |left| *left < before + (full - before) / 2).await;
    eprintln!(
        "memory: {} MB before a crowd of 1,000, {} MB with it, {} MB after",
        before >> 20,
        full >> 20,
        left >> 20
    );
    assert!(program.terminate().await);
}
