//! Limits of requests: exactly the limit is accepted, one more is rejected before execution.

use std::fmt::Write as _;

use async_graphql_parser::{
    parse_schema,
    types::{FieldDefinition, ServiceDocument, TypeKind, TypeSystemDefinition},
};
use harness::{Engine, TestEnv, WHO, error_code, web};
use serde_json::{Value, json};

#[tokio::test]
async fn rejects_oversized_operations_before_running_them() {
    let env = TestEnv::start(Engine::Embedded).await;
    let deep = format!(
        "{}code{}",
        "{ region(code: \"100000000\") ".to_owned() + &"{ parent ".repeat(20) + "{",
        "}".repeat(22)
    );
    let wide = "{ regions(first: 100) { nodes { children(first: 100) { nodes { descendants(first: 100) { nodes { code } } } } } } }";
    let aliases =
        format!("{{ {} }}", (0..60).map(|n| format!("a{n}: viewer {{ subject }}")).collect::<Vec<_>>().join(" "));
    let names = format!("{{ {} }}", "__typename ".repeat(5500));
    // Small documents that would exhaust the parser's stack or occupy a worker.
    let nested = format!("{{ a(b: {}1{}) }}", "{a:".repeat(300), "}".repeat(300));
    let doubling: String =
        (0..30).map(|n| format!("fragment f{n} on Query {{ ...f{} ...f{} }} ", n + 1, n + 1)).collect();
    let doubling = format!("{{ ...f0 }} {doubling} fragment f30 on Query {{ viewer {{ subject }} }}");
    for query in [deep.as_str(), wide, &aliases, &names, &nested, &doubling] {
        assert_eq!(env.anonymous().error(query, json!({})).await, "COST_EXCEEDED", "{}", &query[..40]);
        let mut socket = env.anonymous().socket().await;
        socket.send(&json!({ "id": "1", "type": "subscribe", "payload": { "query": query } })).await;
        let refused = socket.receive().await;
        assert_eq!(refused["payload"][0]["extensions"]["code"], "COST_EXCEEDED", "{refused}");
    }
    env.anonymous().query(WHO, json!({})).await;
}

/// Returns a query of this depth.
fn deep(fields: usize) -> String {
    let parents = fields - 2;
    format!("{{ region(code: \"751110000\") {}{{ code }}{} }}", "{ parent ".repeat(parents), " }".repeat(parents))
}

/// Returns a query with this many tokens, all in one argument.
fn tokens(count: usize) -> String {
    format!("{{ regions(kinds: [{}], first: 1) {{ nodes {{ __typename }} }} }}", "VILLAGE ".repeat(count - 18))
}

fn aliases(count: usize) -> String {
    let mut all = String::new();
    (0..count).for_each(|n| write!(all, "a{n}: __typename ").unwrap());
    format!("{{ {all} }}")
}

fn representations(count: usize) -> String {
    let one = "{ __typename: \"Region\", code: \"751110000\" }";
    format!("{{ _entities(representations: [{}]) {{ __typename }} }}", vec![one; count].join(", "))
}

/// An operation of a given size.
type OfSize<'a> = &'a dyn Fn(usize) -> String;

/// Returns a query with this many brackets in a value. It is invalid at any size, but too costly only above the limit.
fn brackets(depth: usize) -> String {
    format!("query($a: Boolean = {}true{}) {{ __typename }}", "[".repeat(depth - 1), "]".repeat(depth - 1))
}

#[tokio::test]
async fn accepts_operations_up_to_each_limit() {
    let env = TestEnv::start(Engine::Embedded).await;
    let limits: [(&str, usize, OfSize); 8] = [
        ("tokens", 5_000, &tokens),
        ("brackets", 64, &brackets),
        ("selections", 1_000, &|count| format!("{{ {} }}", "__typename ".repeat(count))),
        ("aliases", 50, &aliases),
        ("representations", 200, &representations),
        ("fields within each other", 15, &deep),
        ("selections within each other", 32, &|depth| {
            format!("{}{{ __typename {}", "{ ... ".repeat(depth - 1), "}".repeat(depth))
        }),
        // A hundred items with their leaves, and one for the page: 9,901 and 10,001.
        ("leaves of a page", 98, &|leaves| {
            format!("{{ regions(first: 100) {{ nodes {{ {} }} }} }}", "code ".repeat(leaves))
        }),
    ];
    for (what, most, query) in limits {
        let just = env.anonymous().send(&query(most), json!({})).await;
        assert_ne!(error_code(&just), "COST_EXCEEDED", "{most} {what}");
        assert!(what == "brackets" || just.get("errors").is_none(), "{most} {what}: {just:.300}");
        let more = env.anonymous().send(&query(most + 1), json!({})).await;
        assert_eq!(error_code(&more), "COST_EXCEEDED", "{what}, one more than {most}");
    }
}

