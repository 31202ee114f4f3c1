//! The subgraph in process: what a gateway's references give and cost, who sees what, and what is too much.

use async_graphql::{Request, Variables};
use serde_json::{Value, json};

use super::Engine;
use crate::{
    auth::Viewer,
    case::{Case, CaseState},
    register::OpenCase,
    testing::{Office, about, about_issue, officer},
};

const ENTITIES: &str = "query($of: [_Any!]!) { _entities(representations: $of) { __typename \
    ... on Comment { case { number } } ... on Issue { case { number issue { id } } } ... on Case { id number } ... on Region { cases(first: 2) { nodes { number } } } } }";

async fn ask(office: &Office, viewer: Viewer, query: &str, variables: Value) -> Value {
    let engine = Engine::new(office.register.clone(), false);
    let request = Request::new(query).variables(Variables::from_json(variables));
    serde_json::to_value(engine.execute(request, viewer).await).unwrap()
}

async fn resolve(office: &Office, of: Vec<Value>) -> Value {
    let answer = ask(office, Viewer::Anonymous, ENTITIES, json!({ "of": of })).await;
    assert_eq!(answer["errors"], Value::Null, "{answer}");
    answer["data"]["_entities"].clone()
}

async fn code(office: &Office, query: &str, variables: Value) -> Value {
    ask(office, Viewer::Anonymous, query, variables).await["errors"][0]["extensions"]["code"].clone()
}

fn comment(id: &str) -> Value {
    json!({ "__typename": "Comment", "id": id })
}

fn issue(id: &str) -> Value {
    json!({ "__typename": "Issue", "id": id })
}

async fn cases(office: &Office, count: usize) -> Vec<Case> {
    let mut cases = Vec::new();
    for n in 0..count {
        let region = format!("7511{:02}000", n % 10).parse().unwrap();
        let wish = OpenCase { region, ..about(Some(&format!("cmt_{n}")), &n.to_string()) };
        cases.push(office.open(wish).await);
    }
    cases
}

#[tokio::test]
async fn a_hundred_references_of_a_kind_cost_one_statement() {
    let office = Office::new().await;
    let cases = cases(&office, 100).await;
    for n in 0..100 {
        office.open(about_issue(&format!("iss_{n}"), &format!("issue {n}"))).await;
    }
    let kinds: [Vec<Value>; 4] = [
        (0..100).map(|n| comment(&format!("cmt_{n}"))).collect(),
        (0..100).map(|n| issue(&format!("iss_{n}"))).collect(),
        cases.iter().map(|case| json!({ "__typename": "Case", "id": case.id.to_string() })).collect(),
        cases.iter().map(|case| json!({ "__typename": "Case", "number": case.number })).collect(),
    ];
    let mut all = Vec::new();
    for of in kinds {
        let before = office.store.reads();
        let found = resolve(&office, of.clone()).await;
        assert_eq!(office.store.reads() - before, 1, "{}", of[0]);
        let whole = |one: &Value| one["number"].is_string() || one["case"]["number"].is_string();
        assert_eq!(found.as_array().unwrap().iter().filter(|one| whole(one)).count(), 100, "{found}");
        all.extend(of.into_iter().take(50));
    }
    let before = office.store.reads();
    resolve(&office, all).await;
    assert_eq!(office.store.reads() - before, 4, "mixed, one a kind");
}

#[tokio::test]
async fn the_cases_of_many_regions_are_read_together() {
    let office = Office::new().await;
    cases(&office, 10).await;
    let of = (0..100).map(|n| json!({ "__typename": "Region", "code": format!("7511{n:02}000") })).collect();
    let before = office.store.reads();
    let found = resolve(&office, of).await;
    assert!(office.store.reads() - before < 50, "{}", office.store.reads() - before);
    let with = found.as_array().unwrap().iter().filter(|one| one["cases"]["nodes"][0]["number"].is_string());
    assert_eq!(with.count(), 10, "{found}");
}

