//! The program is killed while people post, or after their posts have failed: nothing acknowledged is lost or
//! duplicated.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use chrono::TimeDelta;
use harness::{
    Actor, Engine, HOST, Process, TcpProxy, databases,
    external::{now, person, settings, settings_on},
    id_of, readiness, until,
};
use sea_orm::{ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection, DbBackend, Statement};
use serde_json::{Value, json};

const ROUNDS: usize = 20;

const POST: &str =
    "mutation($input: PostCommentInput!) { postComment(input: $input) { comment { id } refusal { code } } }";

async fn rounds(engine: Engine, writers: usize, least: u32) {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings_on(dir.path(), engine).await;
    let mut program = Process::serve(&settings).await;
    let staff = person(&program.host, "staff", &["AKIMAT"]);
    let meeting = staff.live_meeting(HOST, HOST, now() + TimeDelta::minutes(1), "AFTER").await;
    // Acknowledged posts by body.
    let mut acknowledged: BTreeMap<String, Value> = BTreeMap::new();
    for round in 0..ROUNDS {
        let host = program.host.clone();
        let first = Arc::new(tokio::sync::Semaphore::new(0));
        let writing: Vec<_> = (0..writers)
            .map(|writer| {
                let (author, meeting) = (person(&host, &format!("writer-{writer}"), &["CITIZEN"]), meeting.clone());
                let first = Arc::clone(&first);
                tokio::spawn(async move { write_until_cut(&author, &meeting, round, writer, &first).await })
            })
            .collect();
        // The kill comes in the middle of posting, a little later each round.
        let posts = least + u32::try_from(round).unwrap();
        first.acquire_many(posts).await.unwrap().forget();
        program.kill().await;
        let mut unsure = Vec::new();
        for writer in writing {
            let (done, open) = writer.await.unwrap();
            acknowledged.extend(done);
            unsure.extend(open);
        }
        program = Process::serve(&settings).await;
        for (writer, body) in unsure {
            // Retried with the same key: it exists once, whether or not the first attempt was stored.
            let author = person(&program.host, &format!("writer-{writer}"), &["CITIZEN"]);
            let comment = post(&author, &meeting, &body).await.expect("the service is running again");
            acknowledged.insert(body, comment);
        }
    }
    let anonymous = person(&program.host, "reader", &["CITIZEN"]);
    let kept = anonymous.comments(&meeting, json!({})).await;
    let listed: BTreeMap<String, String> =
        kept.iter().map(|comment| (comment["body"].as_str().unwrap().to_owned(), id_of(comment))).collect();
    assert_eq!(listed.len(), kept.len(), "nothing is duplicated");
    assert!(acknowledged.len() >= ROUNDS * usize::try_from(least).unwrap(), "every round acknowledged posts");
    for (body, comment) in &acknowledged {
        assert_eq!(listed.get(body), Some(&id_of(comment)), "{body} was acknowledged");
    }
    let mut receipts: Vec<i64> =
        kept.iter().map(|comment| comment["receipt"].as_str().unwrap()[2..].parse().unwrap()).collect();
    receipts.sort_unstable();
    assert_eq!(receipts, (1..=i64::try_from(kept.len()).unwrap()).collect::<Vec<_>>(), "receipts are gapless");
    assert_eq!(anonymous.meeting(&meeting).await["commentsHead"], kept.len(), "positions are gapless");
    assert!(program.terminate().await, "the program exits successfully on SIGTERM");
}

type Written = (Vec<(String, Value)>, Option<(usize, String)>);

async fn write_until_cut(
    author: &Actor,
    meeting: &str,
    round: usize,
    writer: usize,
    first: &tokio::sync::Semaphore,
) -> Written {
    let mut done = Vec::new();
    for n in 0.. {
        let body = format!("{round}.{writer}.{n}");
        match post(author, meeting, &body).await {
            Some(comment) => done.push((body, comment)),
            None => return (done, Some((writer, body))),
        }
        first.add_permits(1);
    }
    (done, None)
}

