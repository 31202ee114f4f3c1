//! Commands that lose a race for a lock are retried once.

use std::{collections::BTreeSet, sync::Mutex};

use chrono::TimeDelta;
use harness::{Engine, HOST, TestEnv, id_of, until};
use sea_orm::{ConnectionTrait as _, DbBackend, Statement};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retries_a_command_once_after_a_lock_timeout() {
    let env = TestEnv::start(Engine::Production).await;
    let staff = env.akimat(HOST);
    let meeting = id_of(&staff.plan(HOST, HOST, env.now() + TimeDelta::days(20), "BEFORE").await);
    let holder = env.hold("SELECT 1 FROM meetings FOR UPDATE").await;
    let watcher = env.database().await;
    let announcing = tokio::spawn({
        let (staff, meeting) = (staff.clone(), meeting.clone());
        async move { staff.announce(&meeting).await }
    });
    // Each attempt is its own transaction.
    let tries = Mutex::new(BTreeSet::new());
    let waiting = || async {
        let sql = "SELECT xact_start::text AS began FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        let rows = Statement::from_string(DbBackend::Postgres, sql);
        for row in watcher.query_all_raw(rows).await.unwrap() {
            tries.lock().unwrap().insert(row.try_get::<String>("", "began").unwrap());
        }
        tries.lock().unwrap().len()
    };
    until(waiting, || {}, |count| *count == 2).await;
    holder.rollback().await.unwrap();
    assert_eq!(announcing.await.unwrap()["phase"], "ANNOUNCED");
}
