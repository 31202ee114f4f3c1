//! The shape of responses: order of fields and null propagation.

use harness::{Actor, HOST, on_both_engines};
use serde_json::{Value, json};

/// Returns a response as text.
async fn text(actor: &Actor, query: &str, variables: Value) -> String {
    let body = json!({ "query": query, "variables": variables });
    actor.request().json(&body).send().await.unwrap().text().await.unwrap()
}

on_both_engines! {
    async fn returns_fields_in_the_order_requested(env) {
        let staff = env.akimat(HOST);
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        env.citizen("Ana").post(&meeting, "Жол?").await;
        let names =
            ["commentsHead", "phase", "broadcasts", "timeSplit", "comments", "title", "version", "announcedInTime"];
        let query = "query($id: ID!) { meeting(id: $id) { commentsHead phase broadcasts { id } timeSplit { status stage } \
                     comments { totalCount nodes { votes body } } title { ru kk } version announcedInTime } }";
        let first = text(&env.anonymous(), query, json!({ "id": meeting })).await;
        let places: Vec<_> = names.iter().map(|name| first.find(&format!("\"{name}\":")).expect(name)).collect();
        assert!(places.is_sorted(), "{first}");
        for (one, other) in [("status", "stage"), ("totalCount", "nodes"), ("votes", "body"), ("ru", "kk")] {
            assert!(first.find(&format!("\"{one}\"")) < first.find(&format!("\"{other}\"")), "{first}");
        }
        for _ in 0..20 {
            assert_eq!(text(&env.anonymous(), query, json!({ "id": meeting })).await, first);
        }
    }

    async fn returns_null_for_a_failed_field_and_keeps_the_others(env) {
        let anonymous = env.anonymous();
        let query = "query($c: KatoCode!) { one: region(code: $c) { code } meeting(id: \"x\") { id } two: region(code: $c) { code } }";
        let answer = anonymous.send(query, json!({ "c": HOST })).await;
        assert_eq!(
            answer["data"],
            json!({ "one": { "code": HOST }, "meeting": null, "two": { "code": HOST } }),
            "{answer}"
        );
        assert_eq!(answer["errors"][0]["path"], json!(["meeting"]));
        let alone = anonymous.send("{ meeting(id: \"x\") { id } }", json!({})).await;
        assert_eq!(alone["data"], json!({ "meeting": null }), "{alone}");
        let whole = anonymous.send("{ viewer { subject } meetings(first: 0) { totalCount } }", json!({})).await;
        assert!(
            whole["data"].is_null() && whole["errors"].is_array(),
            "null in a non-null list propagates to the root: {whole}"
        );
    }
}
