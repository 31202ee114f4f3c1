//! How often a person and an address may post and vote.

use chrono::TimeDelta;
use harness::{Actor, Engine, Town, id_of, refusal, web};
use serde_json::{Value, json};

const HOST: &str = "751110000";

async fn town(person: &str, address: &str) -> Town {
    let limits = [
        ("KEZDESU_PERSON_A_MINUTE", person),
        ("KEZDESU_ADDRESS_A_MINUTE", address),
        ("KEZDESU_TRUSTED_PROXIES", "127.0.0.0/8"),
    ];
    Town::with(Engine::Embedded, &limits).await
}

/// Posts as a proxy passes it on, and gives the payload.
async fn post_from(author: &Actor, meeting: &str, body: &str, forwarded: &str) -> Value {
    let query = "mutation($input: PostCommentInput!) { postComment(input: $input) { comment { id } refusal { code retryAfterMs } } }";
    let input = json!({ "meetingId": meeting, "body": body });
    let request = web().post(format!("http://{}/graphql", author.host));
    let request = request.bearer_auth(author.token.as_ref().expect("a token")).header("x-forwarded-for", forwarded);
    let answer = request.json(&json!({ "query": query, "variables": { "input": input } })).send().await.unwrap();
    answer.json::<Value>().await.unwrap()["data"]["postComment"].clone()
}

#[tokio::test]
async fn a_person_who_posts_too_often_is_told_how_long_to_wait() {
    let town = town("3", "0").await;
    let (staff, ana) = (town.akimat(HOST), town.citizen("Ana"));
    let meeting = staff.live_meeting(HOST, HOST, town.now(), "AFTER").await;
    for n in 0..3 {
        ana.post(&meeting, &format!("№ {n}")).await;
    }
    let input = json!({ "meetingId": meeting, "body": "№ 3" });
    let refused = ana.act("postComment", input.clone()).await;
    assert_eq!((refusal(&refused).as_str(), &refused["refusal"]["retryAfterMs"]), ("TOO_FAST", &json!(20_000)));
    let other = id_of(&town.citizen("Ben").post(&meeting, "Көрші").await);
    let vote = ana.act("voteComment", json!({ "commentId": other })).await;
    assert!(vote["refusal"].is_null(), "votes are counted for themselves: {vote}");
    town.pass(TimeDelta::milliseconds(20_000));
    assert!(ana.act("postComment", input).await["refusal"].is_null());
    for _ in 0..2 {
        ana.act("voteComment", json!({ "commentId": other })).await;
    }
    ana.act("voteComment", json!({ "commentId": other })).await;
    assert_eq!(refusal(&ana.act("voteComment", json!({ "commentId": other })).await), "TOO_FAST");
}

#[tokio::test]
async fn an_address_is_counted_as_its_trusted_proxies_tell_it() {
    let town = town("0", "2").await;
    let meeting = town.akimat(HOST).live_meeting(HOST, HOST, town.now(), "AFTER").await;
    let people: Vec<_> = ["Ana", "Ben", "Dana"].map(|name| town.citizen(name)).into();
    let code = |payload: Value| payload["refusal"]["code"].as_str().map(str::to_owned);
    for one in &people[..2] {
        assert_eq!(code(post_from(one, &meeting, "Жол?", "203.0.113.7").await), None);
    }
    let third = post_from(&people[2], &meeting, "Жол?", "203.0.113.7").await;
    assert_eq!((code(third.clone()).as_deref(), &third["refusal"]["retryAfterMs"]), (Some("TOO_FAST"), &json!(30_000)));
    // What a client writes before its proxy's word changes nothing.
    let forged = post_from(&people[2], &meeting, "Жол?", "198.51.100.9, 203.0.113.7").await;
    assert_eq!(code(forged).as_deref(), Some("TOO_FAST"));
    assert_eq!(code(post_from(&people[2], &meeting, "Жол?", "203.0.113.8").await), None);
}
