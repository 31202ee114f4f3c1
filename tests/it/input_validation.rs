//! Input that a database cannot store or a filter cannot match: both engines answer alike, never with an internal
//! error.

use harness::{Actor, TestEnv, on_both_engines};
use serde_json::{Value, json};

use crate::value_ranges::{Fixture, everybody, mutation, outcome};

/// A text with NUL, which PostgreSQL cannot store. It is removed from texts by people, and rejected in generated
/// keys.
const NUL: &str = "а\u{0}б";
/// Nearly the limit of values in variables.
const MANY: usize = 19_000;

/// Sends a raw body and returns the outcome.
async fn raw(actor: &Actor, body: String) -> String {
    let sent = actor.request().header("content-type", "application/json").body(body).send().await.unwrap();
    outcome(&sent.json().await.unwrap())
}

/// Returns a list of the same value, repeated.
fn times(value: &str, count: usize) -> Value {
    vec![value; count].into()
}

/// Encodes a forged cursor.
fn cursor(key: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let three = |bytes: &[u8]| {
        let all = bytes.iter().chain(&[0, 0]).take(3).fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte));
        (0..=bytes.len()).map(|at| char::from(DIGITS[all >> (18 - 6 * at) & 63])).collect::<String>()
    };
    key.as_bytes().chunks(3).map(three).collect()
}

/// Returns every text field of every mutation with its expected outcome.
fn texts(fixture: &Fixture, env: &TestEnv) -> Vec<(&'static str, Value, &'static str)> {
    let Fixture { meeting, comment, planned, .. } = fixture;
    let url = format!("https://vk.example/{NUL}");
    let mut table = vec![
        ("planMeeting", fixture.plan(env, json!({ "title": { "kk": NUL } })), ""),
        ("planMeeting", fixture.plan(env, json!({ "title": { "kk": "К", "ru": NUL } })), ""),
        ("planMeeting", fixture.plan(env, json!({ "title": { "kk": "К", "en": NUL } })), ""),
        ("planMeeting", fixture.plan(env, json!({ "venue": { "kk": NUL } })), ""),
        ("planMeeting", fixture.plan(env, json!({ "offCalendarReason": NUL })), ""),
        ("planMeeting", fixture.plan(env, json!({ "title": { "kk": "\0" } })), "INVALID title"),
        ("planMeeting", fixture.plan(env, json!({ "idempotencyKey": NUL })), "INVALID idempotencyKey"),
        ("planMeeting", fixture.plan(env, json!({ "host": "75111000\0" })), "BAD_USER_INPUT"),
        ("planMeeting", fixture.plan(env, json!({ "origin": NUL })), "BAD_USER_INPUT"),
        ("rescheduleMeeting", json!({ "meetingId": planned, "plannedStart": env.now(), "reason": NUL }), ""),
        ("cancelMeeting", json!({ "meetingId": planned, "reason": "\0" }), "INVALID reason"),
        ("cancelMeeting", json!({ "meetingId": planned, "reason": NUL }), ""),
        ("addBroadcast", json!({ "meetingId": meeting, "platform": "VK", "url": url }), ""),
        (
            "addBroadcast",
            json!({ "meetingId": meeting, "platform": "VK", "url": "https://vk.example/2", "externalId": NUL }),
            "",
        ),
        ("setModeration", json!({ "meetingId": meeting, "blockedWords": ["сөз", "жол\0"] }), ""),
        ("postComment", json!({ "meetingId": meeting, "body": NUL }), ""),
        ("postComment", json!({ "meetingId": meeting, "body": "Су", "authorName": NUL }), ""),
        ("importComments", fixture.import(env, json!({ "externalId": NUL })), "INVALID comments.0.externalId"),
        (
            "importComments",
            fixture.import(env, json!({ "authorExternalId": NUL })),
            "INVALID comments.0.authorExternalId",
        ),
        // Imported texts are sanitised, since their authors cannot be asked again.
        ("importComments", fixture.import(env, json!({ "body": NUL, "externalId": "2" })), ""),
        ("importComments", fixture.import(env, json!({ "authorName": NUL, "externalId": "3" })), ""),
        ("answerComment", json!({ "commentId": comment, "answer": NUL }), ""),
        ("labelComment", json!({ "commentId": comment, "labels": [NUL] }), ""),
        ("moderateComments", json!({ "commentIds": [comment], "action": "HIDE", "reason": NUL }), ""),
    ];
    let nowhere = format!("mtg_{NUL}");
    for (name, input) in [
        ("announceMeeting", json!({ "meetingId": nowhere, "channels": ["PRESS"] })),
        ("startMeeting", json!({ "meetingId": nowhere })),
        ("setStage", json!({ "meetingId": nowhere, "stage": "BREAK" })),
        ("endMeeting", json!({ "meetingId": nowhere })),
    ] {
        table.push((name, input, "BAD_USER_INPUT input.meetingId"));
    }
    for name in ["voteComment", "withdrawComment", "selectComment"] {
        table.push((name, json!({ "commentId": NUL }), "BAD_USER_INPUT input.commentId"));
    }
    table.push(("muteAuthor", json!({ "commentId": NUL, "minutes": 1 }), "BAD_USER_INPUT input.commentId"));
    table.push(("mergeComments", json!({ "into": comment, "commentIds": [NUL] }), "BAD_USER_INPUT input.commentIds"));
    table
}