#[tokio::test]
async fn each_reference_gives_its_own_in_its_place() {
    let office = Office::new().await;
    let cases = cases(&office, 12).await;
    let found = resolve(
        &office,
        vec![
            comment("cmt_1"),
            comment("cmt_none"),
            comment(""),
            comment(&"x".repeat(101)),
            json!({ "__typename": "Comment", "id": 7 }),
            json!({ "__typename": "Comment", "id": null }),
            json!({ "__typename": "Case", "id": cases[0].id.to_string() }),
            json!({ "__typename": "Case", "id": "case_00000000000000000000000000" }),
            json!({ "__typename": "Case", "id": "cmt_1" }),
            json!({ "__typename": "Case", "number": "2026-00003" }),
            json!({ "__typename": "Case", "number": [] }),
            json!({ "__typename": "Region", "code": "751101000" }),
            json!({ "__typename": "Region", "code": "999999999" }),
            json!({ "__typename": "Region", "code": "75" }),
        ],
    )
    .await;
    let number = |one: &Value| one["case"]["number"].clone();
    assert_eq!(number(&found[0]), "2026-00002");
    assert_eq!(found[1], json!({ "__typename": "Comment", "case": null }), "there is none");
    let nulls: Vec<_> = (0..14).filter(|n| found[n].is_null()).collect();
    assert_eq!(nulls, [2, 3, 4, 5, 7, 8, 10, 13], "{found}");
    assert_eq!((&found[6]["number"], &found[9]["number"]), (&json!("2026-00001"), &json!("2026-00003")));
    let numbers = json!([{ "number": "2026-00012" }, { "number": "2026-00002" }]);
    assert_eq!((&found[11]["cases"]["nodes"], &found[12]["cases"]["nodes"]), (&numbers, &json!([])));
}

#[tokio::test]
async fn an_issue_leads_to_its_case_and_back() {
    let office = Office::new().await;
    cases(&office, 1).await;
    office.open(about_issue("iss_1", "issue")).await;
    let long = "x".repeat(101);
    let of = ["iss_1", "iss_none", "cmt_0", "", long.as_str()].map(issue);
    let found = resolve(&office, of.to_vec()).await;
    let none = json!({ "__typename": "Issue", "case": null });
    let own = json!({ "__typename": "Issue", "case": { "number": "2026-00002", "issue": { "id": "iss_1" } } });
    assert_eq!(found, json!([own, none, none, null, null]), "a question's case is none of an issue");
    let query = "{ cases { nodes { comment { id } issue { id case { number } } } } }";
    let found = ask(&office, Viewer::Anonymous, query, json!({})).await["data"]["cases"]["nodes"].clone();
    let about_issue = json!({ "comment": null, "issue": { "id": "iss_1", "case": { "number": "2026-00002" } } });
    assert_eq!(found, json!([about_issue, { "comment": { "id": "cmt_0" }, "issue": null }]));
}

#[tokio::test]
async fn what_the_staff_notes_is_for_the_staff() {
    let office = Office::new().await;
    let case = office.open(about(None, "k")).await;
    office.move_to(&case, CaseState::InProgress, Some("ішкі")).await.unwrap();
    let query = "query($n: String!) { case(number: $n) { state internalNote } }";
    for (viewer, note) in [(Viewer::Anonymous, json!(null)), (Viewer::Person, json!(null)), (officer(), json!("ішкі"))]
    {
        let answer = ask(&office, viewer.clone(), query, json!({ "n": case.number })).await;
        assert_eq!(answer["data"]["case"], json!({ "state": "IN_PROGRESS", "internalNote": note }), "{viewer:?}");
    }
}

#[tokio::test]
async fn a_page_says_where_it_lies_and_what_follows() {
    let office = Office::new().await;
    let cases = cases(&office, 5).await;
    office.move_to(&cases[1], CaseState::Closed, None).await.unwrap();
    let query = "query($state: CaseState, $first: Int, $after: String) { cases(state: $state, first: $first, after: $after) {
        edges { cursor node { number } } nodes { number } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }";
    let page = async |variables| ask(&office, Viewer::Anonymous, query, variables).await["data"]["cases"].clone();
    let first = page(json!({ "first": 3 })).await;
    assert_eq!(
        first["nodes"],
        json!([{ "number": "2026-00005" }, { "number": "2026-00004" }, { "number": "2026-00003" }])
    );
    let info = &first["pageInfo"];
    assert_eq!((&info["hasNextPage"], &info["hasPreviousPage"]), (&json!(true), &json!(false)));
    assert_eq!(
        (&info["startCursor"], &info["endCursor"]),
        (&first["edges"][0]["cursor"], &first["edges"][2]["cursor"])
    );
    let rest = page(json!({ "first": 3, "after": info["endCursor"] })).await;
    assert_eq!(rest["nodes"], json!([{ "number": "2026-00002" }, { "number": "2026-00001" }]));
    assert_eq!((&rest["pageInfo"]["hasNextPage"], &rest["pageInfo"]["hasPreviousPage"]), (&json!(false), &json!(true)));
    assert_eq!(page(json!({ "state": "CLOSED", "first": null })).await["nodes"], json!([{ "number": "2026-00002" }]));
    for wrong in [json!({ "first": 0 }), json!({ "first": 101 }), json!({ "after": "x" })] {
        let answer = ask(&office, Viewer::Anonymous, query, wrong).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT", "{answer}");
    }
}

