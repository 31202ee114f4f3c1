//! Webhooks across faults: the holder of a lease is killed, replicas share the receivers, and a dead receiver slows no other.

use std::{collections::BTreeSet, path::Path};

use chrono::TimeDelta;
use harness::{
    Behaviour, Engine, HOST, Process, Receiver, TestEnv, assert_in_order,
    external::{person, settings_on},
    on_both_engines, record_issue_events_in, until,
};
use kezdesu::store::Store;

/// Issues of a test.
const ISSUES: i64 = 9;

fn events(count: u32) -> Vec<(u128, &'static str)> {
    (0..count).map(|n| (u128::from(n) % 9, "CHANGED")).collect()
}

/// Checks that every event came, first in the order of its issue.
fn complete(receiver: &Receiver, count: i64) {
    let taken: BTreeSet<_> = receiver.taken().into_iter().collect();
    assert_eq!(taken, (1..=count).collect(), "nothing is lost");
    assert_in_order(&receiver.received(), |seq| (seq - 1) % ISSUES);
}

/// Waits until a receiver has taken so many different events.
async fn takes(receiver: &Receiver, count: usize) {
    let taken = || std::future::ready(receiver.taken().into_iter().collect::<BTreeSet<_>>().len());
    until(taken, || {}, |taken| *taken >= count).await;
}

/// Returns settings of processes that send webhooks to this machine.
async fn settings_in(dir: &Path, engine: Engine) -> Vec<(String, String)> {
    let mut settings = settings_on(dir, engine).await;
    settings.push(("KEZDESU_WEBHOOK_NETWORKS".to_owned(), "127.0.0.0/8".to_owned()));
    settings
}

/// Opens the database of a process.
async fn store_of(dir: &Path, settings: &[(String, String)]) -> Store {
    let url = settings
        .iter()
        .find(|(name, _)| name == "KEZDESU_DATABASE_URL")
        .map_or_else(|| format!("sqlite://{}", dir.join("kezdesu.db").display()), |(_, url)| url.clone());
    Store::connect(&url, 2).await.unwrap()
}

async fn survives_kills_of_its_holder(engine: Engine) {
    let (dir, receiver) = (tempfile::tempdir().unwrap(), Receiver::start().await);
    let settings = settings_in(dir.path(), engine).await;
    let mut process = Process::serve(&settings).await;
    person(&process.host, "staff", &["AKIMAT"]).register_webhook(&receiver.url()).await;
    let store = store_of(dir.path(), &settings).await;
    record_issue_events_in(&store, harness::external::now(), HOST, &events(600)).await;
    for part in [40, 200, 400] {
        takes(&receiver, part).await;
        process.kill().await;
        process = Process::serve(&settings).await;
    }
    takes(&receiver, 600).await;
    complete(&receiver, 600);
    process.kill().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn loses_nothing_when_the_holder_is_killed_embedded() {
    survives_kills_of_its_holder(Engine::Embedded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn loses_nothing_when_the_holder_is_killed_production() {
    survives_kills_of_its_holder(Engine::Production).await;
}

/// Only PostgreSQL is shared by processes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_process_takes_over_when_the_holder_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings_in(dir.path(), Engine::Production).await;
    let mut processes = vec![Process::serve(&settings).await, Process::serve(&settings).await];
    let store = store_of(dir.path(), &settings).await;
    for part in 0..2 {
        let receiver = Receiver::start().await;
        receiver.behave(Behaviour::Hang);
        person(&processes[0].host, "staff", &["AKIMAT"]).register_webhook(&receiver.url()).await;
        record_issue_events_in(&store, harness::external::now(), HOST, &events(90)).await;
        let holder = || processes.iter().position(|process| process.is_connected_to(receiver.port()));
        let holder = until(|| std::future::ready(holder()), || {}, Option::is_some).await.unwrap();
        // Its messages are in flight.
        processes.remove(holder).kill().await;
        receiver.behave(Behaviour::Respond(204));
        takes(&receiver, 90).await;
        let taken: BTreeSet<_> = receiver.taken().into_iter().collect();
        assert_eq!(taken, (90 * part + 1..=90 * (part + 1)).collect(), "nothing is lost");
        assert_in_order(&receiver.received(), |seq| (seq - 1) % ISSUES);
        processes.push(Process::serve(&settings).await);
    }
    for process in processes {
        process.kill().await;
    }
}

on_both_engines! {
    async fn replicas_share_receivers_and_keep_the_order(env) {
        let mut env = env;
        if env.engine == Engine::Production {
            env.replica().await;
        }
        let mut receivers = Vec::new();
        for n in 0..6 {
            let receiver = Receiver::start().await;
            env.akimat(HOST).register_webhook(&format!("{}?{n}", receiver.url())).await;
            receivers.push(receiver);
        }
        for part in 0..5 {
            record(&env, &events(45)).await;
            if part == 2 && env.engine == Engine::Production {
                env.stop(1).await;
            }
            env.advance(TimeDelta::seconds(1));
        }
        for receiver in &receivers {
            let taken = || std::future::ready(receiver.taken().len());
            until(taken, || env.advance(TimeDelta::seconds(1)), |taken| *taken >= 225).await;
            complete(receiver, 225);
        }
    }

    async fn a_receiver_that_hangs_holds_up_no_other(env) {
        let (staff, hanging, healthy) = (env.akimat(HOST), Receiver::start().await, Receiver::start().await);
        hanging.behave(Behaviour::Hang);
        staff.register_webhook(&hanging.url()).await;
        staff.register_webhook(&healthy.url()).await;
        record(&env, &events(90)).await;
        // The requests to the hanging receiver are in flight all the time, since the clock stands still once it has some.
        let in_flight = || std::future::ready(hanging.received().len());
        until(in_flight, || env.advance(TimeDelta::seconds(1)), |count| *count >= 8).await;
        record(&env, &events(90)).await;
        let taken = || std::future::ready(healthy.taken().len());
        until(taken, || env.advance(TimeDelta::milliseconds(300)), |taken| *taken >= 180).await;
        complete(&healthy, 180);
        assert!(hanging.most_in_flight() <= 8, "{}", hanging.most_in_flight());
    }
}

async fn record(env: &TestEnv, events: &[(u128, &'static str)]) {
    record_issue_events_in(&env.service(0).app().store, env.now(), HOST, events).await;
}
