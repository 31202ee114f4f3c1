//! Rows of a later version, during a rolling upgrade or after a rollback: they break nothing and reveal nothing.

use harness::{HOST, TestEnv, id_of, on_both_engines, refusal};
use serde_json::{Value, json};

const OTHER_HOST: &str = "103200000";
/// In place of a body: the subject is not a comment.
const NO_COMMENT: &str = "-";

/// Records an event as another version would, about the comment with this body, or about the meeting if it is
/// empty.
async fn record(env: &TestEnv, body: &str, kind: &str, public_kind: Option<&str>, audience: Option<&str>) {
    let text = |value: Option<&str>| value.map_or("NULL".to_owned(), |value| format!("'{value}'"));
    let (feed, subject) = if body.is_empty() {
        ("feed = 'meetings'".to_owned(), "id FROM meetings".to_owned())
    } else if body == NO_COMMENT {
        ("feed <> 'meetings'".to_owned(), "id FROM meetings".to_owned())
    } else {
        ("feed <> 'meetings'".to_owned(), format!("id FROM comments WHERE body = '{body}'"))
    };
    env.sql(&format!(
        "INSERT INTO feed_events (feed, seq, at, subject, kind, public_kind, audience)
         SELECT feed, seq + 1, at, (SELECT {subject} LIMIT 1), '{kind}', {}, {} FROM feed_events
         WHERE {feed} ORDER BY seq DESC LIMIT 1;
         UPDATE feeds SET head = head + 1 WHERE {}",
        text(public_kind),
        text(audience),
        feed.replace("feed", "name"),
    ))
    .await;
}

/// Returns kind, `seq`, `prev` and body of an event.
fn summary(event: &Value) -> (String, i64, i64, String) {
    let position = |name: &str| event[name].as_i64().expect("a position");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (text(&event["kind"]), position("seq"), position("prev"), text(&event["comment"]["body"]))
}

fn expected_event(kind: &str, seq: i64, prev: i64, body: &str) -> (String, i64, i64, String) {
    (kind.to_owned(), seq, prev, body.to_owned())
}

