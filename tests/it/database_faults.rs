//! Databases that fail or hang: nothing is acknowledged that is not stored, and the service reports not ready.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use chrono::TimeDelta;
use harness::{
    Actor, Engine, HOST, Process, Server, TcpProxy, databases,
    external::{now, person, settings, settings_on},
    id_of, readiness, until,
};
use sea_orm::{ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection, DbBackend, Statement};
use serde_json::{Value, json};

const POST: &str =
    "mutation($input: PostCommentInput!) { postComment(input: $input) { comment { id } refusal { code } } }";

/// Posts once, and returns the id, or the code of the error.
async fn post(author: &Actor, meeting: &str, body: &str) -> Result<String, String> {
    let input = json!({ "meetingId": meeting, "body": body, "idempotencyKey": body });
    let answer = author.send(POST, json!({ "input": input })).await;
    match answer["errors"][0]["extensions"]["code"].as_str() {
        Some(code) => Err(code.to_owned()),
        None => Ok(id_of(&answer["data"]["postComment"]["comment"])),
    }
}

/// Returns the status of `/readyz` and its database and writes checks.
async fn database_checks(program: &Process) -> (u16, Value, Value) {
    let (status, body) = readiness(&program.ops_host).await.expect("the operations listener answers");
    (status, body["checks"]["database"].clone(), body["checks"]["writes"].clone())
}

fn limit_file_size(program: &Process, limit: &str) {
    let mut prlimit = std::process::Command::new("prlimit");
    prlimit.args(["--pid", &program.id().to_string(), &format!("--fsize={limit}:")]);
    assert!(prlimit.status().expect("prlimit runs").success());
}

