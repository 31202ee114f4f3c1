//! GraphQL semantics of requests, and what is rejected before execution.

use chrono::TimeDelta;
use harness::{Actor, HOST, TestEnv, id_of, on_both_engines, web};
use serde_json::{Value, json};

const JSON: &str = "application/json";
const RESPONSE: &str = "application/graphql-response+json";

async fn live(env: &TestEnv) -> (Actor, String) {
    let staff = env.akimat(HOST);
    let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
    (staff, meeting)
}

/// Returns the response to a query, and the number of its statements.
async fn measured(env: &TestEnv, query: &str, variables: &Value) -> (Value, u64) {
    env.counting(env.anonymous().query(query, variables.clone())).await
}

/// Returns the code and the field of the first error.
fn error(answer: &Value) -> (&str, &str) {
    let extensions = &answer["errors"][0]["extensions"];
    (extensions["code"].as_str().unwrap_or_default(), extensions["field"].as_str().unwrap_or_default())
}

/// Returns the first message of an operation on a socket.
async fn first(actor: &Actor, query: &str, variables: &Value) -> Value {
    let mut live = actor.follow(query, variables.clone()).await;
    live.socket.receive().await
}

/// Reads a streamed response up to its first event.
async fn first_event(actor: &Actor, accept: &str, query: &str, variables: &Value) -> String {
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

async fn votes(env: &TestEnv, meeting: &str) -> Value {
    env.anonymous().comments(meeting, json!({})).await[0]["votes"].clone()
}

on_both_engines! {
    async fn runs_a_repeated_field_once(env) {
        let (_, meeting) = live(&env).await;
        env.citizen("Ana").post(&meeting, "Жол қашан?").await;
        let variables = json!({ "id": meeting });
        let comments = "comments(first: 1) { totalCount nodes { body } } ";
        let each = |times: usize| comments.repeat(times);
        for (what, one, many) in [
            ("plainly", format!("{{ meeting(id: $id) {{ {} }} }}", each(1)), format!("{{ meeting(id: $id) {{ {} }} }}", each(40))),
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
                    "...F ".repeat(10), "... on Node { ... on Meeting { ...F } } ".repeat(5), "... { ...F } ".repeat(5), each(2),
                ),
            ),
            (
                "below an interface",
                format!("{{ node(id: $id) {{ ... on Meeting {{ {} }} }} }}", each(1)),
                format!("{{ node(id: $id) {{ ... on Meeting {{ {} }} ... on Node {{ ... on Meeting {{ {} }} }} }} }}", each(20), each(20)),
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
            format!("mutation($id: ID!) {{ {one} ...F }} fragment F on Mutation {{ {one} }}").replace("Жол қашан?", "Су ше?"),
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
            (format!("subscription($id: ID!) {{ {split} }}"), format!("subscription($id: ID!) {{ {split} ...F }} fragment F on Subscription {{ {split} }}"))
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

    async fn rejects_a_missing_required_variable_before_running_anything(env) {
        let (_, meeting) = live(&env).await;
        let (ana, bek) = (env.citizen("Ana"), env.citizen("Bek"));
        let comment = id_of(&bek.post(&meeting, "Жол қашан?").await);
        let vote = |b: &str| {
            format!("mutation($a: ID!, $b: {b}) {{ x: voteComment(input: {{ commentId: $a }}) {{ comment {{ votes }} }} \
                     y: voteComment(input: {{ commentId: $b }}) {{ comment {{ votes }} }} }}")
        };
        for (mutation, variables) in [
            (vote("ID!"), json!({ "a": comment })),
            (vote("ID!"), json!({ "a": comment, "b": null })),
            (vote("ID! = \"cmt_00000000000000000000000000\""), json!({ "a": comment, "b": null })),
        ] {
            let body = json!({ "query": mutation, "variables": variables });
            for (accept, status) in [(JSON, 200), (RESPONSE, 400)] {
                let (found, answer) = ana.send_body(accept, &body).await;
                assert_eq!((found, error(&answer)), (status, ("BAD_USER_INPUT", "b")), "{answer}");
                assert!(answer.get("data").is_none(), "{answer}");
                assert!(answer["errors"][0]["message"].as_str().unwrap().contains("\"b\""), "{answer}");
            }
            for accept in ["text/event-stream", "multipart/mixed; subscriptionSpec=1.0"] {
                let text = first_event(&ana, accept, &mutation, &variables).await;
                assert!(text.contains("\"field\":\"b\"") && !text.contains("\"data\":"), "{text}");
            }
            let refused = first(&ana, &mutation, &variables).await;
            assert_eq!((&refused["type"], &refused["payload"][0]["extensions"]["field"]), (&json!("error"), &json!("b")));
        }
        assert_eq!(votes(&env, &meeting).await, 0);
        let get = web().get(format!("http://{}/graphql", env.host(0))).header("accept", RESPONSE).header("accept-language", "kk");
        let get = get.query(&[("query", "query($id: ID!) { meetings { totalCount } meeting(id: $id) { id } }")]).send().await.unwrap();
        assert_eq!(get.status(), 400);
        let answer: Value = get.json().await.unwrap();
        assert_eq!((error(&answer), &answer["errors"][0]["message"]), (("BAD_USER_INPUT", "id"), &json!("«id» айнымалысы міндетті.")));
        let follow = "subscription($id: ID!) { comments(meetingId: $id) { kind } }";
        let refused = first(&ana, follow, &json!({})).await;
        assert_eq!((&refused["type"], &refused["payload"][0]["extensions"]["field"]), (&json!("error"), &json!("id")));
    }

    async fn rejects_a_value_of_the_wrong_type_before_running_anything(env) {
        let (_, meeting) = live(&env).await;
        let (ana, bek) = (env.citizen("Ana"), env.citizen("Bek"));
        let comment = id_of(&bek.post(&meeting, "Жол қашан?").await);
        let after_a_vote = |more: &str, field: &str| {
            format!("mutation($c: ID!{more}) {{ voteComment(input: {{ commentId: $c }}) {{ comment {{ votes }} }} {field} }}")
        };
        let posted = |input: &str| format!("postComment(input: {input}) {{ comment {{ id }} }}");
        let planned = |start: &str| {
            format!("rescheduleMeeting(input: {{ meetingId: $c, plannedStart: {start}, reason: \"x\" }}) {{ meeting {{ id }} }}")
        };
        for (mutation, given) in [
            (after_a_vote(", $i: PostCommentInput!", &posted("$i")), json!({ "i": { "meetingId": meeting } })),
            (after_a_vote(", $i: PostCommentInput!", &posted("$i")), json!({ "i": { "meetingId": meeting, "body": null } })),
            (after_a_vote(", $i: PostCommentInput!", &posted("$i")), json!({ "i": { "meetingId": meeting, "body": "x", "kind": "NONE" } })),
            (after_a_vote(", $i: PostCommentInput!", &posted("$i")), json!({ "i": { "meetingId": meeting, "body": "x", "more": 1 } })),
            (after_a_vote(", $i: PostCommentInput!", &posted("$i")), json!({ "i": "text" })),
            (after_a_vote(", $i: LabelCommentInput!", "labelComment(input: $i) { comment { id } }"), json!({ "i": { "commentId": comment, "labels": ["a", null] } })),
            (after_a_vote(", $i: MuteAuthorInput!", "muteAuthor(input: $i) { refusal { code } }"), json!({ "i": { "commentId": comment, "minutes": 9_999_999_999_i64 } })),
            (after_a_vote(", $i: DateTime!", &planned("$i")), json!({ "i": "tomorrow" })),
            (after_a_vote("", &planned("\"tomorrow\"")), json!({})),
            (after_a_vote(", $i: String!", &planned("$i")), json!({ "i": "tomorrow" })),
            (after_a_vote(", $i: PostCommentInput", &posted("$i")), json!({})),
            (after_a_vote(", $i: String", &posted("{ meetingId: $c, body: $i }")), json!({})),
            (after_a_vote(", $i: [String]!", "labelComment(input: { commentId: $c, labels: $i }) { comment { id } }"), json!({ "i": ["a", null] })),
            (after_a_vote("", "muteAuthor(input: { commentId: $c, minutes: 9999999999 }) { refusal { code } }"), json!({})),
        ] {
            let mut variables = given.clone();
            variables["c"] = json!(comment);
            let (status, answer) = ana.send_body(RESPONSE, &json!({ "query": mutation, "variables": variables })).await;
            assert_eq!((status, error(&answer).0), (400, "BAD_USER_INPUT"), "{mutation} {given}: {answer}");
            assert!(answer.get("data").is_none(), "{answer}");
        }
        assert_eq!(votes(&env, &meeting).await, 0);
    }

    async fn validates_only_the_variables_of_the_selected_operation(env) {
        let anonymous = env.anonymous();
        let document = "query A($n: Int!) { meetings(first: $n) { totalCount } } query B($n: String, $d: Date = \"2026-03-02\") \
                        { viewer { subject } regions(asOf: $d, after: $n) { totalCount } }";
        let run = async |name: &str, variables: Value| {
            anonymous.send_body(JSON, &json!({ "query": document, "operationName": name, "variables": variables })).await.1
        };
        assert!(run("B", json!({})).await.get("errors").is_none());
        assert!(run("B", json!({ "n": null, "more": { "a": [null] } })).await.get("errors").is_none());
        assert_eq!(error(&run("A", json!({})).await), ("BAD_USER_INPUT", "n"));
        assert_eq!(run("A", json!({ "n": 1 })).await["data"]["meetings"]["totalCount"], 0);
        // An omitted variable keeps the argument's default.
        let conditions = "query($a: Boolean = true, $b: Boolean = false) { viewer @include(if: $a) { subject } a: __typename @skip(if: $b) }";
        let answer = anonymous.query(conditions, json!({})).await;
        assert_eq!(answer, json!({ "viewer": null, "a": "Query" }));
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
            assert_eq!((&heard["type"], &heard["payload"][0]["extensions"]["code"]), (&json!("error"), &json!("BAD_USER_INPUT")), "{query}: {heard}");
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
            ("query($id: ID!) { nodes(ids: [$id]) { ... on Comment { body } ... on Node @skip(if: true) { id } } }", json!({ "nodes": [{}] })),
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
            let get = web().get(format!("http://{}/graphql", env.host(0))).query(&[("query", query), ("operationName", "")]);
            assert_eq!(get.send().await.unwrap().json::<Value>().await.unwrap(), answer);
        }
        let two = json!({ "query": "query A { __typename } query B { __typename }", "operationName": "" });
        assert_eq!(error(&anonymous.send_body(JSON, &two).await.1), ("BAD_USER_INPUT", ""));
    }

    async fn accepts_a_variable_used_only_in_a_directive(env) {
        let anonymous = env.anonymous();
        for query in [
            "query($v: Boolean!) { __typename @include(if: $v) viewer { subject } }",
            "query($v: Boolean!) { viewer @include(if: $v) { subject } __typename }",
            "query($v: Boolean!) { __typename viewer { subject } ... @include(if: $v) { __typename } }",
            "query($v: Boolean!) { ...F viewer { subject } } fragment F on Query { __typename @include(if: $v) }",
            "query($v: Boolean!) { ...F @include(if: $v) viewer { subject } } fragment F on Query { __typename }",
        ] {
            let answer = anonymous.query(query, json!({ "v": true })).await;
            assert_eq!(answer, json!({ "__typename": "Query", "viewer": null }), "{query}");
        }
        for (query, why) in [
            ("query($v: Boolean!) { __typename }", "is not used"),
            ("{ __typename @include(if: $v) }", "is not defined"),
            ("query($v: String!) { __typename @include(if: $v) }", "expected type \"String!\""),
        ] {
            let answer = anonymous.send(query, json!({ "v": true })).await;
            let detail = answer["errors"][0]["extensions"]["detail"].as_str().unwrap_or_default();
            assert!(detail.contains(why), "{query}: {answer}");
        }
    }

    async fn parses_string_literals_as_the_specification_says(env) {
        let (_, meeting) = live(&env).await;
        let ana = env.citizen("Ana");
        let post = |literal: &str| format!("mutation($id: ID!) {{ postComment(input: {{ meetingId: $id, body: {literal} }}) {{ comment {{ body }} refusal {{ code }} }} }}");
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
            assert_eq!(answer["errors"][0]["message"], "The operation cannot be read: its syntax is wrong.", "{literal}");
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
                format!("query($id: ID!) {{ ...Q }} fragment F on Meeting {{ {} }} fragment Q on Query {{ node(id: $id) {{ ...F }} }}", page(leaves)),
            ] {
                let answer = env.anonymous().send(&query, json!({ "id": meeting })).await;
                assert_eq!(answer.get("errors").is_none(), fits, "{leaves}: {query:.100} {answer:.300}");
            }
        }
    }
}
