//! The audit log: chains of hashes under concurrent writers, their verification, and who may read them.

use std::{
    collections::BTreeMap,
    process::{Command, Output},
    sync::Arc,
};

use chrono::TimeDelta;
use harness::{Actor, DATA_KEYS, HOST, Process, TestEnv, error_code, on_both_engines};
use kezdesu::{
    app::{App, audit::verify},
    domain::{
        audit::{AuditActor, NewAuditEntry},
        audit_chain::ChainFault,
        notification::PersonKey,
    },
};
use serde_json::{Value, json};

/// Hosts of other districts.
const OTHERS: [&str; 3] = ["103230000", "113200000", "751310000"];
const LIST: &str = "query($filter: AuditFilter!, $first: Int, $after: String) {
    auditLog(filter: $filter, first: $first, after: $after) {
        totalCount pageInfo { hasNextPage endCursor } nodes { seq at actor action subject detail hash }
    }
}";

fn app(env: &TestEnv) -> &Arc<App> {
    env.service(0).app()
}

fn entry(app: &App, action: &'static str, subject: &str) -> NewAuditEntry {
    let now = app.clock.now();
    NewAuditEntry {
        id: app.ids.next(now),
        at: now,
        actor: AuditActor::Staff(PersonKey::of("staff").0),
        action,
        subject: subject.to_owned(),
        detail: Some("a reason".to_owned()),
    }
}

async fn append(app: &App, shard: &str, subjects: &[&str]) {
    let entries: Vec<_> = subjects.iter().map(|subject| entry(app, "applicant.read", subject)).collect();
    let tx = app.store.begin().await.unwrap();
    tx.append_audit(shard, &entries).await.unwrap();
    tx.commit().await.unwrap();
}

/// Appends entries at different times: ten each of two hosts, in turn.
async fn fill(env: &TestEnv) {
    for n in 0..10 {
        env.advance(TimeDelta::seconds(1));
        append(app(env), HOST, &[&format!("reg_{n}")]).await;
        append(app(env), OTHERS[0], &[&format!("reg_{n}")]).await;
    }
}

fn program(env: &TestEnv) -> Output {
    let mut command = Command::new(Process::program());
    command.args(["audit", "verify"]).env_clear().env("KEZDESU_LOG", "error").envs([
        ("KEZDESU_DATABASE_URL", env.database_url()),
        ("KEZDESU_JWKS", "unused"),
        ("KEZDESU_JWT_ISSUER", "unused"),
        ("KEZDESU_JWT_AUDIENCE", "unused"),
        ("KEZDESU_DATA_KEYS", DATA_KEYS),
    ]);
    command.env("KEZDESU_DATA_DIR", std::env::temp_dir().join("kezdesu-unused")).output().expect("the program runs")
}

async fn list(actor: &Actor, filter: Value) -> Vec<String> {
    let found = actor.query(LIST, json!({ "filter": filter, "first": 100 })).await["auditLog"].clone();
    let nodes = found["nodes"].as_array().unwrap();
    assert_eq!(found["totalCount"], nodes.len());
    nodes.iter().map(|node| node["subject"].as_str().unwrap().to_owned()).collect()
}

