//! Denied commands begin no transaction and wait for no lock.

use harness::{
    Actor, HOST, Opening, id_of, on_both_engines, refusal,
    sdl::{SampleObjects, mutations, sample_input},
};
use kezdesu::graphql::node::GlobalId;
use serde_json::{Value, json};

async fn code(actor: &Actor, name: &str, input: &Value) -> String {
    let answer = actor.try_mutate(name, input.clone()).await;
    answer["errors"][0]["extensions"]["code"].as_str().unwrap_or_else(|| panic!("{name}: {answer}")).to_owned()
}

on_both_engines! {
    async fn denies_unauthorised_commands_while_another_transaction_holds_the_lock(env) {
        let staff = env.akimat(HOST);
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let comment = id_of(&env.citizen("Ana").post(&meeting, "Жол?").await);
        let add = json!({ "meetingId": meeting, "platform": "VK", "url": "https://vk.example/live" });
        let broadcast = id_of(&staff.mutate("addBroadcast", add).await["meeting"]["broadcasts"][0]);
        let reception = staff.reception_in(HOST, HOST, &env, Opening::default()).await;
        let registration = id_of(&env.citizen("Ana").register(&reception, json!({})).await);
        let webhook = id_of(&staff.register_webhook("http://127.0.0.1:9/").await.0);
        let issue = id_of(&staff.raise("Жол", &[]).await);
        let ended = staff.ended_meeting(HOST, HOST, env.now()).await;
        let publication = id_of(&staff.publish(&json!({ "kind": "MEETING_RESULTS", "meetingId": ended })).await);
        let Some(GlobalId::Meeting(id)) = GlobalId::parse(&meeting) else { panic!("{meeting}") };
        // The embedded engine has a single writer.
        let held = env.service(0).app().store.begin().await.unwrap();
        held.lock_meeting(id).await.unwrap().unwrap();
        let (anonymous, connector, oversight) =
            (env.anonymous(), env.connector("711110000"), env.person("Oversight", &["ADMINISTRATION"], None));
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
        for name in mutations() {
            let input = sample_input(name, objects);
            assert_eq!(code(&anonymous, name, &input).await, "UNAUTHENTICATED", "{name}");
            for actor in [&connector, &oversight] {
                assert_eq!(code(actor, name, &input).await, "FORBIDDEN", "{name}");
            }
        }
        // Missing and forbidden objects look alike, without waiting.
        for name in ["voteComment", "withdrawComment"] {
            let missing =
                env.citizen("Ben").mutate(name, json!({ "commentId": "cmt_00000000000000000000000000" })).await;
            assert_eq!(refusal(&missing), "NOT_FOUND");
        }
        drop(held);
    }

    async fn rejects_a_post_that_cannot_succeed_without_a_transaction(env) {
        let (staff, moderator, ana) = (env.akimat(HOST), env.moderator(HOST), env.citizen("Ana"));
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let post = async |actor: &Actor, body: &str, key: Option<&str>| {
            actor.mutate("postComment", json!({ "meetingId": meeting, "body": body, "idempotencyKey": key })).await
        };
        let first = post(&ana, "Жол?", Some("k")).await["comment"].clone();
        moderator.mutate("muteAuthor", json!({ "commentId": first["id"], "minutes": 10 })).await;
        let Some(GlobalId::Meeting(id)) = GlobalId::parse(&meeting) else { panic!("{meeting}") };
        let held = env.service(0).app().store.begin().await.unwrap();
        held.lock_meeting(id).await.unwrap().unwrap();
        for key in [None, Some("another")] {
            assert_eq!(refusal(&post(&ana, "Су?", key).await), "MUTED", "{key:?}");
        }
        let nowhere = json!({ "meetingId": "mtg_00000000000000000000000000", "body": "Су?" });
        assert_eq!(refusal(&ana.mutate("postComment", nowhere).await), "NOT_FOUND");
        drop(held);
        assert_eq!(
            post(&ana, "Жол?", Some("k")).await["comment"]["id"],
            first["id"],
            "a completed command is returned by its key"
        );
        staff.mutate("endMeeting", json!({ "meetingId": meeting })).await;
        let held = env.service(0).app().store.begin().await.unwrap();
        held.lock_meeting(id).await.unwrap().unwrap();
        assert_eq!(refusal(&post(&env.citizen("Ben"), "Су?", Some("k")).await), "NOT_LIVE");
        drop(held);
    }
}
