//! Retried commands, and failing commands that must not affect others.

use chrono::TimeDelta;
use futures_util::future::join_all;
use harness::{Engine, HOST, id_of, on_both_engines, refusal};
use kezdesu::{
    app::questions::{PostComment, PostOptions},
    domain::viewer::{Grant, ImportRestriction, Person, Role, Viewer},
    graphql::node::GlobalId,
};
use serde_json::json;

on_both_engines! {
    async fn a_retried_plan_succeeds_after_its_start_time(env) {
        let staff = env.akimat(HOST);
        let input = json!({
            "host": HOST, "region": HOST, "title": { "kk": "Кездесу" }, "origin": "CALENDAR",
            "plannedStart": env.now() + TimeDelta::hours(1), "plannedMinutes": 60, "moderation": "AFTER",
            "idempotencyKey": "once",
        });
        let first = id_of(&staff.mutate("planMeeting", input.clone()).await["meeting"]);
        env.advance(TimeDelta::hours(2));
        assert_eq!(id_of(&staff.mutate("planMeeting", input.clone()).await["meeting"]), first);
        let mut late = input;
        late["idempotencyKey"] = json!("another");
        for _ in 0..2 {
            assert_eq!(
                refusal(&staff.mutate("planMeeting", late.clone()).await),
                "INVALID",
                "a rejected command leaves its key free"
            );
        }
    }

    async fn a_post_retried_in_another_language_is_the_same(env) {
        let staff = env.akimat(HOST);
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let ana = env.citizen("Ana");
        let post = async |language: &'static str| {
            let query = "mutation($input: PostCommentInput!) { postComment(input: $input) { comment { id language } refusal { code } } }";
            let input = json!({ "meetingId": meeting, "body": "Жол?", "idempotencyKey": "once" });
            let body = json!({ "query": query, "variables": { "input": input } });
            let request =
                harness::web().post(format!("http://{}/graphql", ana.host)).header("accept-language", language);
            let answer = request.bearer_auth(ana.token.as_ref().unwrap()).json(&body).send().await.unwrap();
            answer.json::<serde_json::Value>().await.unwrap()["data"]["postComment"].clone()
        };
        let first = post("kk").await;
        assert_eq!(first["comment"]["language"], "KK", "{first}");
        assert_eq!(post("ru").await, first);
    }

    async fn rejects_an_invalid_key_without_failing_other_posts(env) {
        let staff = env.akimat(HOST);
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let people: Vec<_> = (0..20).map(|n| env.citizen(&format!("Ана {n}"))).collect();
        let posts = people.iter().enumerate().map(|(n, one)| {
            let key = if n % 5 == 0 { "k\u{0}".to_owned() } else { format!("k{n}") };
            one.mutate("postComment", json!({ "meetingId": meeting, "body": format!("№ {n}"), "idempotencyKey": key }))
        });
        for (n, payload) in join_all(posts).await.into_iter().enumerate() {
            if n % 5 == 0 {
                assert_eq!(
                    (refusal(&payload).as_str(), &payload["refusal"]["field"]),
                    ("INVALID", &json!("idempotencyKey"))
                );
            } else {
                assert!(payload["refusal"].is_null(), "{payload}");
            }
        }
    }

    async fn a_post_that_the_database_rejects_fails_alone(env) {
        let staff = env.akimat(HOST);
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let Some(GlobalId::Meeting(id)) = GlobalId::parse(&meeting) else { panic!("{meeting}") };
        let app = env.service(0).app();
        let posts = join_all((0..40).map(|n| {
            // No token can have such a subject. It stands for any unexpected database error.
            let subject = if n % 8 == 0 { format!("nobody \u{0}{n}") } else { format!("somebody {n}") };
            let person = Person {
                subject,
                name: "Ана".to_owned(),
                grants: vec![Grant { role: Role::Citizen, region: None, agency: None }],
                imports: ImportRestriction::default(),
            };
            let post = PostComment {
                meeting: id,
                body: format!("№ {n}"),
                kind: entities::enums::CommentKind::Question,
                language: None,
                author_name: None,
            };
            let sent = PostOptions { key: None, language: entities::enums::Language::Kk };
            async move { app.post_comment(&Viewer::Person(person), post, sent).await.is_ok() }
        }));
        let expected: Vec<bool> = (0..40).map(|n| n % 8 != 0 || env.engine == Engine::Embedded).collect();
        assert_eq!(posts.await, expected);
        let listed = env
            .anonymous()
            .query(
                "query($id: ID!) { meeting(id: $id) { comments(first: 100) { nodes { receipt } } } }",
                json!({ "id": meeting }),
            )
            .await;
        let receipts: Vec<_> = listed["meeting"]["comments"]["nodes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["receipt"].clone())
            .collect();
        let count = expected.iter().filter(|taken| **taken).count();
        let gapless: Vec<_> = (1..=count).map(|n| json!(format!("Q-{n:04}"))).collect();
        assert_eq!(receipts, gapless, "failed posts leave nothing behind");
    }

    async fn viewer_can_post_is_false_while_muted(env) {
        let (staff, ana) = (env.akimat(HOST), env.citizen("Ana"));
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let posted = id_of(&ana.post(&meeting, "Жол?").await);
        let mute = env.moderator(HOST).mutate("muteAuthor", json!({ "commentId": posted, "minutes": 10 })).await;
        assert!(mute["refusal"].is_null(), "{mute}");
        assert_eq!(ana.meeting(&meeting).await["viewerCanPost"], false);
        assert_eq!(env.citizen("Ben").meeting(&meeting).await["viewerCanPost"], true);
        env.advance(TimeDelta::minutes(10));
        assert_eq!(ana.meeting(&meeting).await["viewerCanPost"], true);
        ana.post(&meeting, "Су?").await;
    }
}
