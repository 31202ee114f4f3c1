//! Commands that lose a race for a lock are retried once. If they lose again, they fail and write nothing.

use std::{collections::BTreeSet, sync::Mutex};

use chrono::TimeDelta;
use harness::{
    Actor, Engine, HOST, Process, TestEnv, error_code,
    external::{now, person, settings_on},
    id_of, refusal, until,
};
use sea_orm::{ConnectionTrait as _, Database, DatabaseConnection, DatabaseTransaction, DbBackend, Statement};
use serde_json::{Value, json};

async fn post(author: &Actor, meeting: &str) -> Value {
    author.try_mutate("postComment", json!({ "meetingId": meeting, "body": "Жол?" })).await
}

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

/// Lets the next updates of meetings fail with this SQLSTATE. A sequence counts all updates, because no rollback takes
/// its values back.
async fn fail_updates(database: &DatabaseConnection, state: &str, failures: usize) {
    let sql = format!(
        "DROP SEQUENCE IF EXISTS attempts; CREATE SEQUENCE attempts; \
         CREATE OR REPLACE FUNCTION fail_update() RETURNS trigger AS $$ BEGIN \
         IF nextval('attempts') <= {failures} THEN RAISE EXCEPTION 'lost a race' USING ERRCODE = '{state}'; END IF; \
         RETURN NULL; END $$ LANGUAGE plpgsql; \
         CREATE OR REPLACE TRIGGER fail_update BEFORE UPDATE ON meetings EXECUTE FUNCTION fail_update()"
    );
    database.execute_unprepared(&sql).await.unwrap();
}

/// Returns the number of updates since [`fail_updates`].
async fn attempts(database: &DatabaseConnection) -> i64 {
    let last = Statement::from_string(DbBackend::Postgres, "SELECT last_value FROM attempts");
    database.query_one_raw(last).await.unwrap().expect("a row").try_get("", "last_value").unwrap()
}

/// Lets an announcement and a post fail twice in a row, and then once.
async fn retries_once_after(state: &str) {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings_on(dir.path(), Engine::Production).await;
    let url = settings.iter().find(|(name, _)| name == "KEZDESU_DATABASE_URL").expect("an address").1.clone();
    let log = dir.path().join("log");
    let program = Process::serve_logging(&settings, "warn", &log).await;
    let database = Database::connect(url).await.unwrap();
    let (staff, ana) = (person(&program.host, "staff", &["AKIMAT"]), person(&program.host, "ana", &["CITIZEN"]));
    let live = staff.live_meeting(HOST, HOST, now() + TimeDelta::minutes(1), "AFTER").await;
    let planned = id_of(&staff.plan(HOST, HOST, now() + TimeDelta::days(20), "BEFORE").await);
    let announcement = json!({ "meetingId": planned, "channels": ["PRESS"] });
    let question = json!({ "meetingId": live, "body": "Жол?" });
    for (person, mutation, input) in [(&staff, "announceMeeting", announcement), (&ana, "postComment", question)] {
        fail_updates(&database, state, 2).await;
        let answer = person.try_mutate(mutation, input.clone()).await;
        assert_eq!((error_code(&answer), attempts(&database).await), ("INTERNAL", 2), "{mutation}: {answer}");
        fail_updates(&database, state, 1).await;
        let payload = person.mutate(mutation, input).await;
        assert!(payload["refusal"].is_null(), "{mutation}: the failed command wrote nothing: {payload}");
        assert_eq!(attempts(&database).await, 2, "{mutation}");
    }
    assert_eq!(staff.meeting(&planned).await["phase"], "ANNOUNCED");
    let kept = staff.comments(&live, json!({})).await;
    assert_eq!(kept.iter().map(|comment| comment["receipt"].clone()).collect::<Vec<_>>(), ["Q-0001"]);
    let log = std::fs::read_to_string(&log).unwrap();
    assert_eq!(log.matches("a command lost a race for a lock").count(), 4, "each retry is logged: {log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retries_a_command_once_after_a_serialization_failure() {
    retries_once_after("40001").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retries_a_command_once_after_a_deadlock() {
    retries_once_after("40P01").await;
}

/// A post that waits for SQLite's write lock, which another connection holds.
struct BlockedPost {
    env: TestEnv,
    author: Actor,
    meeting: String,
    holder: DatabaseTransaction,
    /// Statements of an attempt before it waits for the lock.
    reads: u64,
    /// Statements before the post.
    before: u64,
}

impl BlockedPost {
    async fn prepare() -> Self {
        let env = TestEnv::start(Engine::Embedded).await;
        let (staff, author) = (env.akimat(HOST), env.citizen("Ana"));
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let planned = id_of(&staff.plan(HOST, HOST, env.now() + TimeDelta::days(20), "AFTER").await);
        // A post is rejected without the lock if reading suffices.
        let (early, reads) = env.counting(post(&author, &planned)).await;
        assert_eq!(refusal(&early["data"]["postComment"]), "NOT_LIVE");
        let holder = env.hold("UPDATE write_probes SET probes = probes").await;
        let before = env.service(0).app().store.statements();
        Self { env, author, meeting, holder, reads, before }
    }

    /// Returns the number of attempts that have begun.
    fn attempts(&self) -> u64 {
        (self.env.service(0).app().store.statements() - self.before) / self.reads
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retries_a_post_once_while_sqlite_is_busy() {
    let blocked = BlockedPost::prepare().await;
    let posting = tokio::spawn({
        let (author, meeting) = (blocked.author.clone(), blocked.meeting.clone());
        async move { post(&author, &meeting).await }
    });
    until(async || blocked.attempts(), || {}, |attempts| *attempts == 2).await;
    blocked.holder.rollback().await.unwrap();
    let answer = posting.await.unwrap();
    assert_eq!(answer["data"]["postComment"]["comment"]["receipt"], "Q-0001", "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_post_fails_if_sqlite_is_still_busy_at_its_retry() {
    let blocked = BlockedPost::prepare().await;
    let answer = post(&blocked.author, &blocked.meeting).await;
    assert_eq!((error_code(&answer), blocked.attempts()), ("INTERNAL", 2), "{answer}");
    blocked.holder.rollback().await.unwrap();
    let again = post(&blocked.author, &blocked.meeting).await;
    assert_eq!(again["data"]["postComment"]["comment"]["receipt"], "Q-0001", "the failed post wrote nothing: {again}");
}
