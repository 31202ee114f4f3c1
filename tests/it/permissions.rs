//! Permissions of each role, found by trying every mutation.

use std::fmt::Write as _;

use harness::{
    Actor, Engine, Opening, TestEnv, id_of, on_both_engines,
    sdl::{self, SampleObjects},
};
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

async fn attempts(env: &TestEnv, actor: &Actor) -> Vec<(String, &'static str)> {
    let admin = env.person("Admin", &["ADMIN"], None);
    let meeting = admin.live_meeting(HOST, REGION, env.now(), "AFTER").await;
    let comment = id_of(&env.citizen("Other").post(&meeting, "Жол?").await);
    let add = json!({ "meetingId": meeting, "platform": "VK", "url": "https://vk.example/1" });
    let broadcast = id_of(&admin.mutate("addBroadcast", add).await["meeting"]["broadcasts"][0]);
    let reception = admin.reception_in(HOST, REGION, env, Opening::default()).await;
    let registration = id_of(&env.citizen("Other").register(&reception, json!({})).await);
    let register = json!({ "region": HOST, "url": "http://127.0.0.1:9/" });
    let webhook = id_of(&admin.mutate("registerWebhook", register).await["webhook"]);
    let mut raise = Actor::issue_input("Жол", &[]);
    raise["region"] = json!(HOST);
    let issue = id_of(&admin.mutate("raiseIssue", raise).await["issue"]);
    let ended = admin.ended_meeting(HOST, REGION, env.now()).await;
    let publication = id_of(&admin.publish(&json!({ "kind": "MEETING_RESULTS", "meetingId": ended })).await);
    let objects = SampleObjects {
        host: HOST,
        meeting: &meeting,
        comment: &comment,
        broadcast: &broadcast,
        reception: &reception,
        registration: &registration,
        webhook: &webhook,
        issue: &issue,
        publication: &publication,
    };
    let mut done = Vec::new();
    for name in sdl::mutations() {
        let answer = actor.try_mutate(name, sdl::sample_input(name, objects)).await;
        let key = if sdl::takes_key(name) { "*" } else { "" };
        done.push((format!("{name}{key}"), outcome(&answer)));
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
    let (mut rows, mut last): (Vec<String>, String) = Default::default();
    for (name, actor) in &columns {
        for (row, (mutation, outcome)) in attempts(&env, actor).await.into_iter().enumerate() {
            if rows.len() <= row {
                rows.push(format!("{mutation:<19}"));
            }
            write!(rows[row], " {outcome:<13}").unwrap();
        }
        write!(last, "{name} | ").unwrap();
    }
    rows.push(last);
    let text = rows.iter().map(|row| row.trim_end()).collect::<Vec<_>>().join("\n");
    assert_eq!(text, MATRIX.trim(), "the matrix is now:\n{text}\n");
}

/// A mutation with `*` takes an idempotency key: it creates something each time. Columns: anonymous, citizen, moderator, akimat, akimat above, akimat beside, connector, oversight, admin.
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