/// A paginated field: its type, its name, its length arguments, and the type of its items.
#[derive(Debug)]
struct Paged {
    owner: String,
    name: String,
    lengths: Vec<&'static str>,
    item: String,
}

fn fields(schema: &ServiceDocument) -> Vec<(String, FieldDefinition)> {
    let mut all = Vec::new();
    for definition in &schema.definitions {
        let TypeSystemDefinition::Type(kind) = definition else { continue };
        if let TypeKind::Object(object) = &kind.node.kind {
            let owner = kind.node.name.node.to_string();
            all.extend(object.fields.iter().map(|field| (owner.clone(), field.node.clone())));
        }
    }
    all
}

fn bare(kind: &impl ToString) -> String {
    kind.to_string().replace(['[', ']', '!'], "")
}

fn paged(fields: &[(String, FieldDefinition)]) -> Vec<Paged> {
    let told = |field: &FieldDefinition| {
        let tells = |name: &&'static str| field.arguments.iter().any(|one| one.node.name.node == *name);
        ["first", "last"].into_iter().filter(tells).collect::<Vec<_>>()
    };
    let of = |(owner, field): &(String, FieldDefinition)| {
        let (lengths, page) = (told(field), bare(&field.ty.node));
        let item = fields.iter().find(|(kind, field)| *kind == page && field.name.node == "nodes");
        let item = item.map(|(_, nodes)| bare(&nodes.ty.node));
        assert!(item.is_some() || !page.ends_with("Connection"), "{page} has no nodes");
        // Pages of entities only: the others are priced by the same functions.
        let is_entity = fields.iter().any(|(kind, field)| Some(kind) == item.as_ref() && field.name.node == "id");
        (!lengths.is_empty() && is_entity).then_some(())?;
        Some(Paged { owner: owner.clone(), name: field.name.node.to_string(), lengths, item: item? })
    };
    fields.iter().filter_map(of).collect()
}

/// Returns the smallest operation that makes this selection on a type.
fn reaching(kind: &str, selection: &str) -> String {
    match kind {
        "Query" => format!("{{ {selection} }}"),
        "Meeting" => format!("{{ meeting(id: \"mtg_00000000000000000000000000\") {{ {selection} }} }}"),
        "Region" => format!("{{ region(code: \"751110000\") {{ {selection} }} }}"),
        "Viewer" => format!("{{ viewer {{ {selection} }} }}"),
        "Reception" => format!("{{ reception(id: \"rcp_00000000000000000000000000\") {{ {selection} }} }}"),
        "Agency" => format!("{{ agency(code: \"min-health\") {{ {selection} }} }}"),
        "Issue" => format!("{{ issue(id: \"iss_00000000000000000000000000\") {{ {selection} }} }}"),
        "PublicationDraft" => {
            format!(
                "{{ publicationDraft(input: {{ kind: CENTRAL_LIST, period: {{ year: 2026, half: 1 }} }}) {{ {selection} }} }}"
            )
        }
        "Webhook" => {
            format!("{{ node(id: \"webhook_00000000000000000000000000\") {{ ... on Webhook {{ {selection} }} }} }}")
        }
        "Comment" => {
            format!("{{ node(id: \"cmt_00000000000000000000000000\") {{ ... on Comment {{ {selection} }} }} }}")
        }
        other => panic!("define how {other} is reached"),
    }
}

