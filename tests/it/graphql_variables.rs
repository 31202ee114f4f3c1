//! Variables of operations: validated before anything runs.

use harness::{TestEnv, id_of, on_both_engines, web};
use serde_json::{Value, json};

use crate::graphql_requests::{JSON, RESPONSE, error, first, first_event, live};

async fn votes(env: &TestEnv, meeting: &str) -> Value {
    env.anonymous().comments(meeting, json!({})).await[0]["votes"].clone()
}

on_both_engines! {
    async fn rejects_a_missing_required_variable_before_running_anything(env) {
        let (_, meeting) = live(&env).await;
        let (ana, bek) = (env.citizen("Ana"), env.citizen("Bek"));
        let comment = id_of(&bek.post(&meeting, "Жол қашан?").await);
        let vote = |b: &str| {
            format!(
                "mutation($a: ID!, $b: {b}) {{ x: voteComment(input: {{ commentId: $a }}) {{ comment {{ votes }} }} \
                     y: voteComment(input: {{ commentId: $b }}) {{ comment {{ votes }} }} }}"
            )
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
            assert_eq!(
                (&refused["type"], &refused["payload"][0]["extensions"]["field"]),
                (&json!("error"), &json!("b"))
            );
        }
        assert_eq!(votes(&env, &meeting).await, 0);
        let get = web()
            .get(format!("http://{}/graphql", env.host(0)))
            .header("accept", RESPONSE)
            .header("accept-language", "kk");
        let get = get
            .query(&[("query", "query($id: ID!) { meetings { totalCount } meeting(id: $id) { id } }")])
            .send()
            .await
            .unwrap();
        assert_eq!(get.status(), 400);
        let answer: Value = get.json().await.unwrap();
        assert_eq!(
            (error(&answer), &answer["errors"][0]["message"]),
            (("BAD_USER_INPUT", "id"), &json!("«id» айнымалысы міндетті."))
        );
        let follow = "subscription($id: ID!) { comments(meetingId: $id) { kind } }";
        let refused = first(&ana, follow, &json!({})).await;
        assert_eq!((&refused["type"], &refused["payload"][0]["extensions"]["field"]), (&json!("error"), &json!("id")));
    }

    async fn rejects_a_value_of_the_wrong_type_before_running_anything(env) {
        let (_, meeting) = live(&env).await;
        let (ana, bek) = (env.citizen("Ana"), env.citizen("Bek"));
        let comment = id_of(&bek.post(&meeting, "Жол қашан?").await);
        let after_a_vote = |more: &str, field: &str| {
            format!(
                "mutation($c: ID!{more}) {{ voteComment(input: {{ commentId: $c }}) {{ comment {{ votes }} }} {field} }}"
            )
        };
        let posted = |input: &str| format!("postComment(input: {input}) {{ comment {{ id }} }}");
        let planned = |start: &str| {
            format!(
                "rescheduleMeeting(input: {{ meetingId: $c, plannedStart: {start}, reason: \"x\" }}) {{ meeting {{ id }} }}"
            )
        };
        for (mutation, given) in [
            (after_a_vote(", $i: PostCommentInput!", &posted("$i")), json!({ "i": { "meetingId": meeting } })),
            (
                after_a_vote(", $i: PostCommentInput!", &posted("$i")),
                json!({ "i": { "meetingId": meeting, "body": null } }),
            ),
            (
                after_a_vote(", $i: PostCommentInput!", &posted("$i")),
                json!({ "i": { "meetingId": meeting, "body": "x", "kind": "NONE" } }),
            ),
            (
                after_a_vote(", $i: PostCommentInput!", &posted("$i")),
                json!({ "i": { "meetingId": meeting, "body": "x", "more": 1 } }),
            ),
            (after_a_vote(", $i: PostCommentInput!", &posted("$i")), json!({ "i": "text" })),
            (
                after_a_vote(", $i: LabelCommentInput!", "labelComment(input: $i) { comment { id } }"),
                json!({ "i": { "commentId": comment, "labels": ["a", null] } }),
            ),
            (
                after_a_vote(", $i: MuteAuthorInput!", "muteAuthor(input: $i) { refusal { code } }"),
                json!({ "i": { "commentId": comment, "minutes": 9_999_999_999_i64 } }),
            ),
            (after_a_vote(", $i: DateTime!", &planned("$i")), json!({ "i": "tomorrow" })),
            (after_a_vote("", &planned("\"tomorrow\"")), json!({})),
            (after_a_vote(", $i: String!", &planned("$i")), json!({ "i": "tomorrow" })),
            (after_a_vote(", $i: PostCommentInput", &posted("$i")), json!({})),
            (after_a_vote(", $i: String", &posted("{ meetingId: $c, body: $i }")), json!({})),
            (
                after_a_vote(
                    ", $i: [String]!",
                    "labelComment(input: { commentId: $c, labels: $i }) { comment { id } }",
                ),
                json!({ "i": ["a", null] }),
            ),
            (
                after_a_vote("", "muteAuthor(input: { commentId: $c, minutes: 9999999999 }) { refusal { code } }"),
                json!({}),
            ),
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
            anonymous
                .send_body(JSON, &json!({ "query": document, "operationName": name, "variables": variables }))
                .await
                .1
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
}
