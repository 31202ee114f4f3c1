//! GraphQL semantics of requests, and what is rejected before execution.

use chrono::TimeDelta;
use harness::{Actor, HOST, TestEnv, on_both_engines, web};
use serde_json::{Value, json};

pub(crate) const JSON: &str = "application/json";
pub(crate) const RESPONSE: &str = "application/graphql-response+json";

pub(crate) async fn live(env: &TestEnv) -> (Actor, String) {
    let staff = env.akimat(HOST);
    let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
    (staff, meeting)
}

/// Returns the response to a query, and the number of its statements.
async fn measured(env: &TestEnv, query: &str, variables: &Value) -> (Value, u64) {
    env.counting(env.anonymous().query(query, variables.clone())).await
}

/// Returns the code and the field of the first error.
pub(crate) fn error(answer: &Value) -> (&str, &str) {
    let extensions = &answer["errors"][0]["extensions"];
    (extensions["code"].as_str().unwrap_or_default(), extensions["field"].as_str().unwrap_or_default())
}

/// Returns the first message of an operation on a socket.
pub(crate) async fn first(actor: &Actor, query: &str, variables: &Value) -> Value {
    let mut live = actor.follow(query, variables.clone()).await;
    live.socket.receive().await
}

/// Reads a streamed response up to its first event.
pub(crate) async fn first_event(actor: &Actor, accept: &str, query: &str, variables: &Value) -> String {
    let body = json!({ "query": query, "variables": variables });
    let mut answer = actor.request().header("accept", accept).json(&body).send().await.unwrap();
    let mut text = String::new();
    while !text.contains("errors") && !text.contains("data\":") {
        let Some(chunk) = tokio::time::timeout(harness::TIMEOUT, answer.chunk()).await.unwrap().unwrap() else {
            break;
        };
        text.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    text
}

on_both_engines! {
    async fn runs_a_repeated_field_once(env) {
        let (_, meeting) = live(&env).await;
        env.citizen("Ana").post(&meeting, "Жол қашан?").await;
        let variables = json!({ "id": meeting });
        let comments = "comments(first: 1) { totalCount nodes { body } } ";
        let each = |times: usize| comments.repeat(times);
        for (what, one, many) in [
            (
                "plainly",
                format!("{{ meeting(id: $id) {{ {} }} }}", each(1)),
                format!("{{ meeting(id: $id) {{ {} }} }}", each(40)),
            ),
            (
                "at the root",
                format!("{{ meeting(id: $id) {{ {} }} }}", each(1)),
                format!("{{ {} }}", format!("meeting(id: $id) {{ {} }} ", each(1)).repeat(40)),
            ),
            (
                "through fragments",
                format!("{{ meeting(id: $id) {{ {} }} }}", each(1)),
                format!(
                    "{{ meeting(id: $id) {{ {} {} {} }} }} fragment F on Meeting {{ {} }}",
                    "...F ".repeat(10),
                    "... on Node { ... on Meeting { ...F } } ".repeat(5),
                    "... { ...F } ".repeat(5),
                    each(2),
                ),
            ),
            (
                "below an interface",
                format!("{{ node(id: $id) {{ ... on Meeting {{ {} }} }} }}", each(1)),
                format!(
                    "{{ node(id: $id) {{ ... on Meeting {{ {} }} ... on Node {{ ... on Meeting {{ {} }} }} }} }}",
                    each(20),
                    each(20)
                ),
            ),
            (
                "in each item",
                format!("{{ meetings(first: 5) {{ nodes {{ {} }} }} meeting(id: $id) {{ id }} }}", each(1)),
                format!("{{ meetings(first: 5) {{ nodes {{ {} }} }} meeting(id: $id) {{ id }} }}", each(10)),
            ),
        ] {
            let declared = |query: &str| format!("query($id: ID!) {query}");
            let (expected, least) = measured(&env, &declared(&one), &variables).await;
            let (answer, statements) = measured(&env, &declared(&many), &variables).await;
            assert_eq!(answer, expected, "{what}");
            assert_eq!(statements, least, "{what}");
            assert!(least > 0, "{what}");
        }
    }

    async fn runs_a_repeated_mutation_once(env) {
        let (_, meeting) = live(&env).await;
        let ana = env.citizen("Ana");
        let one = "postComment(input: { meetingId: $id, body: \"Жол қашан?\" }) { comment { body } refusal { code } } ";
        for mutation in [
            format!("mutation($id: ID!) {{ {} }}", one.repeat(3)),
            format!("mutation($id: ID!) {{ {one} ...F }} fragment F on Mutation {{ {one} }}")
                .replace("Жол қашан?", "Су ше?"),
        ] {
            let posted = ana.query(&mutation, json!({ "id": meeting })).await;
            assert!(posted["postComment"]["refusal"].is_null(), "{posted}");
        }
        assert_eq!(env.anonymous().comments(&meeting, json!({})).await.len(), 2);
    }

    async fn renders_a_repeated_subscription_field_once(env) {
        let (_, meeting) = live(&env).await;
        let below = |times: usize| {
            let each = "comments(first: 1) { totalCount } ".repeat(times);
            let split = format!("timeSplit(meetingId: $id) {{ meeting {{ {each} }} }} ");
            (
                format!("subscription($id: ID!) {{ {split} }}"),
                format!("subscription($id: ID!) {{ {split} ...F }} fragment F on Subscription {{ {split} }}"),
            )
        };
        let mut kept = Vec::new();
        let mut counts = Vec::new();
        // The first one loads the time split.
        for query in [below(1).0, below(1).0 + " ", below(6).0, below(3).1] {
            let follow = async {
                let mut live = env.anonymous().follow(&query, json!({ "id": meeting })).await;
                assert_eq!(live.next().await, json!({ "meeting": { "comments": { "totalCount": 0 } } }));
                live
            };
            let (live, statements) = env.counting(follow).await;
            counts.push(statements);
            kept.push(live);
        }
        assert!(counts[1] > 0 && counts[2] == counts[1] && counts[3] == counts[1], "{counts:?}");
        for live in &mut kept {
            let shown = live.next_in(&env).await;
            assert_eq!(shown, json!({ "meeting": { "comments": { "totalCount": 0 } } }), "the same each second");
        }
    }

    async fn rejects_two_root_fields_in_a_subscription(env) {
        let (_, meeting) = live(&env).await;
        let anonymous = env.anonymous();
        let variables = json!({ "id": meeting, "yes": true });
        let one = "comments(meetingId: $id) { kind seq }";
        let declared = |body: &str| {
            let yes = if body.contains("$yes") { ", $yes: Boolean!" } else { "" };
            format!("subscription($id: ID!{yes}) {body}")
        };
        for refused in [
            format!("{{ {one} meetings {{ kind }} }}"),
            format!("{{ {one} again: {one} }}"),
            format!("{{ {one} ...F }} fragment F on Subscription {{ meetings {{ kind }} }}"),
            format!("{{ {one} __typename }}"),
            format!("{{ ... on Subscription {{ {one} __typename }} }}"),
            "{ comments(meetingId: $id) @include(if: $yes) { kind } }".to_owned(),
            format!("{{ {one} ... @skip(if: $yes) {{ meetings {{ kind }} }} }}"),
            format!("{{ ...F @include(if: $yes) }} fragment F on Subscription {{ {one} }}"),
        ] {
            let query = declared(&refused);
            let heard = first(&anonymous, &query, &variables).await;
            assert_eq!(
                (&heard["type"], &heard["payload"][0]["extensions"]["code"]),
                (&json!("error"), &json!("BAD_USER_INPUT")),
                "{query}: {heard}"
            );
            for accept in ["text/event-stream", "multipart/mixed; subscriptionSpec=1.0"] {
                let text = first_event(&anonymous, accept, &query, &variables).await;
                assert!(text.contains("BAD_USER_INPUT") && !text.contains("SUBSCRIBED"), "{query}: {text}");
            }
        }
        let ana = env.citizen("Ana");
        let mut all = Vec::new();
        for taken in [
            format!("{{ ...F }} fragment F on Subscription {{ {one} }}"),
            format!("{{ ... on Subscription {{ {one} }} }}"),
            format!("{{ ... {{ ...F }} }} fragment F on Subscription {{ ... on Subscription {{ {one} }} }}"),
            format!("{{ {one} ...F {one} }} fragment F on Subscription {{ {one} }}"),
            "{ comments(meetingId: $id) { kind seq @include(if: $yes) } }".to_owned(),
        ] {
            let mut live = anonymous.follow(&declared(&taken), variables.clone()).await;
            assert_eq!(live.next().await["kind"], "SUBSCRIBED", "{taken}");
            all.push(live);
        }
        for (body, seq) in [("Жол?", 1), ("Су?", 2)] {
            ana.post(&meeting, body).await;
            for live in &mut all {
                assert_eq!(live.next().await, json!({ "kind": "POSTED", "seq": seq }));
            }
        }
    }

    async fn returns_an_empty_object_when_nothing_is_selected(env) {
        let (_, meeting) = live(&env).await;
        for (query, data) in [
            ("{ viewer @skip(if: true) { subject } }", json!({})),
            ("query($id: ID!) { meeting(id: $id) { id @skip(if: true) } }", json!({ "meeting": {} })),
            ("query($id: ID!) { node(id: $id) { ... on Comment { body } } }", json!({ "node": {} })),
            ("query($id: ID!) { node(id: $id) { ... on Comment { body } id } }", json!({ "node": { "id": meeting } })),
            (
                "query($id: ID!) { nodes(ids: [$id]) { ... on Comment { body } ... on Node @skip(if: true) { id } } }",
                json!({ "nodes": [{}] }),
            ),
            ("{ node(id: \"mtg_00000000000000000000000000\") { ... on Comment { body } } }", json!({ "node": null })),
        ] {
            assert_eq!(env.anonymous().query(query, json!({ "id": meeting })).await, data, "{query}");
        }
    }

    async fn treats_an_empty_operation_name_as_none(env) {
        let anonymous = env.anonymous();
        for query in ["{ viewer { subject } }", "query A { viewer { subject } }"] {
            let (_, answer) = anonymous.send_body(JSON, &json!({ "query": query, "operationName": "" })).await;
            assert_eq!(answer, json!({ "data": { "viewer": null } }));
            let get =
                web().get(format!("http://{}/graphql", env.host(0))).query(&[("query", query), ("operationName", "")]);
            assert_eq!(get.send().await.unwrap().json::<Value>().await.unwrap(), answer);
        }
        let two = json!({ "query": "query A { __typename } query B { __typename }", "operationName": "" });
        assert_eq!(error(&anonymous.send_body(JSON, &two).await.1), ("BAD_USER_INPUT", ""));
    }

    async fn parses_string_literals_as_the_specification_says(env) {
        let (_, meeting) = live(&env).await;
        let ana = env.citizen("Ana");
        let post = |literal: &str| {
            format!(
                "mutation($id: ID!) {{ postComment(input: {{ meetingId: $id, body: {literal} }}) {{ comment {{ body }} refusal {{ code }} }} }}"
            )
        };
        for (literal, body) in [
            (r#""Рақмет \ud83d\ude4f""#, "Рақмет 🙏"),
            (r#""Рахмет \u{1F64F}""#, "Рахмет 🙏"),
            (r#""""Ол \"""жақын арада\""" деді""""#, r#"Ол """жақын арада""" деді"#),
        ] {
            let posted = ana.query(&post(literal), json!({ "id": meeting })).await;
            assert_eq!(posted["postComment"]["comment"]["body"], body, "{posted}");
            env.advance(TimeDelta::minutes(1));
        }
        for literal in [r#""\ud83d""#, r#""\ude4f\ud83d""#, r#""\u{d83d}""#, r#""\u{110000}""#] {
            let answer = ana.send(&post(literal), json!({ "id": meeting })).await;
            assert_eq!(answer["errors"][0]["message"], "The operation has a syntax error.", "{literal}");
        }
        // Locations after a rewritten literal stay correct.
        let misfit = ana.send("{ region(code: \"75111\\u{30}000\") { names } }", json!({})).await;
        assert_eq!(misfit["errors"][0]["locations"], json!([{ "line": 1, "column": 36 }]), "{misfit}");
    }

    async fn counts_the_cost_of_pages_in_fragments(env) {
        let (_, meeting) = live(&env).await;
        let page = |leaves: usize| format!("comments(first: 100) {{ nodes {{ {} }} }}", "id ".repeat(leaves));
        for (leaves, fits) in [(50, true), (200, false)] {
            for query in [
                format!("query($id: ID!) {{ node(id: $id) {{ ... on Meeting {{ {} }} }} }}", page(leaves)),
                format!("query($id: ID!) {{ node(id: $id) {{ ...F }} }} fragment F on Meeting {{ {} }}", page(leaves)),
                format!(
                    "query($id: ID!) {{ ...Q }} fragment F on Meeting {{ {} }} fragment Q on Query {{ node(id: $id) {{ ...F }} }}",
                    page(leaves)
                ),
            ] {
                let answer = env.anonymous().send(&query, json!({ "id": meeting })).await;
                assert_eq!(answer.get("errors").is_none(), fits, "{leaves}: {query:.100} {answer:.300}");
            }
        }
    }
}
