//! Displayed author names.

use harness::{Actor, HOST, TestEnv, id_of, on_both_engines, refusal, token_claims};
use serde_json::{Value, json};

const SHOWN: &str =
    "query($id: ID!) { meeting(id: $id) { comments(first: 100) { nodes { body authorName authorNameChosen } } } }";

async fn post_as(actor: &Actor, meeting: &str, body: &str, name: Option<&str>) -> Value {
    actor.mutate("postComment", json!({ "meetingId": meeting, "body": body, "authorName": name })).await
}

async fn shown(env: &TestEnv, meeting: &str) -> Vec<(String, bool)> {
    let found = env.anonymous().query(SHOWN, json!({ "id": meeting })).await;
    let nodes = found["meeting"]["comments"]["nodes"].as_array().unwrap().clone();
    let shown =
        |node: &Value| (node["authorName"].as_str().unwrap().to_owned(), node["authorNameChosen"].as_bool().unwrap());
    nodes.iter().map(shown).collect()
}

fn chosen(payload: &Value) -> (String, String) {
    (refusal(payload), payload["refusal"]["field"].as_str().unwrap_or_default().to_owned())
}

on_both_engines! {
    async fn marks_a_chosen_name(env) {
        let meeting = env.akimat(HOST).live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let ana = env.citizen("Ана Мария");
        for (n, name) in [None, Some("Ана Мария"), Some(" Ана  Мария "), Some("Аноним")].into_iter().enumerate()
        {
            let posted = post_as(&ana, &meeting, &format!("№ {n}"), name).await;
            assert!(posted["refusal"].is_null(), "{posted}");
        }
        let told = |name: &str, chosen| (name.to_owned(), chosen);
        assert_eq!(
            shown(&env, &meeting).await,
            [told("Ана Мария", false), told("Ана Мария", false), told("Ана  Мария", true), told("Аноним", true)],
        );
    }

    async fn rejects_chosen_names_that_are_titles_of_office(env) {
        let meeting = env.akimat(HOST).live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let ana = env.citizen("Ana");
        for name in ["Аким района", "Қала әкімі", "Akim", "А.к.и.м", "Мoдератор", "Полиция", "Министр"]
        {
            let payload = post_as(&ana, &meeting, "Жол?", Some(name)).await;
            assert_eq!(chosen(&payload), ("INVALID".to_owned(), "authorName".to_owned()), "{name}");
        }
        assert!(shown(&env, &meeting).await.is_empty());
        // Names of the identity provider are always accepted.
        let akim = env.citizen("Әкім Ахметов");
        assert!(post_as(&akim, &meeting, "Жол?", None).await["refusal"].is_null());
        assert!(post_as(&akim, &meeting, "Су?", Some("Ахметов Әкім")).await["refusal"].is_null());
        assert!(post_as(&ana, &meeting, "Су?", Some("Акимова Ана")).await["refusal"].is_null());
    }

    async fn rejects_chosen_names_of_the_hosts_staff(env) {
        let named = |name: &str, role: &str, region: &str| env.person(name, &[role], Some(region));
        let staff = named("Болат Серіков", "AKIMAT", HOST);
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let (ana, above) = (env.citizen("Ana"), named("Айгүл Сәрсенова", "MODERATOR", "750000000"));
        assert!(
            post_as(&ana, &meeting, "Бір", Some("Айгүл Сәрсенова")).await["refusal"].is_null(),
            "she has not acted as staff yet"
        );
        above.mutate("setStage", json!({ "meetingId": meeting, "stage": "QUESTIONS" })).await;
        for name in ["Болат Серіков", "серіков болат", "Бoлaт Серiкoв", "Айгул Сарсенова"]
        {
            let payload = post_as(&ana, &meeting, "Екі", Some(name)).await;
            assert_eq!(chosen(&payload), ("INVALID".to_owned(), "authorName".to_owned()), "{name}");
        }
        let namesake = env.citizen("Болат Серіков");
        assert!(
            post_as(&namesake, &meeting, "Екі", None).await["refusal"].is_null(),
            "the name of the token is accepted"
        );
        assert!(post_as(&namesake, &meeting, "Үш", Some("Болат Серіков")).await["refusal"].is_null());
        let elsewhere = env.akimat("711110000").live_meeting("711110000", "711110000", env.now(), "AFTER").await;
        assert!(
            post_as(&ana, &elsewhere, "Төрт", Some("Болат Серіков")).await["refusal"].is_null(),
            "names are reserved per host"
        );
    }

    async fn truncates_long_names_of_tokens(env) {
        let meeting = env.akimat(HOST).live_meeting(HOST, HOST, env.now(), "AFTER").await;
        for (n, (name, expected)) in [
            ("ә".repeat(150), format!("{}…", "ә".repeat(99))),
            ("Ана\u{7}\u{200b} Мария".to_owned(), "Ана Мария".to_owned()),
            ("\u{200b}".to_owned(), "somebody 2".to_owned()),
        ]
        .into_iter()
        .enumerate()
        {
            let somebody =
                env.with_claims(&token_claims(&format!("somebody {n}"), &name, &["CITIZEN"], None, env.now()));
            let posted = post_as(&somebody, &meeting, &format!("№ {n}"), None).await;
            assert_eq!(posted["comment"]["authorName"], json!(expected), "{posted}");
            let viewer = somebody.query("{ viewer { displayName } }", json!({})).await;
            assert_eq!(viewer["viewer"]["displayName"], json!(expected));
        }
        assert!(shown(&env, &meeting).await.iter().all(|(_, chosen)| !chosen));
    }

    async fn imported_titles_of_office_wait_for_a_moderator(env) {
        let staff = env.akimat(HOST);
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let add = json!({ "meetingId": meeting, "platform": "VK", "url": "https://vk.example/live" });
        let broadcast = id_of(&staff.mutate("addBroadcast", add).await["meeting"]["broadcasts"][0]);
        let one = |id: &str, name: &str| json!({ "externalId": id, "authorName": name, "body": format!("№ {id}"), "postedAt": env.now() });
        let comments = json!([one("1", "Аким области"), one("2", "Марат")]);
        env.connector(HOST)
            .mutate("importComments", json!({ "meetingId": meeting, "broadcastId": broadcast, "comments": comments }))
            .await;
        assert_eq!(shown(&env, &meeting).await, [("Марат".to_owned(), true)], "names on platforms count as chosen");
        let all = env.moderator(HOST).comments(&meeting, json!({})).await;
        assert_eq!(all[0]["state"], "PENDING");
    }
}
