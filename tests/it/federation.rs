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
/// Issues, bodies and requests.
const ISSUES: &str = "query($of: [_Any!]!) { _entities(representations: $of) { __typename \
                      ... on Issue { id number description responsible { code } } ... on Agency { id code } \
                      ... on PublicRequest { id number text } } }";
const BODY: &str = "min-transport";

async fn resolve(actor: &Actor, of: Value) -> Value {
    actor.query(ENTITIES, json!({ "of": of })).await["_entities"].clone()
}

fn comment(id: &str) -> Value {
    json!({ "__typename": "Comment", "id": id })
}

/// Raises an issue that a body is responsible for, and submits a request of a citizen. Returns the issue, the request's id
/// and the citizen.
async fn issue_and_request(env: &TestEnv) -> (Value, String, Actor) {
    let (staff, ana) = (env.akimat(HOST), env.citizen("Ana"));
    let issue = id_of(&staff.raise("Көпір", &[]).await);
    let issue = staff.assign(&issue, BODY, "2026-12-31").await;
    let meeting = id_of(&staff.plan(HOST, HOST, env.now() + TimeDelta::days(30), "AFTER").await);
    let submit = json!({ "region": HOST, "meetingId": meeting, "text": "Көпір қашан жөнделеді?" });
    let request = id_of(&ana.mutate("submitRequest", submit).await["request"]);
    (issue, request, ana)
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

    async fn resolves_issues_bodies_and_requests_by_each_key(env) {
        let (issue, request, ana) = issue_and_request(&env).await;
        let anonymous = env.anonymous();
        let by_code = anonymous.query("query($code: String!) { agency(code: $code) { id } }", json!({ "code": BODY }));
        let body = by_code.await["agency"]["id"].clone();
        let of = json!([
            { "__typename": "Issue", "id": issue["id"] },
            { "__typename": "Issue", "number": issue["number"] },
            { "__typename": "Agency", "id": body },
            { "__typename": "Agency", "code": BODY },
            { "__typename": "PublicRequest", "id": request },
        ]);
        let staff = env.akimat(HOST);
        for (viewer, sees_description, sees_request) in [
            (anonymous, false, false),
            (env.citizen("Eva"), false, false),
            (env.akimat("711110000"), false, false),
            (env.agency("min-energy"), false, false),
            (env.agency(BODY), true, false),
            (ana, false, true),
            (staff, true, true),
        ] {
            let found = viewer.query(ISSUES, json!({ "of": of })).await["_entities"].clone();
            let seen = &found[0];
            assert_eq!((&seen["id"], &seen["number"]), (&issue["id"], &issue["number"]), "{found}");
            assert_eq!(seen["responsible"]["code"], BODY);
            assert_eq!(seen["description"] != "", sees_description, "the usual permissions apply: {found}");
            assert_eq!(seen, &found[1], "the same by each key");
            assert_eq!(found[2], json!({ "__typename": "Agency", "id": body, "code": BODY }));
            assert_eq!(found[2], found[3], "the same by each key");
            assert_eq!(!found[4].is_null(), sees_request, "{found}");
            assert!(!sees_request || found[4]["text"] == "Көпір қашан жөнделеді?", "{found}");
        }
    }

    async fn resolves_wrong_references_to_issues_and_bodies_to_null_in_place(env) {
        let (issue, request, _) = issue_and_request(&env).await;
        let of = json!([
            { "__typename": "Issue", "id": request },
            { "__typename": "Issue", "id": "iss_00000000000000000000000000" },
            { "__typename": "Issue", "number": "ALM-2026-999999" },
            { "__typename": "Issue", "number": "R-ALM-2026-000001" },
            { "__typename": "Issue", "number": "" },
            { "__typename": "Issue", "number": 5 },
            { "__typename": "Issue", "number": null },
            { "__typename": "Issue" },
            { "__typename": "Agency", "code": "no-such-body" },
            { "__typename": "Agency", "code": [BODY] },
            { "__typename": "Agency", "id": issue["id"] },
            { "__typename": "PublicRequest", "id": issue["id"] },
            { "__typename": "PublicRequest", "id": "" },
            { "__typename": "PublicRequest", "number": "R-ALM-2026-000001" },
            { "__typename": "Issue", "number": issue["number"] },
        ]);
        let last = of.as_array().unwrap().len() - 1;
        let found = env.akimat(HOST).query(ISSUES, json!({ "of": of })).await["_entities"].clone();
        let nulls = found.as_array().unwrap().iter().filter(|one| one.is_null()).count();
        assert_eq!((nulls, &found[last]["id"]), (last, &issue["id"]), "{found}");
    }

    async fn resolves_references_to_issues_and_requests_with_one_statement_per_key(env) {
        let staff = env.akimat(HOST);
        let meeting = id_of(&staff.plan(HOST, HOST, env.now() + TimeDelta::days(30), "AFTER").await);
        let (mut by_id, mut by_number) = (Vec::new(), Vec::new());
        for n in 0..20 {
            let issue = staff.raise(&format!("№ {n}"), &[]).await;
            by_id.push(json!({ "__typename": "Issue", "id": issue["id"] }));
            by_number.push(json!({ "__typename": "Issue", "number": issue["number"] }));
        }
        let requests: Vec<_> = (0..20)
            .map(|n| json!({ "channel": "E_OTINISH", "text": format!("№ {n}"), "language": "KK", "count": 1,
                             "receivedOn": "2026-03-01", "externalId": n.to_string() }))
            .collect();
        staff.mutate("recordRequests", json!({ "meetingId": meeting, "requests": requests })).await;
        let list = "{ publicRequests(first: 100) { nodes { __typename id } } }";
        let requests = staff.query(list, json!({})).await["publicRequests"]["nodes"].as_array().unwrap().clone();
        assert_eq!(requests.len(), 20);
        let bodies = vec![json!({ "__typename": "Agency", "code": BODY }); 20];
        for (of, cost) in [(&by_id, 1), (&by_number, 1), (&requests, 1), (&bodies, 0)] {
            assert_eq!(statements(&env, &staff, ISSUES, of).await, cost, "{}", of[0]);
        }
        let mixed = [by_id, by_number, requests, bodies].concat();
        assert_eq!(statements(&env, &staff, ISSUES, &mixed).await, 3);
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