#[tokio::test]
async fn what_asks_for_too_much_is_refused_before_anything_is_read() {
    let office = Office::new().await;
    cases(&office, 1).await;
    let before = office.store.reads();
    let many: Vec<_> = (0..201).map(|n| comment(&n.to_string())).collect();
    let literal = "{ __typename: \"Comment\", id: \"cmt_0\" } ".repeat(201);
    let deep = format!("{{ case(number: \"1\") {{ {} id {} }} }}", "comment { case { ".repeat(6), "} } ".repeat(6));
    let wide = "{ cases(first: 100) { nodes { region { cases(first: 100) { nodes { region { cases(first: 100) { nodes { id } } } } } } } } }";
    let bomb: String =
        (0..30).map(|n| format!("fragment F{n} on Query {{ ...F{next} ...F{next} }} ", next = n + 1)).collect();
    let chain: String = (0..900).map(|n| format!("fragment F{n} on Query {{ ...F{} }} ", n + 1)).collect();
    let documents = [
        (ENTITIES.to_owned(), json!({ "of": many })),
        (format!("{{ _entities(representations: [{literal}]) {{ __typename }} }}"), json!({})),
        (format!("query($of: [_Any!]! = [{literal}]) {{ _entities(representations: $of) {{ __typename }} }}"), json!({})),
        (
            "query($of: [_Any!]!) { _entities(representations: $of) { ... on Region { cases(first: 100) { nodes { id } } } } }".to_owned(),
            json!({ "of": vec![json!({ "__typename": "Region", "code": "751110000" }); 200] }),
        ),
        (deep, json!({})),
        (wide.to_owned(), json!({})),
        (format!("{{ {} }}", "__typename ".repeat(1_001)), json!({})),
        (format!("{{ __typename #{}\n }}", "x".repeat(33_000)), json!({})),
        (format!("{{ ...F0 }} {bomb} fragment F30 on Query {{ __typename }}"), json!({})),
        ("{ ...F } fragment F on Query { ...F }".to_owned(), json!({})),
        (format!("{{ ...F0 }} {chain} fragment F900 on Query {{ __typename }}"), json!({})),
    ];
    for (query, variables) in documents {
        assert_eq!(code(&office, &query, variables).await, "COST_EXCEEDED", "{query:.80}");
    }
    assert_eq!(office.store.reads(), before);
    let most = many.into_iter().take(200).collect();
    assert_eq!(resolve(&office, most).await.as_array().unwrap().len(), 200);
}

#[tokio::test]
async fn nothing_of_the_inside_is_shown() {
    let office = Office::new().await;
    let schema = ask(&office, Viewer::Anonymous, "{ __schema { types { name } } }", json!({})).await;
    assert_eq!(schema, json!({ "data": { "__schema": null } }));
    let typo = ask(&office, Viewer::Anonymous, "{ caes(first: 1) { nodes { id } } }", json!({})).await;
    assert!(typo["errors"][0]["message"].is_string() && !typo.to_string().contains("cases"), "{typo}");
    office.store.close().await;
    let answer = ask(&office, Viewer::Anonymous, "{ cases { nodes { id } } }", json!({})).await;
    let error = &answer["errors"][0];
    assert_eq!((&error["message"], &error["extensions"]), (&json!("internal error"), &json!({ "code": "INTERNAL" })));
    let answer = ask(&office, Viewer::Anonymous, ENTITIES, json!({ "of": [comment("cmt_1")] })).await;
    assert_eq!(answer["errors"][0]["message"], "internal error", "{answer}");
}

#[tokio::test]
async fn introspection_is_there_where_it_is_wished() {
    let office = Office::new().await;
    let engine = Engine::new(office.register.clone(), true);
    let answer = engine.execute(Request::new("{ __type(name: \"Case\") { name } }"), Viewer::Anonymous).await;
    assert!(answer.is_ok(), "{:?}", answer.errors);
}
