//! Subscribers with the same view share a rendering, and never see that of others.

use harness::{HOST, Subscription, TIMEOUT, id_of, on_both_engines, refusal};
use serde_json::{Value, json};

const OWN: &str = "subscription($id: ID!, $after: Int, $view: CommentView) { comments(meetingId: $id, after: $after, view: $view) \
                   { seq prev kind comment { body state viewerIsAuthor viewerHasVoted mergedInto { body } } } }";

async fn begun(mut live: Subscription) -> Subscription {
    assert_eq!(live.next().await["kind"], "SUBSCRIBED");
    live
}

/// Reads a streamed response up to and including a text.
async fn read_until(answer: &mut reqwest::Response, end: &str) -> String {
    let mut text = String::new();
    while !text.contains(end) {
        let chunk = tokio::time::timeout(TIMEOUT, answer.chunk()).await.expect("data arrives in time").unwrap();
        text.push_str(std::str::from_utf8(&chunk.expect("the output continues")).unwrap());
    }
    text
}

on_both_engines! {
    async fn renders_viewer_fields_for_each_subscriber(env) {
        let (staff, ana, bek) = (env.akimat(HOST), env.citizen("Ana"), env.citizen("Bek"));
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let variables = json!({ "id": meeting });
        let mut lives = Vec::new();
        for actor in [ana.clone(), bek.clone(), env.anonymous(), ana.clone(), env.anonymous()] {
            lives.push(begun(actor.follow(OWN, variables.clone()).await).await);
        }
        let first = id_of(&ana.post(&meeting, "Жол қашан жөнделеді?").await);
        let mut seen = Vec::new();
        for live in &mut lives {
            let event = live.next().await;
            assert_eq!(event["comment"]["body"], "Жол қашан жөнделеді?");
            seen.push(event["comment"]["viewerIsAuthor"].clone());
        }
        assert_eq!(seen, [json!(true), json!(false), json!(false), json!(true), json!(false)]);

        // Comments hidden meanwhile are no longer shown.
        bek.post(&meeting, "Жол ше?").await;
        env.moderator(HOST).moderate("HIDE", &[&first]).await;
        for live in &mut lives[1..3] {
            let rest = [live.next().await, live.next().await];
            assert_eq!((&rest[0]["kind"], &rest[1]["kind"]), (&json!("POSTED"), &json!("REMOVED")));
            assert!(!Value::from(rest.to_vec()).to_string().contains("жөнделеді"), "{rest:?}");
        }
    }

    async fn never_shares_renderings_between_different_rights(env) {
        let (staff, ana) = (env.akimat(HOST), env.citizen("Ana"));
        let moderator = env.moderator(HOST);
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "BEFORE").await;
        let everything = json!({ "id": meeting, "view": "MODERATION" });
        let mut above = begun(moderator.follow(OWN, everything.clone()).await).await;
        let mut public = begun(moderator.follow(OWN, json!({ "id": meeting, "view": "PUBLIC" })).await).await;
        let mut anonymous = begun(env.anonymous().follow(OWN, json!({ "id": meeting, "view": "PUBLIC" })).await).await;
        assert_eq!(ana.follow(OWN, everything.clone()).await.refused().await, "FORBIDDEN");
        let secret = id_of(&ana.post(&meeting, "құпия").await);
        assert_eq!(above.next().await["comment"]["body"], "құпия");
        let open = id_of(&ana.post(&meeting, "ашық").await);
        assert_eq!(above.next().await["comment"]["body"], "ашық");
        moderator.moderate("REJECT", &[&secret]).await;
        moderator.moderate("APPROVE", &[&open]).await;
        for live in [&mut public, &mut anonymous] {
            assert_eq!(live.next().await["comment"]["body"], "ашық", "unpublished comments are never sent");
        }
        // Resumed from the start, while the moderators' rendering is cached.
        let mut again = begun(env.anonymous().follow(OWN, json!({ "id": meeting, "after": 0 })).await).await;
        assert_eq!(again.next().await["comment"]["body"], "ашық");
    }

    async fn resuming_subscribers_see_the_same_events_and_the_newest_state(env) {
        let (staff, ana) = (env.akimat(HOST), env.citizen("Ana"));
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let mut posted = Vec::new();
        for n in 0..30 {
            posted.push(id_of(&ana.post(&meeting, &format!("Сұрақ {n}")).await));
        }
        let lives = (0..30).map(async |after| {
            let mut live = begun(env.anonymous().follow(OWN, json!({ "id": meeting, "after": after })).await).await;
            for n in after..30 {
                let event = live.next().await;
                assert_eq!((&event["seq"], &event["prev"]), (&json!(n + 1), &json!(n)));
                assert_eq!(event["comment"]["body"], format!("Сұрақ {n}"));
            }
            live
        });
        let mut lives = futures_util::future::join_all(lives).await;
        env.moderator(HOST).moderate("HIDE", &[&posted[3]]).await;
        for live in &mut lives {
            assert_eq!(live.next().await["kind"], "REMOVED");
        }
        let mut late = begun(env.anonymous().follow(OWN, json!({ "id": meeting, "after": 3 })).await).await;
        assert_eq!(late.next().await["comment"]["body"], "Сұрақ 4", "hidden comments are not replayed");
    }

    async fn validates_each_post_of_a_batch_by_itself(env) {
        let (staff, bek) = (env.akimat(HOST), env.citizen("Bek"));
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let silent = env.citizen("Silent");
        let muted = id_of(&silent.post(&meeting, "Мен").await);
        let mute = json!({ "commentId": muted, "minutes": 10 });
        assert_eq!(env.moderator(HOST).mutate("muteAuthor", mute).await["refusal"], Value::Null);
        let input =
            |body: &str, key: Option<&str>| json!({ "meetingId": meeting, "body": body, "idempotencyKey": key });
        let ours = (0..40).map(|n| {
            let (author, input) = (env.citizen(&format!("c{n}")), input(&format!("Сұрақ {n}"), Some("k")));
            async move { author.mutate("postComment", input).await }
        });
        let same_key = (0..5).map(|_| bek.mutate("postComment", input("Бір рет", Some("once"))));
        let refused = (0..5).map(|n| silent.mutate("postComment", input(&format!("үнсіз {n}"), Some("muted"))));
        let (ours, same_key, refused) = tokio::join!(
            futures_util::future::join_all(ours),
            futures_util::future::join_all(same_key),
            futures_util::future::join_all(refused),
        );
        assert!(ours.iter().all(|payload| payload["refusal"].is_null()));
        let once: std::collections::BTreeSet<_> = same_key.iter().map(|payload| id_of(&payload["comment"])).collect();
        assert_eq!(once.len(), 1, "one comment per key");
        assert!(
            refused.iter().all(|payload| refusal(payload) == "MUTED"),
            "refusals do not claim the key: {refused:?}"
        );
        let mut receipts: Vec<_> =
            env.moderator(HOST).comments(&meeting, json!({})).await.iter().map(|c| c["receipt"].to_string()).collect();
        receipts.sort();
        receipts.dedup();
        assert_eq!(receipts.len(), 42);
        let mut live = begun(env.anonymous().follow(OWN, json!({ "id": meeting, "after": 0 })).await).await;
        let mut last = json!(0);
        for _ in 0..42 {
            let event = live.next().await;
            assert_eq!(event["prev"], last, "no gap");
            last = event["seq"].clone();
        }
    }

    async fn resumes_server_sent_events_by_last_event_id(env) {
        let (staff, ana) = (env.akimat(HOST), env.citizen("Ana"));
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        for body in ["Бір", "Екі", "Үш"] {
            ana.post(&meeting, body).await;
        }
        let body = json!({ "query": OWN, "variables": { "id": meeting } });
        let request = |id: &str| {
            env.anonymous().request().header("accept", "text/event-stream").header("last-event-id", id).json(&body)
        };
        let mut answer = request("1").send().await.unwrap();
        let text = read_until(&mut answer, ".3\n\n").await;
        assert!(!text.contains("Бір") && text.contains("Екі") && text.contains("Үш"), "{text}");
        let third = text.lines().rfind(|line| line.starts_with("id: ")).unwrap().strip_prefix("id: ").unwrap();
        let (epoch, _) = third.split_once('.').unwrap();
        let mut answer = request(&format!("{epoch}.2")).send().await.unwrap();
        let text = read_until(&mut answer, &format!("id: {third}\n\n")).await;
        assert!(!text.contains("Екі") && text.contains("Үш"), "{text}");
        for id in ["soon", "-1", ".", "1.", &format!("{epoch}.-1"), &format!("{epoch}.soon")] {
            assert_eq!(request(id).send().await.unwrap().status(), 400, "an invalid id is rejected: {id}");
        }
    }

    async fn streams_multipart_to_a_router(env) {
        let (staff, ana) = (env.akimat(HOST), env.citizen("Ana"));
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        ana.post(&meeting, "Бір").await;
        let accept = "multipart/mixed;boundary=\"graphql\";subscriptionSpec=\"1.0\",application/json";
        let ask = |query: &str, after: i64| {
            let body = json!({ "query": query, "variables": { "id": meeting, "after": after } });
            env.anonymous().request().header("accept", accept).json(&body)
        };
        let mut answer = ask(OWN, 0).send().await.unwrap();
        assert_eq!(answer.headers()["content-type"], "multipart/mixed;boundary=\"graphql\";subscriptionSpec=\"1.0\"");
        let text = read_until(&mut answer, "Бір").await;
        let parts: Vec<_> = text.split("--graphql").filter(|part| part.contains('{')).collect();
        for part in &parts {
            let (head, body) = part.trim().split_once("\r\n\r\n").expect("a header block and a body");
            assert_eq!(head, "content-type: application/json");
            if let Ok(part) = serde_json::from_str::<Value>(body) {
                assert!(part["payload"]["data"]["comments"]["seq"].is_i64(), "{part}");
            }
        }
        let refused = ask("subscription { nothing }", 0).send().await.unwrap().text().await.unwrap();
        assert!(refused.contains("{\"payload\":{\"errors\":") && refused.ends_with("--graphql--\r\n"), "{refused}");
        let plain = ask("{ __typename }", 0).send().await.unwrap();
        assert!(plain.headers()["content-type"].to_str().unwrap().starts_with("application/json"));
    }
}
