//! Permissions of each role, found by trying every mutation.

use std::fmt::Write as _;

use chrono::TimeDelta;
use harness::{Actor, Engine, TestEnv, id_of, on_both_engines};
use serde_json::{Value, json};

const HOST: &str = "103230000";
const REGION: &str = "103230100";

/// Classifies an attempt: permitted (also with a refusal, which only the permitted get), or denied.
fn outcome(answer: &Value) -> &'static str {
    match answer["errors"][0]["extensions"]["code"].as_str() {
        None => "yes",
        Some("UNAUTHENTICATED") => "sign in",
        Some("FORBIDDEN") => "-",
        other => panic!("{other:?}: {answer}"),
    }
}

async fn attempts(env: &TestEnv, actor: &Actor) -> Vec<(&'static str, &'static str)> {
    let admin = env.person("Admin", &["ADMIN"], None);
    let start = env.now() + TimeDelta::days(9);
    let planned = id_of(&admin.plan(HOST, REGION, start, "AFTER").await);
    let live = admin.live_meeting(HOST, REGION, env.now(), "AFTER").await;
    let other = env.citizen("Other");
    let comment = id_of(&other.post(&live, "Жол?").await);
    let second = id_of(&other.post(&live, "Су?").await);
    let add = json!({ "meetingId": live, "platform": "VK", "url": "https://vk.example/1" });
    let broadcast = id_of(&admin.mutate("addBroadcast", add.clone()).await["meeting"]["broadcasts"][0]);
    let plan = json!({ "host": HOST, "region": REGION, "title": { "kk": "К" }, "origin": "CALENDAR", "plannedStart": start, "plannedMinutes": 60 });
    let mut done = Vec::new();
    for (name, input) in [
        ("planMeeting", plan),
        ("announceMeeting", json!({ "meetingId": planned, "channels": ["PRESS"] })),
        ("rescheduleMeeting", json!({ "meetingId": planned, "plannedStart": start, "reason": "р" })),
        ("addBroadcast", add),
        ("cancelMeeting", json!({ "meetingId": planned, "reason": "р" })),
        ("setModeration", json!({ "meetingId": live, "slowModeSeconds": 0 })),
        ("setStage", json!({ "meetingId": live, "stage": "QUESTIONS" })),
        ("postComment", json!({ "meetingId": live, "body": "Жарық?" })),
        ("voteComment", json!({ "commentId": comment })),
        ("withdrawComment", json!({ "commentId": comment })),
        ("importComments", json!({ "meetingId": live, "broadcastId": broadcast, "comments": [] })),
        ("moderateComments", json!({ "commentIds": [comment], "action": "APPROVE" })),
        ("selectComment", json!({ "commentId": comment })),
        ("answerComment", json!({ "commentId": comment })),
        ("labelComment", json!({ "commentId": comment, "labels": ["а"] })),
        ("mergeComments", json!({ "into": comment, "commentIds": [second] })),
        ("muteAuthor", json!({ "commentId": comment, "minutes": 1 })),
        ("startMeeting", json!({ "meetingId": live })),
        ("endMeeting", json!({ "meetingId": live })),
    ] {
        done.push((name, outcome(&actor.try_mutate(name, input).await)));
    }
    done
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_matrix_of_roles_and_mutations_matches_the_reviewed_one() {
    let env = TestEnv::start(Engine::Embedded).await;
    let columns: Vec<(&str, Actor)> = vec![
        ("anonymous", env.anonymous()),
        ("citizen", env.citizen("Ana")),
        ("moderator", env.moderator(HOST)),
        ("akimat", env.akimat(HOST)),
        ("akimat above", env.akimat("100000000")),
        ("akimat beside", env.akimat("103233000")),
        ("connector", env.connector(HOST)),
        ("oversight", env.person("Oversight", &["ADMINISTRATION"], None)),
        ("admin", env.person("Admin", &["ADMIN"], None)),
    ];
    let mut rows: Vec<String> = Vec::new();
    for (name, actor) in &columns {
        for (row, (mutation, outcome)) in attempts(&env, actor).await.into_iter().enumerate() {
            if rows.len() <= row {
                rows.push(format!("{mutation:<18}"));
            }
            write!(rows[row], " {outcome:<13}").unwrap();
        }
        if rows.len() < 20 {
            rows.push(String::new())
        }
        write!(rows[19], "{name} | ").unwrap();
    }
    let text = rows.iter().map(|row| row.trim_end()).collect::<Vec<_>>().join("\n");
    assert_eq!(text, MATRIX.trim(), "the matrix is now:\n{text}\n");
}

/// Columns: anonymous, citizen, moderator, akimat, akimat above, akimat beside, connector, oversight, admin.
const MATRIX: &str = include_str!("permissions.txt");

on_both_engines! {
    async fn hidden_comments_are_not_reachable_by_any_path(env) {
        let (ana, moderator) = (env.citizen("Ana"), env.moderator(HOST));
        let staff = env.akimat(HOST);
        let meeting = staff.live_meeting(HOST, REGION, env.now(), "BEFORE").await;
        let hidden = id_of(&ana.post(&meeting, "Құпия сұрақ").await);
        let node = "query($id: ID!) { node(id: $id) { id } nodes(ids: [$id]) { id } }";
        let entity = "query($id: ID!) { _entities(representations: [{ __typename: \"Comment\", id: $id }]) { ... on Comment { body } } }";
        for actor in [env.anonymous(), env.citizen("Ben"), env.moderator("711110000"), env.connector(HOST)] {
            let found = actor.query(node, json!({ "id": hidden })).await;
            assert_eq!(found, json!({ "node": null, "nodes": [null] }));
            assert_eq!(actor.query(entity, json!({ "id": hidden })).await["_entities"], json!([null]));
            assert_eq!(actor.comments(&meeting, json!({})).await.len(), 0);
            assert_eq!(actor.comments(&meeting, json!({ "search": "купия" })).await.len(), 0);
            assert_eq!(actor.comments(&meeting, json!({ "states": ["PENDING"] })).await.len(), 0);
        }
        let unknown = "cmt_00000000000000000000000000";
        let ben = env.citizen("Ben");
        for mutation in ["voteComment", "withdrawComment"] {
            let hidden = ben.try_mutate(mutation, json!({ "commentId": hidden })).await;
            assert_eq!(
                hidden,
                ben.try_mutate(mutation, json!({ "commentId": unknown })).await,
                "hidden and missing look alike"
            );
        }
        for actor in
            [ana, moderator, staff, env.person("Oversight", &["ADMINISTRATION"], None), env.akimat("100000000")]
        {
            assert_eq!(actor.query(node, json!({ "id": hidden })).await["node"]["id"], json!(hidden));
            assert_eq!(actor.query(entity, json!({ "id": hidden })).await["_entities"][0]["body"], "Құпия сұрақ");
        }
    }

    async fn a_bad_reference_does_not_fail_its_batch(env) {
        let staff = env.akimat(HOST);
        let meeting = staff.live_meeting(HOST, REGION, env.now(), "AFTER").await;
        let query = "query($all: [_Any!]!) { _entities(representations: $all) { ... on Region { code } ... on Meeting { phase } } }";
        let all = json!([
            { "__typename": "Region", "code": "103230000" }, { "__typename": "Region", "id": "region_999999999" },
            { "__typename": "Meeting", "id": meeting }, { "__typename": "Meeting", "id": "nonsense" },
            { "__typename": "Region", "id": "region_100000000" },
        ]);
        let found = env.anonymous().query(query, json!({ "all": all })).await["_entities"].clone();
        assert_eq!(found, json!([{ "code": "103230000" }, null, { "phase": "LIVE" }, null, { "code": "100000000" }]));
        let many = vec![json!({ "__typename": "Region", "code": "103230000" }); 201];
        assert_eq!(env.anonymous().error(query, json!({ "all": many })).await, "COST_EXCEEDED");
    }

    async fn the_viewer_matches_the_token(env) {
        let query = "{ viewer { subject displayName roles region { code } } }";
        assert!(env.anonymous().query(query, json!({})).await["viewer"].is_null());
        let viewer = env.moderator(HOST).query(query, json!({})).await["viewer"].clone();
        assert_eq!(
            (viewer["displayName"].as_str(), &viewer["roles"], viewer["region"]["code"].as_str()),
            (Some("Moderator"), &json!(["MODERATOR"]), Some(HOST))
        );
    }
}