on_both_engines! {
    async fn shows_an_unknown_event_kind_as_changed(env) {
        let (staff, ana, moderator) = (env.akimat(HOST), env.citizen("Ana"), env.moderator(HOST));
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        ana.post(&meeting, "Бір").await;
        let hidden = id_of(&ana.post(&meeting, "Екі").await);
        moderator.moderate("HIDE", &[&hidden]).await;
        let mut follower = env.anonymous().follow_comments(&meeting, None, "PUBLIC").await;
        let mut author = ana.follow_comments(&meeting, None, "PUBLIC").await;
        let mut queue = moderator.follow_comments(&meeting, None, "MODERATION").await;
        record(&env, "Бір", "PINNED", Some("PINNED"), None).await;
        record(&env, "Бір", "WEIGHED", None, None).await;
        record(&env, "Екі", "PINNED", Some("PINNED"), None).await;
        record(&env, "Бір", "CHANGED", Some("CHANGED"), Some("AGENCY")).await;
        record(&env, NO_COMMENT, "CALLED", Some("CALLED"), None).await;
        ana.post(&meeting, "Үш").await;
        let public = [expected_event("CHANGED", 4, 3, "Бір"), expected_event("POSTED", 9, 4, "Үш")];
        let own = [
            expected_event("CHANGED", 4, 3, "Бір"),
            expected_event("CHANGED", 5, 4, "Бір"),
            expected_event("CHANGED", 6, 5, "Екі"),
            expected_event("POSTED", 9, 6, "Үш"),
        ];
        let all = [
            expected_event("CHANGED", 4, 3, "Бір"),
            expected_event("CHANGED", 5, 4, "Бір"),
            expected_event("CHANGED", 6, 5, "Екі"),
            expected_event("CHANGED", 7, 6, "Бір"),
            expected_event("POSTED", 9, 7, "Үш"),
        ];
        for (live, expected) in [(&mut follower, &public[..]), (&mut author, &own), (&mut queue, &all)] {
            for one in expected {
                assert_eq!(summary(&live.next_event_in(&env).await), *one);
            }
        }
        // The same after resuming.
        let mut again = env.anonymous().follow_comments(&meeting, Some(3), "PUBLIC").await;
        for one in &public {
            assert_eq!(summary(&again.next().await), *one);
        }

        let mut meetings = env.anonymous().follow("subscription { meetings { kind meeting { id } } }", json!({})).await;
        assert_eq!(meetings.next().await["kind"], "SUBSCRIBED");
        record(&env, "", "POSTPONED", Some("POSTPONED"), None).await;
        assert_eq!(meetings.next_event_in(&env).await, json!({ "kind": "CHANGED", "meeting": { "id": meeting } }));
    }

    async fn ignores_an_unknown_feed(env) {
        let env = TestEnv::with(env.engine, &[("KEZDESU_KEEP_EVENTS", "100")]).await;
        let (staff, ana) = (env.akimat(HOST), env.citizen("Ana"));
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        ana.post(&meeting, "Бір").await;
        env.sql(
            "INSERT INTO feeds (name, head, kept_after) VALUES ('appeals', 1000, 0), ('comments:soon', 1000, 0)",
        )
        .await;
        for _ in 0..3 {
            env.advance(chrono::TimeDelta::minutes(1));
            ana.post(&meeting, &format!("Сұрақ {}", env.now())).await;
        }
        // Violates the primary key if the feed was trimmed.
        env.sql("INSERT INTO feeds (name, head, kept_after) SELECT 'meetings', 0, 0 FROM feeds WHERE name IN ('appeals', 'comments:soon') AND kept_after > 0").await;
    }

    async fn hides_a_comment_in_an_unknown_state(env) {
        let (staff, ana, moderator) = (env.akimat(HOST), env.citizen("Ana"), env.moderator(HOST));
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let parked = id_of(&ana.post(&meeting, "Құпия").await);
        let mut queue = moderator.follow_comments(&meeting, Some(0), "MODERATION").await;
        assert_eq!(queue.next().await["comment"]["body"], "Құпия");
        env.sql("UPDATE comments SET state = 'PARKED', merged_state = 'PARKED' WHERE body = 'Құпия'").await;
        record(&env, "Құпия", "PARKED", Some("PARKED"), None).await;
        ana.post(&meeting, "Ашық").await;
        assert_eq!(summary(&queue.next_event_in(&env).await), expected_event("POSTED", 3, 1, "Ашық"));
        for actor in [env.anonymous(), ana.clone(), moderator.clone()] {
            let listed = actor.comments(&meeting, json!({})).await;
            assert_eq!(listed.iter().map(|one| one["body"].clone()).collect::<Vec<_>>(), ["Ашық"]);
            let query = "query($id: ID!, $meeting: ID!) { node(id: $id) { id } meeting(id: $meeting) { comments { totalCount } } }";
            let found = actor.query(query, json!({ "id": parked, "meeting": meeting })).await;
            assert_eq!(found, json!({ "node": null, "meeting": { "comments": { "totalCount": 1 } } }));
            let mut live = actor.follow_comments(&meeting, Some(0), "PUBLIC").await;
            assert_ne!(live.next().await["commentId"], json!(parked));
        }
        for (actor, command, input) in [
            (&moderator, "moderateComments", json!({ "commentIds": [parked], "action": "APPROVE" })),
            (&moderator, "selectComment", json!({ "commentId": parked })),
            (&ana, "withdrawComment", json!({ "commentId": parked })),
            (&env.citizen("Ben"), "voteComment", json!({ "commentId": parked })),
        ] {
            assert_eq!(refusal(&actor.mutate(command, input).await), "NOT_FOUND", "{command}");
        }
    }

    async fn shows_unknown_values_as_safe_defaults_and_keeps_them_stored(env) {
        let (staff, ana, moderator) = (env.akimat(HOST), env.citizen("Ana"), env.moderator(HOST));
        let mut env = env;
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let comment = id_of(&ana.post(&meeting, "Жол?").await);
        let add = json!({ "meetingId": meeting, "platform": "VK", "url": "https://vk.example/1" });
        let broadcast = id_of(&staff.mutate("addBroadcast", add).await["meeting"]["broadcasts"][0]);
        env.sql("UPDATE comments SET kind = 'PETITION', platform = 'FEDIVERSE', language = 'UZ'").await;
        env.sql("UPDATE meetings SET moderation = 'JURY', origin = 'UPRISING', channels = '[\"PRESS\",\"PIGEONS\"]'")
            .await;
        env.sql("UPDATE broadcasts SET platform = 'FEDIVERSE'").await;
        env.sql("UPDATE stage_segments SET stage = 'BALLOT'").await;
        env.sql(&format!("UPDATE region_versions SET kind = 'MEGAPOLIS' WHERE code = '{OTHER_HOST}'")).await;
        let query =
            "query($id: ID!) { meeting(id: $id) { origin moderation { mode } outreachChannels broadcasts { platform }
            timeSplit { stage presentationMs } comments { nodes { kind platform language } } } }";
        let seen = env.anonymous().query(query, json!({ "id": meeting })).await;
        assert_eq!(
            seen["meeting"],
            json!({
                "origin": "OFF_CALENDAR", "moderation": { "mode": "BEFORE" }, "outreachChannels": ["PRESS"], "broadcasts": [{ "platform": "OTHER" }],
                "timeSplit": { "stage": "BREAK", "presentationMs": 0 },
                "comments": { "nodes": [{ "kind": "REMARK", "platform": "OTHER", "language": "KK" }] },
            })
        );
        assert_eq!(ana.post(&meeting, "Су?").await["state"], "PENDING", "an unknown mode counts as the strictest");
        let one = json!({ "externalId": "1", "authorName": "Марат", "body": "Сұрақ", "postedAt": env.now() });
        let import = json!({ "meetingId": meeting, "broadcastId": broadcast, "comments": [one] });
        assert_eq!(refusal(&env.connector(HOST).mutate("importComments", import).await), "NOT_FOUND");
        env.citizen("Ben").mutate("voteComment", json!({ "commentId": comment })).await;
        moderator.mutate("labelComment", json!({ "commentId": comment, "labels": ["жол"] })).await;
        moderator.mutate("setModeration", json!({ "meetingId": meeting, "slowModeSeconds": 5 })).await;
        staff.mutate("setStage", json!({ "meetingId": meeting, "stage": "QUESTIONS" })).await;
        // Violates the primary key if a value was overwritten.
        for (table, is) in [
            ("comments", "kind = 'PETITION' AND platform = 'FEDIVERSE' AND votes = 1"),
            ("meetings", "moderation = 'JURY' AND origin = 'UPRISING' AND slow_mode_seconds = 5"),
            ("broadcasts", "platform = 'FEDIVERSE'"),
            ("stage_segments", "stage = 'BALLOT' AND ended_at IS NOT NULL"),
        ] {
            env.sql(&format!(
                "INSERT INTO feeds (name, head, kept_after) SELECT 'meetings', 0, 0 FROM feeds
                 WHERE name = 'meetings' AND NOT EXISTS (SELECT 1 FROM {table} WHERE {is})"
            ))
            .await;
        }
        let second = env.replica().await;
        let query = "query($code: KatoCode!) { region(code: $code) { kind } }";
        let region = env.anonymous().at(env.host(second)).query(query, json!({ "code": OTHER_HOST })).await;
        assert_eq!(region["region"]["kind"], "LOCALITY");
    }

    async fn hides_a_meeting_in_an_unknown_phase(env) {
        let (staff, ana) = (env.akimat(HOST), env.citizen("Ana"));
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let comment = id_of(&ana.post(&meeting, "Жол?").await);
        let mut meetings =
            env.anonymous().follow("subscription { meetings(after: 0) { kind meeting { id } } }", json!({})).await;
        assert_eq!(meetings.next().await["kind"], "SUBSCRIBED");
        for _ in 0..3 {
            assert_eq!(meetings.next().await["meeting"]["id"], json!(meeting));
        }
        env.sql("UPDATE meetings SET phase = 'ADJOURNED'").await;
        record(&env, "", "ADJOURNED", Some("ADJOURNED"), None).await;
        let other = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        assert_eq!(meetings.next_event_in(&env).await["meeting"]["id"], json!(other));
        let query = "query($id: ID!, $comment: ID!) { meeting(id: $id) { id } node(id: $comment) { id } meetings { nodes { id } totalCount } }";
        let seen = staff.query(query, json!({ "id": meeting, "comment": comment })).await;
        assert_eq!(
            seen,
            json!({ "meeting": null, "node": null, "meetings": { "nodes": [{ "id": other }], "totalCount": 1 } })
        );
        for (actor, command, input) in [
            (&ana, "postComment", json!({ "meetingId": meeting, "body": "Су?" })),
            (&ana, "withdrawComment", json!({ "commentId": comment })),
            (&staff, "endMeeting", json!({ "meetingId": meeting })),
            (&staff, "setStage", json!({ "meetingId": meeting, "stage": "BREAK" })),
        ] {
            assert_eq!(refusal(&actor.mutate(command, input).await), "NOT_FOUND", "{command}");
        }
        assert_eq!(ana.begin_comments(&meeting, None, "PUBLIC").await.refused().await, "NOT_FOUND");
    }
}
