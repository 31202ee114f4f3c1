//! Entity resolution for gateways: batched, with the usual permissions.

use chrono::TimeDelta;
use harness::{Actor, Engine, HOST, TestEnv, id_of, on_both_engines};
use serde_json::{Value, json};

const ENTITIES: &str = "query($of: [_Any!]!) { _entities(representations: $of) { __typename ... on Region { id code name } \
                        ... on Meeting { id phase } ... on Broadcast { id url } ... on Comment { id body } } }";
/// Fields below the references.
const MORE: &str = "query($of: [_Any!]!) { _entities(representations: $of) { __typename \
                    ... on Meeting { id broadcasts { id } timeSplit { stage } } \
                    ... on Comment { id meeting { id } postedDuring viewerHasVoted } } }";

async fn resolve(actor: &Actor, of: Value) -> Value {
    actor.query(ENTITIES, json!({ "of": of })).await["_entities"].clone()
}

fn comment(id: &str) -> Value {
    json!({ "__typename": "Comment", "id": id })
}

/// Resolves references, which must all be found, and returns the number of statements.
async fn statements(env: &TestEnv, actor: &Actor, query: &str, of: &[Value]) -> u64 {
    let (found, statements) = env.counting(actor.query(query, json!({ "of": of }))).await;
    let found = &found["_entities"];
    assert!(found.as_array().unwrap().iter().all(Value::is_object), "{found}");
    assert_eq!(found.as_array().unwrap().len(), of.len());
    statements
}

/// Returns a hundred references each to regions by code, regions by id, meetings and comments.
async fn hundreds(env: &TestEnv) -> [Vec<Value>; 4] {
    let (staff, anonymous) = (env.akimat(HOST), env.anonymous());
    let units = anonymous.query("{ regions(first: 100) { nodes { id code } } }", json!({})).await;
    let units = units["regions"]["nodes"].as_array().unwrap().clone();
    let refer = |name: &str, key: &str, value: &Value| json!({ "__typename": name, key: value });
    let live = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
    let (mut meetings, mut comments) = (Vec::new(), Vec::new());
    for n in 0..100 {
        let meeting = staff.plan(HOST, HOST, env.now() + TimeDelta::days(20), "AFTER").await;
        meetings.push(refer("Meeting", "id", &meeting["id"]));
        let author = env.citizen(&format!("Ана {}", n % 10));
        comments.push(comment(&id_of(&author.post(&live, &format!("№ {n}")).await)));
    }
    let [by_code, by_id] =
        ["code", "id"].map(|key| units.iter().map(|unit| refer("Region", key, &unit[key])).collect());
    [by_code, by_id, meetings, comments]
}

