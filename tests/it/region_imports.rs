//! Propagation of an imported classifier to the other replicas.

use chrono::TimeDelta;
use harness::{Actor, Engine, HOST, TestEnv, on_both_engines, until};
use kezdesu::app::regions::ImportOptions;
use serde_json::json;

const EDITION: &str = "te,ab,cd,ef,hij,k,name_kaz,name_rus,nn\n100000000,10,00,00,000,0,Абай облысы,Абайская область,1\n\
                       109800000,10,98,00,000,1,Жаңа ауданы,Новый район,2\n";

/// Imports an edition from a day on, in place of everything before.
async fn import(env: &TestEnv, edition: &str, dated: &str) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("kato.csv");
    std::fs::write(&file, edition).unwrap();
    let dated = Some(dated.parse().unwrap());
    let options = ImportOptions { dated, allow_ending: 1_000_000, ..ImportOptions::default() };
    env.service(0).app().import_regions(&file, options).await.unwrap();
}

on_both_engines! {
    async fn a_saved_akimat_ends_with_its_unit(env) {
        let admin = env.person("Admin", &["ADMIN"], None);
        let listed = async || {
            let list = env.anonymous().query("{ agencies { code } }", json!({})).await["agencies"].clone();
            list.as_array().unwrap().iter().any(|agency| agency["code"] == "akimat-750000000")
        };
        let akimat = json!({ "code": "akimat-750000000", "kind": "LOCAL_EXECUTIVE", "names": { "kk": "Алматы әкімдігі" } });
        let saved = admin.mutate("saveAgency", akimat).await;
        assert!(saved["agency"]["validTo"].is_null(), "{saved}");
        import(&env, EDITION, "2026-03-10").await;
        env.clock.set("2026-03-09T18:00:00Z".parse().unwrap());
        assert!(listed().await, "the day before");
        // Midnight in Almaty.
        env.clock.set("2026-03-09T19:00:00Z".parse().unwrap());
        assert!(!listed().await);
        let query = "{ agency(code: \"akimat-750000000\") { validTo names { kk } } }";
        let found = admin.query(query, json!({})).await["agency"].clone();
        assert_eq!(found, json!({ "validTo": "2026-03-10", "names": { "kk": "Алматы әкімдігі" } }));
    }
}

on_both_engines! {
    async fn issues_are_raised_in_an_oblast_that_is_newer_than_the_release(env) {
        let edition = "te,ab,cd,ef,hij,k,name_kaz,name_rus,nn\n640000000,64,00,00,000,0,Жаңа облысы,Новая область,1\n\
                       643200000,64,32,00,000,1,Жаңа ауданы,Новый район,2\n";
        import(&env, edition, "2026-03-01").await;
        let staff = env.akimat("643200000");
        let mut input = Actor::issue_input("Жол", &[]);
        for (region, number) in [("643200000", json!("XGE-2026-000001")), ("750000000", json!(null))] {
            input["region"] = json!(region);
            let raised = env.person("Admin", &["ADMIN"], None).mutate("raiseIssue", input.clone()).await;
            assert_eq!(raised["issue"]["number"], number, "{raised}");
        }
        input["region"] = json!("643200000");
        let second = staff.mutate("raiseIssue", input).await;
        assert_eq!(second["issue"]["number"], "XGE-2026-000002", "{second}");
        let query = "query($of: [_Any!]!) { _entities(representations: $of) { ... on Issue { number } } }";
        let of = json!([{ "__typename": "Issue", "number": "xge-2026-1" }]);
        let found = staff.query(query, json!({ "of": of })).await["_entities"][0].clone();
        assert_eq!(found["number"], "XGE-2026-000001");
    }
}

/// Embedded replicas share no bus, like production replicas while Redis is unavailable.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_replicas_load_an_import_within_a_minute() {
    let mut env = TestEnv::start(Engine::Embedded).await;
    let other = env.replica().await;
    let (staff, ana, anonymous) = (env.akimat(HOST), env.citizen("Ana"), env.anonymous());
    let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
    let mut live = anonymous.follow_comments(&meeting, None, "PUBLIC").await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("kato.csv");
    std::fs::write(&file, EDITION).unwrap();
    let known = async || anonymous.query("{ region(code: \"109800000\") { code } }", json!({})).await["region"].clone();
    assert!(known().await.is_null());
    let options =
        ImportOptions { dated: Some("2026-03-01".parse().unwrap()), allow_ending: 1000, ..ImportOptions::default() };
    env.service(other).app().import_regions(&file, options).await.unwrap();
    // Each post is a message on the bus of the replica that did not import.
    for n in 0..7 {
        env.advance(TimeDelta::seconds(10));
        ana.post(&meeting, &format!("№ {n}")).await;
        while live.next().await["kind"] != "POSTED" {}
    }
    let region = until(&known, || {}, |region| region.is_object()).await;
    assert_eq!(region["code"], "109800000");
}