on_both_engines! {
    async fn concurrent_writers_leave_whole_chains(env) {
        let (first, second) = (Arc::clone(app(&env)), { let mut env = env; env.replica().await; env });
        let apps = [first, Arc::clone(second.service(1).app())];
        let writers = (0..24_usize).map(|n| {
            let app = Arc::clone(&apps[n % 2]);
            tokio::spawn(async move {
                for _ in 0..5 {
                    let shards = [OTHERS[n % 3], OTHERS[(n + 1) % 3]];
                    let entries = shards.map(|shard| (shard.to_owned(), vec![entry(&app, "applicant.read", "reg_1"); 2]));
                    // Ids are unique.
                    let entries = entries.map(|(shard, mut entries)| {
                        entries.iter_mut().for_each(|entry| entry.id = app.ids.next(app.clock.now()));
                        (shard, entries)
                    });
                    let tx = app.store.begin().await.unwrap();
                    tx.append_audit_to_each(BTreeMap::from(entries)).await.unwrap();
                    tx.commit().await.unwrap();
                }
            })
        });
        for writer in writers.collect::<Vec<_>>() {
            writer.await.unwrap();
        }
        assert_eq!(verify(&apps[0].store).await.unwrap(), Ok(24 * 5 * 4 + 3));
    }

    async fn the_statements_do_not_grow_with_the_entries(env) {
        let app = app(&env);
        append(app, HOST, &["reg_1"]).await;
        let ((), one) = env.counting(append(app, HOST, &["reg_2"])).await;
        let ((), many) = env.counting(append(app, HOST, &["reg_3"; 100])).await;
        assert!(one <= 8 && many <= one + 2, "{one} and {many}");
        let ((), none) = env.counting(append(app, HOST, &[])).await;
        assert!(none <= 3, "{none}");
    }

    async fn a_rolled_back_entry_leaves_no_gap(env) {
        let app = app(&env);
        let tx = app.store.begin().await.unwrap();
        tx.append_audit(HOST, &[entry(app, "applicant.read", "reg_1")]).await.unwrap();
        drop(tx);
        append(app, HOST, &["reg_2", "reg_3"]).await;
        assert_eq!(verify(&app.store).await.unwrap(), Ok(3));
    }

    async fn verification_ignores_what_is_appended_meanwhile(env) {
        let app = Arc::clone(app(&env));
        fill(&env).await;
        let writer = {
            let app = Arc::clone(&app);
            tokio::spawn(async move {
                for _ in 0..50 {
                    append(&app, HOST, &["reg_1"]).await;
                }
            })
        };
        while !writer.is_finished() {
            assert!(verify(&app.store).await.unwrap().is_ok());
        }
        writer.await.unwrap();
    }

    async fn verification_finds_every_kind_of_damage(env) {
        fill(&env).await;
        let store = &app(&env).store;
        assert_eq!(verify(store).await.unwrap(), Ok(22));
        env.sql("CREATE TABLE log_copy AS SELECT * FROM audit_log; CREATE TABLE heads_copy AS SELECT * FROM audit_heads").await;
        let row = format!("WHERE shard = '{HOST}' AND seq = 5");
        let time = match env.engine {
            harness::Engine::Embedded => "replace(at, '04:00:0', '04:00:1')",
            harness::Engine::Production => "at + interval '1 microsecond'",
        };
        let free = match env.engine {
            harness::Engine::Embedded => "randomblob(16)",
            harness::Engine::Production => "gen_random_uuid()",
        };
        let insert = format!(
            "INSERT INTO audit_log SELECT shard, 11, {free}, at, actor, action, subject, detail, previous_hash, hash FROM audit_log {row}"
        );
        let swap = format!(
            "UPDATE audit_log SET seq = 100 {row};
             UPDATE audit_log SET seq = 5 WHERE shard = '{HOST}' AND seq = 6;
             UPDATE audit_log SET seq = 6 WHERE shard = '{HOST}' AND seq = 100"
        );
        let columns = [
            ("id", free), ("at", time), ("actor", "'service'"), ("action", "'x'"), ("subject", "'x'"), ("detail", "NULL"),
            ("previous_hash", "hash"), ("hash", "previous_hash"), ("seq", "50"), ("shard", "'751110001'"),
        ];
        let changes = columns.map(|(column, value)| format!("UPDATE audit_log SET {column} = {value} {row}"));
        let whole = format!("DELETE FROM audit_log WHERE shard = '{HOST}'; DELETE FROM audit_heads WHERE shard = '{HOST}'");
        let damages = changes.into_iter().chain([
            format!("DELETE FROM audit_log {row}"),
            format!("DELETE FROM audit_log WHERE shard = '{HOST}' AND seq = 1"),
            format!("DELETE FROM audit_log WHERE shard = '{HOST}' AND seq = 10"),
            format!("DELETE FROM audit_log WHERE shard = '{HOST}'"),
            format!("DELETE FROM audit_heads WHERE shard = '{HOST}'"),
            format!("UPDATE audit_heads SET seq = 9 WHERE shard = '{HOST}'"),
            "DELETE FROM audit_log WHERE shard = ''; DELETE FROM audit_heads WHERE shard = ''".to_owned(),
            whole,
            insert,
            swap,
        ]);
        for damage in damages {
            env.sql(&damage).await;
            assert!(verify(store).await.unwrap().is_err(), "{damage}");
            env.sql("DELETE FROM audit_log; DELETE FROM audit_heads;
                     INSERT INTO audit_log SELECT * FROM log_copy; INSERT INTO audit_heads SELECT * FROM heads_copy").await;
            assert_eq!(verify(store).await.unwrap(), Ok(22), "{damage}");
        }
    }

    async fn the_command_names_the_first_bad_row(env) {
        fill(&env).await;
        let fine = program(&env);
        assert_eq!((fine.status.code(), String::from_utf8_lossy(&fine.stdout).as_ref()), (Some(0), "ok: 22 rows\n"));
        env.sql(&format!("UPDATE audit_log SET detail = 'another' WHERE shard = '{HOST}' AND seq >= 7")).await;
        let bad = program(&env);
        let broken = verify(&app(&env).store).await.unwrap().unwrap_err();
        assert_eq!((broken.shard.as_str(), broken.seq, broken.fault), (HOST, 7, ChainFault::Changed));
        let line = String::from_utf8(bad.stdout).unwrap();
        assert_eq!((bad.status.code(), bad.stderr.len()), (Some(1), 0), "{line}");
        let id = broken.id.unwrap().to_string();
        for part in [HOST, "seq 7", &id, &broken.hash] {
            assert!(line.contains(part), "{line}");
        }
        env.sql(&format!("DELETE FROM audit_log WHERE shard = '{HOST}' AND seq >= 7")).await;
        let missing = program(&env);
        let line = String::from_utf8(missing.stdout).unwrap();
        assert!(missing.status.code() == Some(1) && line.contains("seq 10 id none"), "{line}");
    }

    async fn viewers_see_the_entries_of_their_scope(env) {
        append(app(&env), HOST, &["reg_1", "reg_2"]).await;
        append(app(&env), OTHERS[0], &["reg_3"]).await;
        append(app(&env), OTHERS[2], &["reg_4"]).await;
        let all = async |actor: &Actor| {
            let mut subjects = list(actor, json!({})).await;
            subjects.retain(|subject| subject.starts_with("reg_"));
            subjects.sort();
            subjects
        };
        for actor in [env.person("Admin", &["ADMIN"], None), env.person("Oversight", &["ADMINISTRATION"], None)] {
            assert_eq!(all(&actor).await, ["reg_1", "reg_2", "reg_3", "reg_4"]);
        }
        assert_eq!(all(&env.akimat(HOST)).await, ["reg_1", "reg_2"]);
        assert_eq!(all(&env.moderator("750000000")).await, ["reg_1", "reg_2", "reg_4"]);
        assert_eq!(all(&env.akimat("100000000")).await, ["reg_3"]);
        assert!(all(&env.akimat("710000000")).await.is_empty());
        let denied = async |actor: &Actor| error_code(&actor.send(LIST, json!({ "filter": {} })).await).to_owned();
        assert_eq!(denied(&env.anonymous()).await, "UNAUTHENTICATED");
        for actor in [env.citizen("Ana"), env.connector(HOST), env.person("Agency", &["AGENCY"], Some(HOST))] {
            assert_eq!(denied(&actor).await, "FORBIDDEN");
        }
        assert_eq!(denied(&env.person("Staff", &["AKIMAT"], None)).await, "FORBIDDEN");
    }

    async fn filters_select_and_pages_follow_each_other(env) {
        fill(&env).await;
        env.advance(TimeDelta::seconds(1));
        let tx = app(&env).store.begin().await.unwrap();
        tx.append_audit(HOST, &[entry(app(&env), "applicant.erased", "reg_3")]).await.unwrap();
        tx.commit().await.unwrap();
        let admin = env.person("Admin", &["ADMIN"], None);
        let here = json!({ "region": HOST, "actions": ["applicant.read"] });
        let newest: Vec<String> = (0..10).rev().map(|n| format!("reg_{n}")).collect();
        assert_eq!(list(&admin, here.clone()).await, newest);
        assert_eq!(list(&admin, json!({ "subject": "reg_3" })).await.len(), 3);
        assert_eq!(list(&admin, json!({ "subject": "reg_3", "region": "750000000" })).await.len(), 2);
        assert_eq!(list(&admin, json!({ "actions": ["applicant.erased", "x"] })).await, ["reg_3"]);
        assert_eq!(list(&admin, json!({ "region": "710000000" })).await.len(), 0);
        let time = |seconds: i64| (env.now() - TimeDelta::seconds(seconds)).to_rfc3339();
        let between = json!({ "region": HOST, "from": time(3), "to": time(1) });
        assert_eq!(list(&admin, between).await, ["reg_8", "reg_7"]);

        let (mut paged, mut after) = (Vec::new(), Value::Null);
        loop {
            let page = admin.query(LIST, json!({ "filter": here, "first": 3, "after": after })).await["auditLog"].clone();
            let nodes = page["nodes"].as_array().unwrap();
            paged.extend(nodes.iter().map(|node| node["subject"].as_str().unwrap().to_owned()));
            after = page["pageInfo"]["endCursor"].clone();
            if page["pageInfo"]["hasNextPage"] == false {
                break;
            }
        }
        assert_eq!(paged, newest);
        for bad in [json!({ "subject": "reg 1" }), json!({ "actions": ["a\u{0}"] }), json!({ "actions": ["a", "b\n"] })] {
            assert_eq!(error_code(&admin.send(LIST, json!({ "filter": bad })).await), "BAD_USER_INPUT");
        }
    }

    async fn an_entry_shows_its_place_and_hash(env) {
        append(app(&env), HOST, &["reg_1", "reg_2"]).await;
        let found = env.akimat(HOST).query(LIST, json!({ "filter": {} })).await["auditLog"]["nodes"].clone();
        assert_eq!((&found[0]["seq"], &found[1]["seq"]), (&json!(2), &json!(1)));
        let actor = format!("staff:{}", PersonKey::of("staff").0);
        assert_eq!((&found[0]["actor"], &found[0]["detail"]), (&json!(actor), &json!("a reason")));
        assert_eq!(found[0]["hash"].as_str().unwrap().len(), 64);
    }
}
