//! Who reads the protocol of a meeting, when, and what it costs.

use chrono::TimeDelta;
use harness::{Actor, Engine, HOST, HeldMeeting, Opening, TestEnv, beside, id_of, on_both_engines};
use serde_json::{Value, json};

const ENDINGS: [&str; 3] = ["", ".csv", ".json"];
/// What only staff may read.
const INTERNAL: [&str; 5] = ["Қабылданбаған", "Жасырылған", "Біріктірілген", "Күтудегі", "off topic"];

/// Returns receipt and state of each question.
fn receipts(protocol: &Value) -> Vec<(&str, &str)> {
    let questions = protocol["questions"].as_array().expect("questions");
    questions
        .iter()
        .map(|question| (question["receipt"].as_str().unwrap(), question["state"].as_str().unwrap()))
        .collect()
}

/// Returns everybody who is not staff of the meeting.
fn strangers(env: &TestEnv) -> Vec<Actor> {
    vec![
        env.anonymous(),
        env.citizen("Ana"),
        env.akimat("711110000"),
        env.moderator("711110000"),
        env.connector(HOST),
        env.agency("min-health"),
        env.person("Maslikhat", &["MASLIKHAT"], Some(HOST)),
        env.person("Government", &["GOVERNMENT"], None),
    ]
}