#[tokio::test]
async fn every_page_costs_its_length_times_its_items() {
    let env = TestEnv::start(Engine::Embedded).await;
    let admin = env.person("Admin", &["ADMIN"], None);
    let schema = parse_schema(kezdesu::graphql::sdl()).unwrap();
    let fields = fields(&schema);
    let pages = paged(&fields);
    assert!(pages.len() >= 6, "{pages:?}");
    let fits = async |query: &str| {
        let answer = admin.send(query, json!({})).await;
        assert!(matches!(error_code(&answer), "" | "COST_EXCEEDED"), "{query:.200}: {answer}");
        error_code(&answer).is_empty()
    };
    for page in &pages {
        let Paged { owner, name, lengths, item } = page;
        for length in lengths {
            let of = |items: usize, leaves: usize| {
                reaching(owner, &format!("{name}({length}: {items}) {{ nodes {{ {} }} }}", "id ".repeat(leaves)))
            };
            // Each item counts with its leaves; the rest counts for little.
            for (items, leaves) in [(100, 98), (50, 198), (20, 497)] {
                assert!(fits(&of(items, leaves)).await, "{owner}.{name}({length}: {items}) with {leaves} leaves");
                let more = 10_000 / items;
                assert!(!fits(&of(items, more)).await, "{owner}.{name}({length}: {items}) with {more} leaves");
            }
            assert!(fits(&of(1, 900)).await, "{owner}.{name}({length}: 1)");
            // A page in each item of a page, directly or one object below.
            let below = pages.iter().filter(|below| below.owner == *item).map(|below| below.name.clone()).next();
            let (open, below, close) = match below {
                Some(below) => (String::new(), below, ""),
                None => {
                    let between = fields
                        .iter()
                        .filter(|(kind, _)| kind == item)
                        .find(|(_, field)| pages.iter().any(|page| page.owner == bare(&field.ty.node)));
                    // Nothing below a delivery of a webhook has pages.
                    let Some((_, between)) = between else { continue };
                    let kind = bare(&between.ty.node);
                    let below = pages.iter().find(|page| page.owner == kind).unwrap().name.clone();
                    (format!("{} {{ ", between.name.node), below, " }")
                }
            };
            let two = |items: usize| {
                let inner = format!("{open}{below}(first: {items}) {{ nodes {{ id }} }}{close}");
                reaching(owner, &format!("{name}({length}: {items}) {{ nodes {{ {inner} }} }}"))
            };
            assert!(!fits(&two(100)).await, "{owner}.{name} of {below}");
            assert!(fits(&two(50)).await, "{owner}.{name} of {below}");
        }
        let unsaid = |leaves: usize| reaching(owner, &format!("{name} {{ nodes {{ {} }} }}", "id ".repeat(leaves)));
        assert!(fits(&unsaid(497)).await && !fits(&unsaid(500)).await, "{owner}.{name} costs twenty items by default");
    }
}

#[tokio::test]
async fn rejects_batched_requests() {
    let env = TestEnv::start(Engine::Embedded).await;
    let post = async |body: Value| {
        let answer = env.anonymous().request().json(&body).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let one = json!({ "query": WHO });
    assert_eq!(post(one.clone()).await.0, 200);
    for batch in [json!([one]), json!([one, one]), json!([one, { "query": "{ __typename }" }])] {
        let (status, answer) = post(batch).await;
        assert_eq!((status, error_code(&answer)), (400, "BAD_USER_INPUT"));
        assert!(answer.get("data").is_none() && answer.is_object(), "nothing was executed: {answer}");
    }
    let mut socket = env.anonymous().socket().await;
    socket.send(&json!({ "id": "1", "type": "subscribe", "payload": [one, one] })).await;
    assert_eq!(socket.close_code().await, 4400);
}

#[tokio::test]
async fn limits_the_size_of_a_body() {
    let env = TestEnv::start(Engine::Embedded).await;
    let post = async |bytes: usize| {
        let body = json!({ "query": WHO }).to_string();
        let body = format!("{body}{}", " ".repeat(bytes - body.len()));
        let request = web().post(format!("http://{}/graphql", env.host(0))).header("content-type", "application/json");
        request.body(body).send().await.unwrap().status().as_u16()
    };
    assert_eq!((post(1 << 20).await, post((1 << 20) + 1).await), (200, 413));
}

#[tokio::test]
async fn limits_the_size_of_a_websocket_message() {
    let env = TestEnv::start(Engine::Embedded).await;
    let ping = |bytes: usize| {
        let around = json!({ "type": "ping", "payload": { "a": "" } }).to_string().len();
        json!({ "type": "ping", "payload": { "a": "x".repeat(bytes - around) } })
    };
    let mut socket = env.anonymous().socket().await;
    socket.send(&ping(64 << 10)).await;
    assert_eq!(socket.receive().await["type"], "pong");
    for bytes in [(64 << 10) + 1, 70_000, 1 << 20] {
        let mut large = env.anonymous().socket().await;
        large.send(&ping(bytes)).await;
        assert_eq!(large.close_code().await, 1009, "{bytes}");
    }
}

#[tokio::test]
async fn a_socket_runs_twenty_operations_by_default() {
    let env = TestEnv::start(Engine::Embedded).await;
    let mut socket = env.anonymous().socket().await;
    for id in 1..=21 {
        let payload = json!({ "query": "subscription { meetings { kind } }" });
        socket.send(&json!({ "id": id.to_string(), "type": "subscribe", "payload": payload })).await;
        let heard = socket.receive().await;
        let expected = if id <= 20 { "next" } else { "error" };
        assert_eq!((heard["id"].as_str(), heard["type"].as_str()), (Some(id.to_string().as_str()), Some(expected)));
        if id > 20 {
            assert_eq!(heard["payload"][0]["extensions"]["code"], "COST_EXCEEDED");
        }
    }
}