/// Fails the writes of some posts, recovers, posts more, kills the program, and compares the stored posts with the
/// acknowledged ones.
async fn loses_nothing_after(failures: usize) {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(dir.path(), &[]);
    let program = Process::serve_despite_file_limits(&settings).await;
    let staff = person(&program.host, "staff", &["AKIMAT"]);
    let meeting = staff.live_meeting(HOST, HOST, now() + TimeDelta::minutes(1), "AFTER").await;
    let author = person(&program.host, "author", &["CITIZEN"]);
    let mut acknowledged = BTreeMap::new();
    acknowledged.insert("before".to_owned(), post(&author, &meeting, "before").await.unwrap());
    assert_eq!(database_checks(&program).await, (200, json!(true), json!(true)));

    limit_file_size(&program, "1");
    for n in 0..failures {
        assert_eq!(post(&author, &meeting, &format!("failed {n}")).await, Err("INTERNAL".to_owned()));
    }
    assert_eq!(database_checks(&program).await, (503, json!(true), json!(false)), "readable but not writable");

    limit_file_size(&program, "unlimited");
    until(|| database_checks(&program), || {}, |(status, ..)| *status == 200).await;
    for n in 0..20 {
        let body = format!("after {n}");
        acknowledged.insert(body.clone(), post(&author, &meeting, &body).await.unwrap());
    }
    program.kill().await;

    let again = Process::serve(&settings).await;
    let kept = person(&again.host, "reader", &["CITIZEN"]).comments(&meeting, json!({})).await;
    let kept: BTreeMap<String, String> =
        kept.iter().map(|comment| (comment["body"].as_str().unwrap().to_owned(), id_of(comment))).collect();
    assert_eq!(kept, acknowledged);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_loses_no_acknowledged_post_after_1_failed_write() {
    loses_nothing_after(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_loses_no_acknowledged_post_after_2_failed_writes() {
    loses_nothing_after(2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_loses_no_acknowledged_post_after_3_failed_writes() {
    loses_nothing_after(3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_loses_no_acknowledged_post_after_50_failed_writes() {
    loses_nothing_after(50).await;
}

/// Opens a pool of one connection, so that a transaction stays on it.
async fn connect(url: &str) -> DatabaseConnection {
    Database::connect(ConnectOptions::new(url).max_connections(1).to_owned()).await.unwrap()
}

/// Returns how many connections wait for a lock.
async fn lock_waits(database: &DatabaseConnection) -> usize {
    let sql = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    database.query_all_raw(Statement::from_string(DbBackend::Postgres, sql)).await.unwrap().len()
}

/// Starts a program on a new PostgreSQL database, and connects to it.
async fn on_postgres(dir: &Path) -> (Process, DatabaseConnection, Vec<(String, String)>) {
    let settings = settings_on(dir, Engine::Production).await;
    let url = settings.iter().find(|(name, _)| name == "KEZDESU_DATABASE_URL").expect("an address").1.clone();
    (Process::serve(&settings).await, connect(&url).await, settings)
}

/// Makes later connections of the program read-only, like those to a standby, or writable again.
async fn set_read_only(database: &DatabaseConnection, read_only: bool) {
    let setting = if read_only { "on" } else { "off" };
    let alter = format!(
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = {setting}', current_database()); END $$"
    );
    // This connection must stay writable.
    database.execute_unprepared("SET default_transaction_read_only = off").await.unwrap();
    database.execute_unprepared(&alter).await.unwrap();
    let others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    database.execute_unprepared(others).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_only_database_is_not_ready_and_stops_startup() {
    let dir = tempfile::tempdir().unwrap();
    let (program, database, settings) = on_postgres(dir.path()).await;
    let staff = person(&program.host, "staff", &["AKIMAT"]);
    let meeting = staff.live_meeting(HOST, HOST, now() + TimeDelta::minutes(1), "AFTER").await;
    let author = person(&program.host, "author", &["CITIZEN"]);
    set_read_only(&database, true).await;
    until(|| database_checks(&program), || {}, |said| *said == (503, json!(true), json!(false))).await;
    for n in 0..3 {
        assert_eq!(post(&author, &meeting, &format!("failed {n}")).await, Err("INTERNAL".to_owned()));
    }
    assert!(staff.comments(&meeting, json!({})).await.is_empty(), "reads still work");

    let mut serve = tokio::process::Command::new(Process::program());
    serve.arg("serve").env_clear().envs(settings.iter().cloned()).env("KEZDESU_LOG", "error");
    serve.env("KEZDESU_LISTEN", "127.0.0.1:0").env("KEZDESU_OPS_LISTEN", "127.0.0.1:0");
    let output = tokio::time::timeout(harness::TIMEOUT, serve.output()).await.expect("it exits in time").unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    let line = "kezdesu: KEZDESU_DATABASE_URL: the database cannot be written: ";
    assert!(said.starts_with(line) && said.lines().count() == 1, "{said}");

    set_read_only(&database, false).await;
    until(|| database_checks(&program), || {}, |(status, ..)| *status == 200).await;
    let acknowledged = post(&author, &meeting, "after").await.unwrap();
    let kept = staff.comments(&meeting, json!({})).await;
    assert_eq!(kept.iter().map(id_of).collect::<Vec<_>>(), [acknowledged]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_postgresql_disk_loses_only_unacknowledged_posts() {
    let dir = tempfile::tempdir().unwrap();
    let (program, database, _) = on_postgres(dir.path()).await;
    let staff = person(&program.host, "staff", &["AKIMAT"]);
    let meeting = staff.live_meeting(HOST, HOST, now() + TimeDelta::minutes(1), "AFTER").await;
    let author = person(&program.host, "author", &["CITIZEN"]);
    for failures in [1, 2, 3, 50] {
        // The error that PostgreSQL reports when a table cannot grow.
        let full = "CREATE OR REPLACE FUNCTION full_disk() RETURNS trigger AS $$ BEGIN \
                    RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$ LANGUAGE plpgsql; \
                    CREATE TRIGGER full_disk BEFORE INSERT ON comments EXECUTE FUNCTION full_disk()";
        database.execute_unprepared(full).await.unwrap();
        for n in 0..failures {
            assert_eq!(post(&author, &meeting, &format!("failed {failures} {n}")).await, Err("INTERNAL".to_owned()));
        }
        database.execute_unprepared("DROP TRIGGER full_disk ON comments").await.unwrap();
        post(&author, &meeting, &format!("after {failures}")).await.unwrap();
    }
    let kept = staff.comments(&meeting, json!({})).await;
    let bodies: Vec<_> = kept.iter().map(|comment| comment["body"].as_str().unwrap()).collect();
    assert_eq!(bodies, ["after 1", "after 2", "after 3", "after 50"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_by_key_settles_a_connection_lost_during_commit() {
    let databases = databases().await;
    let direct = databases.fresh().await;
    let (wire, through) = TcpProxy::in_front_of(&direct).await;
    let dir = tempfile::tempdir().unwrap();
    let more = [("KEZDESU_DATABASE_URL", through), ("KEZDESU_REDIS_URL", databases.redis())];
    let program = Process::serve(&settings(dir.path(), &more)).await;
    let staff = person(&program.host, "staff", &["AKIMAT"]);
    let meeting = staff.live_meeting(HOST, HOST, now() + TimeDelta::minutes(1), "AFTER").await;
    let author = person(&program.host, "author", &["CITIZEN"]);
    let database = connect(&direct).await;
    // A trigger deferred to the commit waits for a lock that the test holds.
    let held = "CREATE FUNCTION wait_in_commit() RETURNS trigger AS $$ BEGIN PERFORM pg_advisory_xact_lock_shared(7); RETURN NULL; END $$ \
                LANGUAGE plpgsql; CREATE CONSTRAINT TRIGGER wait_in_commit AFTER INSERT ON comments DEFERRABLE INITIALLY DEFERRED \
                FOR EACH ROW EXECUTE FUNCTION wait_in_commit()";
    database.execute_unprepared(held).await.unwrap();
    let keeper = connect(&direct).await;
    keeper.execute_unprepared("SELECT pg_advisory_lock(7)").await.unwrap();
    let posting = tokio::spawn({
        let (author, meeting) = (author.clone(), meeting.clone());
        async move { post(&author, &meeting, "cut").await }
    });
    let waiting = || async {
        let waits = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'";
        let rows = Statement::from_string(DbBackend::Postgres, waits);
        database.query_all_raw(rows).await.unwrap().len()
    };
    until(waiting, || {}, |count| *count == 1).await;
    wire.disconnect_all();
    assert_eq!(posting.await.unwrap(), Err("INTERNAL".to_owned()), "the outcome is unknown");
    // On the pool's only connection, which holds the lock.
    keeper.execute_unprepared("SELECT pg_advisory_unlock_all()").await.unwrap();
    keeper.close().await.unwrap();
    let settled = post(&author, &meeting, "cut").await.unwrap();
    let kept = staff.comments(&meeting, json!({})).await;
    assert_eq!(kept.iter().map(id_of).collect::<Vec<_>>(), [settled], "stored exactly once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hanging_reads_do_not_delay_posts_or_subscribers() {
    let dir = tempfile::tempdir().unwrap();
    let mut settings = settings_on(dir.path(), Engine::Production).await;
    settings.push(("KEZDESU_DATABASE_CONNECTIONS".to_owned(), "6".to_owned()));
    let url = settings.iter().find(|(name, _)| name == "KEZDESU_DATABASE_URL").expect("an address").1.clone();
    let program = Process::serve(&settings).await;
    let (keeper, watcher) = (connect(&url).await, connect(&url).await);
    let staff = person(&program.host, "staff", &["AKIMAT"]);
    let meeting = staff.live_meeting(HOST, HOST, now() + TimeDelta::minutes(1), "AFTER").await;
    let mut live = person(&program.host, "bek", &["CITIZEN"]).follow_comments(&meeting, None, "PUBLIC").await;
    let author = person(&program.host, "ana", &["CITIZEN"]);
    keeper.execute_unprepared("BEGIN; LOCK TABLE stage_segments IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let ended = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..20)
        .map(|_| {
            let (anonymous, id) = (harness::external::anonymous(&program.host), meeting.clone());
            let query = "query($id: ID!) { meeting(id: $id) { timeSplit { stage } } }";
            let ended = Arc::clone(&ended);
            tokio::spawn(async move {
                while !ended.load(Ordering::Relaxed) {
                    anonymous.send(query, json!({ "id": id })).await;
                }
            })
        })
        .collect();
    until(|| lock_waits(&watcher), || {}, |count| *count == 3).await;
    for n in 0..10 {
        let body = format!("question {n}");
        post(&author, &meeting, &body).await.unwrap();
        assert_eq!(live.next().await["comment"]["body"], json!(body));
    }
    // Each waits until its timeout, and then another takes its place.
    until(|| lock_waits(&watcher), || {}, |count| *count == 3).await;
    ended.store(true, Ordering::Relaxed);
    keeper.execute_unprepared("ROLLBACK").await.unwrap();
    for reader in readers {
        reader.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shutdown_ends_in_time_while_the_database_hangs() {
    let (dir, postgres, redis) = (tempfile::tempdir().unwrap(), Server::postgres(), Server::redis());
    let more = [("KEZDESU_DATABASE_URL", postgres.postgres_url()), ("KEZDESU_REDIS_URL", redis.redis_url())];
    let program = Process::serve(&settings(dir.path(), &more)).await;
    let staff = person(&program.host, "staff", &["AKIMAT"]);
    let meeting = staff.live_meeting(HOST, HOST, now() + TimeDelta::minutes(1), "AFTER").await;
    let author = person(&program.host, "author", &["CITIZEN"]);
    let database = connect(&postgres.postgres_url()).await;
    database.execute_unprepared("BEGIN; LOCK TABLE comments IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let posting =
        tokio::spawn(
            async move { author.try_send(POST, json!({ "input": { "meetingId": meeting, "body": "?" } })).await },
        );
    until(|| lock_waits(&database), || {}, |count| *count > 0).await;
    postgres.signal_all("STOP");
    assert_eq!(database_checks(&program).await.0, 503);
    let ended = program.terminate().await;
    postgres.signal_all("CONT");
    assert!(ended);
    assert!(posting.await.unwrap().is_err(), "the running request was aborted");
}

#[tokio::test]
async fn a_read_only_sqlite_file_stops_startup_with_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(dir.path(), &[]);
    Process::serve(&settings).await.terminate().await;
    let file = dir.path().join("kezdesu.db");
    let mut serve = tokio::process::Command::new(Process::program());
    serve.arg("serve").env_clear().envs(settings).env("KEZDESU_LOG", "error");
    serve.env("KEZDESU_DATABASE_URL", format!("sqlite://{}?mode=ro", file.display()));
    serve.env("KEZDESU_LISTEN", "127.0.0.1:0").env("KEZDESU_OPS_LISTEN", "127.0.0.1:0");
    let output = tokio::time::timeout(harness::TIMEOUT, serve.output()).await.expect("it exits in time").unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.starts_with("kezdesu: KEZDESU_DATABASE_URL: ") && said.lines().count() == 1, "{said}");
}

#[tokio::test]
async fn sqlite_files_are_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let mut settings = settings(dir.path(), &[]);
    settings.retain(|(name, _)| name != "KEZDESU_DATA_DIR");
    settings.push(("KEZDESU_DATA_DIR".to_owned(), data.display().to_string()));
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for round in ["new", "left open to others"] {
        let program = Process::serve(&settings).await;
        let staff = person(&program.host, "staff", &["AKIMAT"]);
        staff.plan(HOST, HOST, now() + TimeDelta::days(20), "BEFORE").await;
        assert_eq!(mode(&data), 0o700, "{round}");
        for file in ["kezdesu.db", "kezdesu.db-wal", "kezdesu.db-shm"] {
            assert_eq!(mode(&data.join(file)), 0o600, "{file}, {round}");
        }
        program.kill().await;
        for path in ["", "kezdesu.db", "kezdesu.db-wal"] {
            std::fs::set_permissions(data.join(path), std::fs::Permissions::from_mode(0o755)).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_of_the_running_service_is_complete_and_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(dir.path(), &[]);
    let program = Process::serve(&settings).await;
    let staff = person(&program.host, "staff", &["AKIMAT"]);
    let meeting = staff.live_meeting(HOST, HOST, now() + TimeDelta::minutes(1), "AFTER").await;
    let author = person(&program.host, "author", &["CITIZEN"]);
    let acknowledged = post(&author, &meeting, "before").await.unwrap();
    let copy = dir.path().join("copy.db");
    let back_up = || {
        let mut command = std::process::Command::new(Process::program());
        command.arg("backup").arg(&copy).env_clear().envs(settings.iter().cloned()).output().unwrap()
    };
    let made = back_up();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    assert_eq!(std::fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    let again = back_up();
    let said = String::from_utf8(again.stderr).unwrap();
    assert_eq!((again.status.code(), said.starts_with("kezdesu: the file cannot be made")), (Some(2), true), "{said}");
    post(&author, &meeting, "after").await.unwrap();
    program.kill().await;

    for file in ["kezdesu.db", "kezdesu.db-wal", "kezdesu.db-shm"] {
        std::fs::remove_file(dir.path().join(file)).unwrap();
    }
    std::fs::rename(&copy, dir.path().join("kezdesu.db")).unwrap();
    let restored = Process::serve(&settings).await;
    let kept = person(&restored.host, "reader", &["CITIZEN"]).comments(&meeting, json!({})).await;
    assert_eq!(kept.iter().map(id_of).collect::<Vec<_>>(), [acknowledged]);
}