on_both_engines! {
    async fn the_public_reads_public_questions_after_the_end(env) {
        let held = HeldMeeting::start(&env).await;
        for stranger in strangers(&env) {
            assert_eq!(stranger.protocol(&held.meeting).await, None);
            for ending in ENDINGS {
                let refused = stranger.fetch(&held.path(ending), &[]).await;
                assert_eq!((refused.status, refused.header("cache-control")), (404, "no-store"), "{ending}");
                assert!(!refused.text.contains("Су қашан"), "{}", refused.text);
            }
        }
        held.end().await;
        for stranger in strangers(&env) {
            assert_eq!(stranger.protocol(&held.meeting).await, Some(held.path("")));
            for ending in ENDINGS {
                let shown = stranger.fetch(&held.path(ending), &[]).await;
                assert_eq!(shown.status, 200, "{}", shown.text);
                assert!(shown.text.contains("Су қашан") && shown.text.contains(&held.issue), "{ending}");
                for internal in INTERNAL {
                    assert!(!shown.text.contains(internal), "{ending} shows {internal}");
                }
            }
        }
        let protocol = env.anonymous().fetch(&held.path(".json"), &[]).await.json();
        assert_eq!(protocol["view"], "PUBLIC");
        assert_eq!(receipts(&protocol), [("Q-0001", "ANSWERED"), ("Q-0002", "PUBLISHED"), ("Q-0007", "PUBLISHED")]);
        assert_eq!(protocol["counts"]["total"], 3);
        let first = &protocol["questions"][0];
        assert_eq!((&first["votes"], &first["issue"]), (&json!(1), &json!(held.issue)));
        assert!(protocol["questions"].as_array().unwrap().iter().all(|question| question.get("decision").is_none()));
    }

    async fn staff_reads_everything_at_any_moment(env) {
        let held = HeldMeeting::start(&env).await;
        let oversight = env.person("Oversight", &["ADMINISTRATION"], None);
        let admin = env.person("Admin", &["ADMIN"], None);
        for ended in [false, true] {
            if ended {
                held.end().await;
            }
            for reader in [&held.staff, &held.moderator, &env.akimat("750000000"), &oversight, &admin] {
                let path = reader.protocol(&held.meeting).await.expect("an address");
                assert!(path.contains("?ticket="), "{path}");
                // A browser sends no token; a program sends no ticket.
                let by_ticket = env.anonymous().fetch(&beside(&path, ".json"), &[]).await;
                let by_token = reader.fetch(&held.path(".json"), &[]).await;
                for shown in [&by_ticket, &by_token] {
                    assert_eq!((shown.status, shown.header("cache-control")), (200, "private, no-store"));
                    assert_eq!(shown.header("referrer-policy"), "no-referrer");
                    let protocol = shown.json();
                    assert_eq!(protocol["view"], "STAFF");
                    assert_eq!(receipts(&protocol), [
                        ("Q-0001", "ANSWERED"), ("Q-0002", "PUBLISHED"), ("Q-0003", "REJECTED"), ("Q-0004", "HIDDEN"),
                        ("Q-0005", "MERGED"), ("Q-0006", "PENDING"), ("Q-0007", "PUBLISHED"),
                    ]);
                    let decision = |n: usize| protocol["questions"][n]["decision"].clone();
                    for taken_down in [decision(2), decision(3)] {
                        assert_eq!((&taken_down["reason"], &taken_down["body"]["kk"]), (&json!("off topic"), &json!("Алмалы ауданы")));
                    }
                    assert_eq!((&decision(4)["reason"], &decision(4)["mergedInto"]), (&json!(null), &json!("Q-0001")));
                    assert!(decision(0).is_null() && decision(5).is_null());
                    assert!(!shown.text.contains("Moderator"), "a person's name");
                }
            }
        }
    }

    async fn a_ticket_opens_one_meeting_for_a_quarter_of_an_hour(env) {
        let held = HeldMeeting::start(&env).await;
        let other = held.staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let path = held.staff.protocol(&held.meeting).await.expect("an address");
        let (_, ticket) = path.split_once('?').expect("a ticket");
        let reader = env.anonymous();
        env.advance(TimeDelta::minutes(15) - TimeDelta::milliseconds(1));
        assert_eq!(reader.fetch(&path, &[]).await.status, 200);
        let mut changed = path.clone();
        let last = if changed.pop() == Some('A') { 'B' } else { 'A' };
        changed.insert(changed.len() - 20, last);
        let wrong = [
            format!("/meetings/{other}/protocol?{ticket}"), changed, format!("{}?ticket=", held.path("")),
            format!("{}?ticket=%00%ff", held.path("")), format!("/meetings/{other}/protocol.json?{ticket}"),
        ];
        for path in wrong {
            assert_eq!(reader.fetch(&path, &[]).await.status, 403, "{path}");
        }
        env.advance(TimeDelta::milliseconds(1));
        let ended = reader.fetch(&path, &[("accept-language", "ru")]).await;
        assert_eq!((ended.status, ended.header("cache-control")), (403, "no-store"));
        assert!(ended.text.contains("<html lang=\"ru\">") && ended.text.contains("Срок ссылки истёк"), "{}", ended.text);
        assert!(!ended.text.contains("ticket="), "{}", ended.text);
        let ended = reader.fetch(&beside(&path, ".csv"), &[]).await;
        assert_eq!((ended.status, ended.json()["error"]["code"].as_str()), (403, Some("FORBIDDEN")));
        held.end().await;
        assert_eq!(reader.fetch(&path, &[]).await.status, 403, "also when there is a public protocol");
        assert_eq!(reader.fetch(&held.path(""), &[]).await.status, 200);
    }

    async fn an_invalid_token_and_an_unknown_meeting_are_told(env) {
        let held = HeldMeeting::start(&env).await;
        held.end().await;
        let unknown = "/meetings/mtg_01h455vb4pex5vsknk084sn02q/protocol";
        for path in [unknown, "/meetings/mtg_x/protocol", "/meetings/%00/protocol", "/meetings/region_751110000/protocol"] {
            let missing = env.anonymous().fetch(path, &[("accept-language", "kk")]).await;
            assert_eq!(missing.status, 404, "{path}");
            assert!(missing.text.contains("Хаттама табылмады"), "{}", missing.text);
        }
        let expired = Actor::with_token(&env.host(0), "x.y.z".to_owned()).fetch(&held.path(".json"), &[]).await;
        assert_eq!((expired.status, expired.json()["error"]["code"].as_str()), (401, Some("UNAUTHENTICATED")));
        assert_eq!(expired.header("www-authenticate"), "Bearer");
    }

    async fn a_withdrawn_question_leaves_the_public_protocol(env) {
        let staff = env.akimat(HOST);
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let (ana, path) = (env.citizen("Ana"), format!("/meetings/{meeting}/protocol.json"));
        let id = id_of(&ana.post(&meeting, "Қайтарып алынған").await);
        env.citizen("Ben").post(&meeting, "Қалған").await;
        staff.mutate("endMeeting", json!({ "meetingId": meeting })).await;
        ana.mutate("withdrawComment", json!({ "commentId": id })).await;
        let states = |protocol: &Value| receipts(protocol).into_iter().map(|(_, state)| state.to_owned()).collect::<Vec<_>>();
        assert_eq!(states(&env.anonymous().fetch(&path, &[]).await.json()), ["PUBLISHED"]);
        let seen: Vec<_> = staff.comments(&meeting, json!({})).await.iter().map(|one| one["state"].as_str().unwrap().to_owned()).collect();
        assert_eq!(states(&staff.fetch(&path, &[]).await.json()), seen, "as the API shows them");
    }

    async fn a_cancelled_meeting_has_a_protocol_for_staff_only(env) {
        let staff = env.akimat(HOST);
        let meeting = id_of(&staff.plan(HOST, HOST, env.now() + TimeDelta::days(30), "AFTER").await);
        staff.mutate("cancelMeeting", json!({ "meetingId": meeting, "reason": "Боран" })).await;
        assert_eq!(env.anonymous().protocol(&meeting).await, None);
        let path = staff.protocol(&meeting).await.expect("an address");
        assert_eq!(env.anonymous().fetch(&path, &[]).await.status, 200);
        assert_eq!(env.anonymous().fetch(&format!("/meetings/{meeting}/protocol"), &[]).await.status, 404);
    }

    async fn a_protocol_holds_no_personal_data(env) {
        let held = HeldMeeting::start(&env).await;
        held.end().await;
        let opened = held.staff.mutate("openReception", Opening::default().input(&held.meeting, env.now())).await;
        let person = json!({ "name": "Құпия Есім", "topic": "Құпия тақырып", "phone": "8 (701) 987-65-43", "iin": "920112350176" });
        env.citizen("Ana").register(&id_of(&opened["reception"]), person).await;
        let path = held.staff.protocol(&held.meeting).await.expect("an address");
        for path in [held.path(""), path] {
            for ending in ENDINGS {
                let shown = env.anonymous().fetch(&beside(&path, ending), &[]).await;
                assert_eq!(shown.status, 200);
                // Subjects of tokens, accounts elsewhere, names of staff, and what applicants gave.
                for secret in ["Ana-", "sub:", "canary-channel", "Moderator", "Staff-", "Құпия", "9876543", "920112350176"] {
                    assert!(!shown.text.contains(secret), "{ending} shows {secret}");
                }
            }
        }
    }

    async fn reads_a_long_protocol_with_few_statements(env) {
        const QUESTIONS: usize = 5_000;
        let staff = env.akimat(HOST);
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let add = json!({ "meetingId": meeting, "platform": "VK", "url": "https://vk.example/1" });
        let broadcast = id_of(&staff.mutate("addBroadcast", add).await["meeting"]["broadcasts"][0]);
        let connector = env.connector(HOST);
        for batch in 0..QUESTIONS / 500 {
            let one = |n: usize| json!({
                "externalId": n.to_string(), "authorName": "Марат", "body": format!("{n}-сұрақ: су қашан болады?"), "postedAt": env.now(),
            });
            let comments: Vec<_> = (batch * 500..(batch + 1) * 500).map(one).collect();
            let input = json!({ "meetingId": meeting, "broadcastId": broadcast, "comments": comments });
            assert_eq!(connector.mutate("importComments", input).await["imported"], 500);
        }
        staff.mutate("endMeeting", json!({ "meetingId": meeting })).await;
        let path = format!("/meetings/{meeting}/protocol");
        let (page, statements) = env.counting(env.anonymous().fetch(&path, &[])).await;
        assert_eq!((page.status, page.text.matches("<tr role=\"row\">").count()), (200, QUESTIONS + 1));
        assert!(page.text.contains("Q-5000"));
        assert!(statements <= 15, "{statements} statements");
        let protocol = env.anonymous().fetch(&format!("{path}.json"), &[]).await.json();
        assert_eq!((&protocol["complete"], &protocol["counts"]["total"]), (&json!(true), &json!(QUESTIONS)));
        assert_eq!(protocol["counts"]["byPlatform"], json!([{ "platform": "VK", "count": QUESTIONS }]));
    }

    async fn a_public_protocol_is_rendered_once_for_all_who_ask(env) {
        let held = HeldMeeting::start(&env).await;
        held.end().await;
        let anonymous = env.anonymous();
        let first = anonymous.fetch(&held.path(""), &[]).await;
        assert_eq!(first.header("cache-control"), "public, max-age=2");
        let (again, statements) = env.counting(anonymous.fetch(&held.path(""), &[])).await;
        assert_eq!((again.status, &again.text, statements), (200, &first.text, 0));
        let known = [("if-none-match", first.header("etag"))];
        let unchanged = anonymous.fetch(&held.path(""), &known).await;
        assert_eq!((unchanged.status, unchanged.text.as_str()), (304, ""));
        let hidden = id_of(&held.moderator.comments(&held.meeting, json!({ "states": ["PUBLISHED"] })).await[0]);
        held.moderator.moderate("HIDE", &[&hidden]).await;
        env.advance(TimeDelta::seconds(2));
        let changed = anonymous.fetch(&held.path(""), &known).await;
        assert!(changed.status == 200 && !changed.text.contains("HYPERLINK"), "{}", changed.text);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_who_asks_too_much_is_told_to_wait() {
    let limits = [("KEZDESU_ADDRESS_COST_A_MINUTE", "4000"), ("KEZDESU_TRUSTED_PROXIES", "127.0.0.0/8")];
    let env = TestEnv::with(Engine::Embedded, &limits).await;
    let path = "/meetings/mtg_01h455vb4pex5vsknk084sn02q/protocol";
    let from = |address: &'static str| [("x-forwarded-for", address)];
    for _ in 0..20 {
        assert_eq!(env.anonymous().fetch(path, &from("203.0.113.7")).await.status, 404);
    }
    let (limited, statements) = env.counting(env.anonymous().fetch(path, &from("203.0.113.7"))).await;
    assert_eq!((limited.status, statements), (429, 0));
    assert!((1..=3).contains(&limited.header("retry-after").parse::<u32>().unwrap()), "200 units take three seconds");
    assert_eq!(
        env.anonymous().fetch(path, &from("203.0.113.8")).await.status,
        404,
        "another address has its own budget"
    );
}