on_both_engines! {
    async fn strips_nul_from_texts_and_rejects_it_in_keys(env) {
        let staff = everybody(&env);
        let fixture = Fixture::by(&staff, &env).await;
        for (name, input, expected) in texts(&fixture, &env) {
            let answer = staff.send(&mutation(name), json!({ "input": input })).await;
            assert_eq!(outcome(&answer), expected, "{name} {input}: {answer}");
            // A lone surrogate is not valid JSON.
            let body = json!({ "query": mutation(name), "variables": { "input": input } }).to_string();
            assert!(body.contains("\\u0000"), "{body}");
            assert_eq!(raw(&staff, body.replace("\\u0000", "\\ud800")).await, "BAD_USER_INPUT", "{name} {input}");
        }
        let comments = staff.comments(&fixture.meeting, json!({})).await;
        let bodies: Vec<_> = comments.iter().map(|comment| comment["body"].as_str().unwrap()).collect();
        assert_eq!(bodies, ["Жол қашан?", "аб", "Су", "аб", "Су"], "nothing else was stored");
        assert_eq!(
            (&comments[0]["answer"], &comments[0]["labels"], &comments[0]["stateReason"]),
            (&json!("аб"), &json!(["аб"]), &json!("аб"))
        );
        assert_eq!((&comments[2]["authorName"], &comments[4]["authorName"]), (&json!("аб"), &json!("аб")));
    }

    async fn deduplicates_list_values(env) {
        let staff = everybody(&env);
        let fixture = Fixture::by(&staff, &env).await;
        let comments = "query($id: ID!, $f: CommentFilter) { meeting(id: $id) { comments(filter: $f) { totalCount nodes { id } } } }";
        for filter in [json!({ "states": times("PUBLISHED", MANY) }), json!({ "kinds": times("QUESTION", MANY) })] {
            let found = staff.query(comments, json!({ "id": fixture.meeting, "f": filter })).await;
            assert_eq!(found["meeting"]["comments"]["totalCount"], 1);
        }
        let more = json!({ "id": fixture.meeting, "f": { "states": times("PUBLISHED", 40_000) } });
        assert_eq!(outcome(&staff.send(comments, more).await), "COST_EXCEEDED");
        let none = staff.query(comments, json!({ "id": fixture.meeting, "f": { "states": [] } })).await;
        assert_eq!(none["meeting"]["comments"]["totalCount"], 0);
        let meetings = "query($f: MeetingFilter) { meetings(filter: $f) { totalCount } }";
        let found = staff.query(meetings, json!({ "f": { "phases": times("LIVE", MANY) } })).await;
        assert_eq!(found["meetings"]["totalCount"], 1);
        let regions = "query($k: [RegionKind!]) { regions(kinds: $k) { totalCount } }";
        let once = staff.query(regions, json!({ "k": ["CITY_DISTRICT"] })).await;
        assert_eq!(staff.query(regions, json!({ "k": times("CITY_DISTRICT", MANY) })).await, once);

        let different: Vec<_> = (0..MANY).map(|n| n.to_string()).collect();
        let label = |labels: Value| json!({ "commentId": fixture.comment, "labels": labels });
        let ids = times(&fixture.comment, MANY);
        for (name, input, expected) in [
            ("announceMeeting", json!({ "meetingId": fixture.planned, "channels": times("PRESS", MANY) }), ""),
            ("labelComment", label(times("жол", MANY)), ""),
            ("labelComment", label(different.clone().into()), "INVALID labels"),
            (
                "setModeration",
                json!({ "meetingId": fixture.meeting, "blockedWords": different }),
                "INVALID blockedWords",
            ),
            ("moderateComments", json!({ "commentIds": ids, "action": "APPROVE" }), "INVALID commentIds"),
            ("moderateComments", json!({ "commentIds": times(&fixture.comment, 100), "action": "APPROVE" }), ""),
            ("mergeComments", json!({ "into": fixture.comment, "commentIds": ids }), "INVALID commentIds"),
        ] {
            assert_eq!(outcome(&staff.send(&mutation(name), json!({ "input": input })).await), expected, "{name}");
        }
        let mut import = fixture.import(&env, json!({}));
        import["comments"] = vec![import["comments"][0].clone(); 501].into();
        assert_eq!(
            outcome(&staff.send(&mutation("importComments"), json!({ "input": import })).await),
            "INVALID comments"
        );
        import["comments"].as_array_mut().unwrap().pop();
        assert_eq!(staff.mutate("importComments", import).await["duplicates"], 499);
    }

    async fn rejects_filters_out_of_range(env) {
        let fixture = Fixture::by(&everybody(&env), &env).await;
        let anonymous = env.anonymous();
        let meetings = "query($f: MeetingFilter) { meetings(filter: $f) { totalCount } }";
        let regions = "query($d: Date) { regions(asOf: $d) { totalCount } }";
        for (date, good) in [
            ("1900-01-01", true),
            ("9999-12-31", true),
            ("1899-12-31", false),
            ("-9999-01-1", false),
            ("+99999-1-1", false),
            ("2026-3-002", false),
            ("2026-02-30", false),
            ("2026-03-0\u{0}", false),
            ("", false),
        ] {
            for (query, variables) in [
                (meetings, json!({ "f": { "from": date } })),
                (meetings, json!({ "f": { "to": date } })),
                (regions, json!({ "d": date })),
            ] {
                let answer = anonymous.send(query, variables).await;
                assert_eq!(outcome(&answer), if good { "" } else { "BAD_USER_INPUT" }, "{date}: {answer}");
            }
        }
        let uuid = "0193a4c0000070008000000000000001";
        let page = |list: &str| {
            format!("query($id: ID!, $a: String, $b: String) {{ meeting(id: $id) {{ id }} {list} {{ totalCount }} }}")
        };
        let of_meeting = |order: &str| {
            format!(
                "query($id: ID!, $a: String, $b: String) {{ meeting(id: $id) {{ comments(filter: {{ orderBy: {order} }}, after: $a, before: $b) {{ totalCount nodes {{ id }} }} }} }}"
            )
        };
        let (all, units) = (page("meetings(after: $a, before: $b)"), page("regions(after: $a, before: $b)"));
        for (query, key, good) in [
            (&all, format!("0.{uuid}"), true),
            (&all, format!("-300000000000000.{uuid}"), false),
            (&all, format!("{}.{uuid}", i64::MAX), false),
            (&all, format!("{}.{uuid}", i64::MIN), false),
            (&all, format!("0.{NUL}"), false),
            (&all, "\u{0}".to_owned(), false),
            (&units, "999999999".to_owned(), true),
            (&units, "75111000\u{0}".to_owned(), false),
            (&of_meeting("MOST_VOTED"), format!("{}.{}", i32::MAX, i64::MAX), true),
            (&of_meeting("MOST_VOTED"), format!("{}.{}", i32::MIN, i64::MIN), true),
            (&of_meeting("OLDEST"), format!("0.{}", i64::MAX), true),
            (&of_meeting("NEWEST"), format!("0.{}", i64::MIN), true),
            (&of_meeting("OLDEST"), format!("{}.1", i64::MAX), false),
        ] {
            for side in ["a", "b"] {
                let expected = match (good, side) {
                    (true, _) => "",
                    (false, "a") => "BAD_USER_INPUT after",
                    (false, _) => "BAD_USER_INPUT before",
                };
                let answer = anonymous.send(query, json!({ "id": fixture.meeting, side: cursor(&key) })).await;
                assert_eq!(outcome(&answer), expected, "{key:?}: {answer}");
            }
        }
        let labelled =
            "query($id: ID!, $l: String) { meeting(id: $id) { comments(filter: { label: $l }) { totalCount } } }";
        for (label, expected) in [
            (NUL.to_owned(), ""),
            ("\0".to_owned(), "BAD_USER_INPUT filter.label"),
            ("x".repeat(60_000), "BAD_USER_INPUT filter.label"),
            ("x".repeat(40), ""),
            ("%_\\\"'".to_owned(), ""),
        ] {
            let answer = anonymous.send(labelled, json!({ "id": fixture.meeting, "l": label })).await;
            assert_eq!(outcome(&answer), expected);
        }
        for after in [i64::MIN, -1, i64::MAX] {
            let mut live = anonymous.begin_comments(&fixture.meeting, Some(after), "PUBLIC").await;
            assert_eq!(live.next().await["kind"], "SUBSCRIBED", "{after}");
        }
    }
}