on_both_engines! {
    async fn resolves_references_by_each_key(env) {
        let staff = env.akimat(HOST);
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let posted = env.citizen("Ana").post(&meeting, "Жол?").await;
        let add = json!({ "meetingId": meeting, "platform": "VK", "url": "https://vk.example/1" });
        let broadcast = staff.mutate("addBroadcast", add).await["meeting"]["broadcasts"][0].clone();
        let anonymous = env.anonymous();
        let region =
            anonymous.query("query($c: KatoCode!) { region(code: $c) { id name } }", json!({ "c": HOST })).await;
        let of = json!([
            { "__typename": "Region", "code": HOST },
            { "__typename": "Region", "id": region["region"]["id"] },
            { "__typename": "Meeting", "id": meeting },
            comment(&id_of(&posted)),
            { "__typename": "Broadcast", "id": broadcast["id"] },
        ]);
        let found = resolve(&anonymous, of).await;
        assert_eq!(found[0]["name"], region["region"]["name"]);
        assert_eq!(found[0], found[1]);
        assert_eq!((&found[2]["phase"], &found[3]["body"]), (&json!("LIVE"), &json!("Жол?")));
        assert_eq!(found[4]["url"], "https://vk.example/1");
    }

    async fn resolves_hidden_or_missing_references_to_null_in_place(env) {
        let staff = env.akimat(HOST);
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "BEFORE").await;
        let waiting = id_of(&env.citizen("Ana").post(&meeting, "Күтеді").await);
        let of = json!([
            comment(&waiting),
            comment("no such identity"),
            comment(&meeting),
            { "__typename": "Meeting", "id": waiting },
            { "__typename": "Meeting", "id": "" },
            { "__typename": "Region", "id": "x" },
            { "__typename": "Region", "code": "999999999" },
            { "__typename": "Region", "code": "abc" },
            { "__typename": "Region", "code": 5 },
            { "__typename": "Region" },
            { "__typename": "Broadcast", "id": meeting },
            { "__typename": "Meeting", "id": null },
            { "__typename": "Meeting", "id": ["x"] },
            { "__typename": "Query", "id": "x" },
            { "__typename": "Unknown", "id": "x" },
            { "id": meeting },
            "text",
            { "__typename": "Meeting", "id": meeting },
        ]);
        let last = of.as_array().unwrap().len() - 1;
        let found = resolve(&env.anonymous(), of.clone()).await;
        let nulls = found.as_array().unwrap().iter().filter(|one| one.is_null()).count();
        assert_eq!((nulls, &found[last]["id"]), (last, &json!(meeting)), "{found}");
        let found = resolve(&env.moderator(HOST), of).await;
        assert_eq!(found[0]["body"], "Күтеді", "the usual permissions apply");
    }

    async fn resolves_a_hundred_references_with_one_statement_per_type(env) {
        let [by_code, by_id, meetings, comments] = hundreds(&env).await;
        // A comment's visibility depends on its meeting, which is read in the same statement.
        for viewer in [env.anonymous(), env.citizen("Ана 1"), env.moderator(HOST)] {
            for (of, cost) in [(&by_code, 0), (&by_id, 0), (&meetings, 1), (&comments, 1)] {
                assert_eq!(statements(&env, &viewer, ENTITIES, of).await, cost, "{}", of[0]);
            }
            let mixed: Vec<_> =
                [&by_code, &by_id, &meetings, &comments].iter().flat_map(|of| of[..50].to_vec()).collect();
            assert_eq!(statements(&env, &viewer, ENTITIES, &mixed).await, 2);
            // Broadcasts and stages; the meeting, its stages, and the votes of whoever can have voted.
            for (of, cost) in [(&meetings, 1 + 2), (&comments, 1 + 2 + u64::from(viewer.token.is_some()))] {
                assert_eq!(statements(&env, &viewer, MORE, of).await, cost);
            }
        }
    }

    async fn rejects_more_than_two_hundred_references(env) {
        let many = vec![json!({ "__typename": "Region", "code": HOST }); 201];
        let anonymous = env.anonymous();
        assert_eq!(anonymous.error(ENTITIES, json!({ "of": many })).await, "COST_EXCEEDED");
        assert_eq!(resolve(&anonymous, json!(many[..200])).await.as_array().unwrap().len(), 200);
        // Repeated fields and expensive selections count as well.
        let aliases = (0..5).map(|n| format!("a{n}: _entities(representations: $of) {{ __typename }}"));
        let again = format!("query($of: [_Any!]!) {{ {} }}", aliases.collect::<Vec<_>>().join(" "));
        assert_eq!(anonymous.error(&again, json!({ "of": many[..100] })).await, "COST_EXCEEDED");
        let much = "query($of: [_Any!]!) { _entities(representations: $of) { ... on Region { children(first: 100) { nodes { code } } } } }";
        assert_eq!(anonymous.error(much, json!({ "of": many[..100] })).await, "COST_EXCEEDED");
        assert_eq!(anonymous.query(much, json!({ "of": many[..10] })).await["_entities"].as_array().unwrap().len(), 10);
        let spread =
            "query($of: [_Any!]!) { ...f ...f } fragment f on Query { _entities(representations: $of) { __typename } }";
        assert_eq!(
            anonymous.error(spread, json!({ "of": many[..101] })).await,
            "COST_EXCEEDED",
            "each fragment spread counts"
        );
        // Default values and literals count as well.
        let text = format!("[{}]", vec!["{ __typename: \"Region\", code: \"751110000\" }"; 201].join(" "));
        for query in [
            format!("query($of: [_Any!]! = {text}) {{ _entities(representations: $of) {{ __typename }} }}"),
            format!("{{ _entities(representations: {text}) {{ __typename }} }}"),
        ] {
            assert_eq!(anonymous.error(&query, json!({})).await, "COST_EXCEEDED");
        }
    }
}

/// Gateway queries work where introspection is disabled.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn serves_gateways_in_production() {
    let env = TestEnv::with(Engine::Embedded, &[("KEZDESU_ENVIRONMENT", "production")]).await;
    let anonymous = env.anonymous();
    let service = anonymous.query("{ _service { sdl } }", json!({})).await;
    let sdl = service["_service"]["sdl"].as_str().unwrap();
    for part in [
        "type Subscription",
        "type Broadcast implements Node @key(fields: \"id\")",
        "@link(",
        "@tag(name: \"internal\")",
    ] {
        assert!(sdl.contains(part), "{part}");
    }
    let region = json!([{ "__typename": "Region", "code": HOST }]);
    assert_eq!(resolve(&anonymous, region).await[0]["code"], HOST);
    assert!(anonymous.query("{ __schema { queryType { name } } }", json!({})).await["__schema"].is_null());
}