/// Posts with its body as the key, or returns `None` if there is no response.
async fn post(author: &Actor, meeting: &str, body: &str) -> Option<Value> {
    let input = json!({ "meetingId": meeting, "body": body, "idempotencyKey": body });
    let answer = author.try_send(POST, json!({ "input": input })).await.ok()?;
    let comment = answer["data"]["postComment"]["comment"].clone();
    assert!(comment.is_object(), "{answer}");
    Some(comment)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_kills_lose_and_duplicate_nothing_embedded() {
    rounds(Engine::Embedded, 4, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_kills_lose_and_duplicate_nothing_production() {
    rounds(Engine::Production, 4, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make test-faults"]
async fn ten_thousand_posts_under_kills_embedded() {
    rounds(Engine::Embedded, 32, 500).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make test-faults"]
async fn ten_thousand_posts_under_kills_production() {
    rounds(Engine::Production, 32, 500).await;
}

/// A PostgreSQL database whose writes a test can let fail. The program reaches it through a proxy.
struct FaultyPostgres {
    wire: TcpProxy,
    database: DatabaseConnection,
}

impl FaultyPostgres {
    /// Creates the database, and settings of a program that uses it.
    async fn create(dir: &Path) -> (Self, Vec<(String, String)>) {
        let databases = databases().await;
        let direct = databases.fresh().await;
        let (wire, through) = TcpProxy::in_front_of(&direct).await;
        let settings = settings(dir, &[("KEZDESU_DATABASE_URL", through), ("KEZDESU_REDIS_URL", databases.redis())]);
        // One connection, so that it keeps its locks.
        let options = ConnectOptions::new(direct).max_connections(1).to_owned();
        let faulty = Self { wire, database: Database::connect(options).await.unwrap() };
        // The error that PostgreSQL reports when a table cannot grow, and a commit that waits for a lock.
        let functions = "CREATE FUNCTION full_disk() RETURNS trigger AS $$ BEGIN \
                         RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$ LANGUAGE plpgsql; \
                         CREATE FUNCTION wait_in_commit() RETURNS trigger AS $$ BEGIN PERFORM pg_advisory_xact_lock_shared(7); RETURN NULL; END $$ \
                         LANGUAGE plpgsql; CREATE CONSTRAINT TRIGGER wait_in_commit AFTER INSERT ON comments DEFERRABLE INITIALLY DEFERRED \
                         FOR EACH ROW EXECUTE FUNCTION wait_in_commit()";
        faulty.sql(functions).await;
        (faulty, settings)
    }

    async fn sql(&self, text: &str) {
        self.database.execute_unprepared(text).await.unwrap();
    }

    /// Posts on a full disk.
    async fn post_on_a_full_disk(&self, author: &Actor, meeting: &str, body: &str) {
        self.sql("CREATE TRIGGER full_disk BEFORE INSERT ON comments EXECUTE FUNCTION full_disk()").await;
        fail_to_post(author, meeting, body).await;
        self.sql("DROP TRIGGER full_disk ON comments").await;
    }

    /// Posts, and cuts all connections of the program during the COMMIT, so that the outcome is unknown.
    async fn post_and_cut(&self, author: &Actor, meeting: &str, body: &str) {
        self.sql("SELECT pg_advisory_lock(7)").await;
        let waiting = async || {
            let waits = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'";
            let waits = Statement::from_string(DbBackend::Postgres, waits);
            self.database.query_all_raw(waits).await.unwrap().len()
        };
        let cut = async {
            until(waiting, || {}, |count| *count == 1).await;
            self.wire.disconnect_all();
        };
        tokio::join!(fail_to_post(author, meeting, body), cut);
        self.sql("SELECT pg_advisory_unlock(7)").await;
    }
}

async fn fail_to_post(author: &Actor, meeting: &str, body: &str) {
    let input = json!({ "meetingId": meeting, "body": body, "idempotencyKey": body });
    assert_eq!(author.error(POST, json!({ "input": input })).await, "INTERNAL", "{body}");
}

/// Lets posts fail in both ways, recovers, posts more, kills the program, and compares the stored posts with the
/// acknowledged ones.
async fn postgres_loses_nothing_after(failures: usize) {
    let dir = tempfile::tempdir().unwrap();
    let (faulty, settings) = FaultyPostgres::create(dir.path()).await;
    let program = Process::serve(&settings).await;
    let staff = person(&program.host, "staff", &["AKIMAT"]);
    let meeting = staff.live_meeting(HOST, HOST, now() + TimeDelta::minutes(1), "AFTER").await;
    let author = person(&program.host, "author", &["CITIZEN"]);
    let mut acknowledged = BTreeMap::new();
    acknowledged.insert("before".to_owned(), id_of(&post(&author, &meeting, "before").await.unwrap()));
    let mut unknown = BTreeSet::new();
    for n in 0..failures {
        faulty.post_on_a_full_disk(&author, &meeting, &format!("rejected {n}")).await;
        let body = format!("cut {n}");
        faulty.post_and_cut(&author, &meeting, &body).await;
        unknown.insert(body);
    }
    until(|| readiness(&program.ops_host), || {}, |said| said.as_ref().is_some_and(|(status, _)| *status == 200)).await;
    for n in 0..20 {
        let body = format!("after {n}");
        acknowledged.insert(body.clone(), id_of(&post(&author, &meeting, &body).await.unwrap()));
    }
    program.kill().await;

    let again = Process::serve(&settings).await;
    let listed = person(&again.host, "reader", &["CITIZEN"]).comments(&meeting, json!({})).await;
    let mut kept: BTreeMap<String, String> =
        listed.iter().map(|comment| (comment["body"].as_str().unwrap().to_owned(), id_of(comment))).collect();
    assert_eq!(kept.len(), listed.len(), "nothing is duplicated");
    kept.retain(|body, _| !unknown.contains(body));
    assert_eq!(kept, acknowledged);
    // A retry by key settles a post whose outcome was unknown.
    let author = person(&again.host, "author", &["CITIZEN"]);
    for body in &unknown {
        acknowledged.insert(body.clone(), id_of(&post(&author, &meeting, body).await.unwrap()));
    }
    assert_eq!(author.meeting(&meeting).await["commentsHead"], acknowledged.len(), "each is stored exactly once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_loses_no_acknowledged_post_after_1_failed_write() {
    postgres_loses_nothing_after(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_loses_no_acknowledged_post_after_2_failed_writes() {
    postgres_loses_nothing_after(2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_loses_no_acknowledged_post_after_3_failed_writes() {
    postgres_loses_nothing_after(3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_loses_no_acknowledged_post_after_50_failed_writes() {
    postgres_loses_nothing_after(50).await;
}
