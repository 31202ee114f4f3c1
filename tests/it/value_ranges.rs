//! Ranges of dates, lengths and searches, and rows beyond them.

use chrono::{DateTime, Months, TimeDelta, Utc};
use harness::{Actor, HOST, TestEnv, id_of, on_both_engines};
use kezdesu::{graphql::node::GlobalId, store::Store};
use serde_json::{Value, json};

/// The last hour of `DateTime`. In Almaty it is already the next year, which has no `Date`.
const LAST_HOUR: &str = "+262142-12-31T23:00:00Z";

/// Creates a person with every role at [`HOST`].
pub(crate) fn everybody(env: &TestEnv) -> Actor {
    env.person("Staff", &["AKIMAT", "MODERATOR", "CONNECTOR", "CITIZEN"], Some(HOST))
}

/// Returns a mutation that selects only the refusal.
pub(crate) fn mutation(name: &str) -> String {
    let (first, rest) = name.split_at(1);
    let kind = format!("{}{rest}", first.to_uppercase());
    format!("mutation($input: {kind}Input!) {{ {name}(input: $input) {{ refusal {{ code field message }} }} }}")
}

/// Returns the code and field of the error or refusal, or an empty string on success.
pub(crate) fn outcome(answer: &Value) -> String {
    let named = |object: &Value| {
        let text = |name: &str| object[name].as_str().unwrap_or_default();
        format!("{} {}", text("code"), text("field")).trim().to_owned()
    };
    if let Some(error) = answer["errors"].get(0) {
        return named(&error["extensions"]);
    }
    let payload = answer["data"].as_object().and_then(|data| data.values().next()).cloned().unwrap_or_default();
    payload.get("refusal").map(named).unwrap_or_default()
}

/// Returns `count` distinct words.
fn words(count: usize) -> String {
    (0..count).map(|n| n.to_string()).collect::<Vec<_>>().join(" ")
}

/// A live meeting with a broadcast and a published comment.
pub(crate) struct Fixture {
    pub(crate) meeting: String,
    pub(crate) broadcast: String,
    pub(crate) comment: String,
    /// A planned meeting.
    pub(crate) planned: String,
}

impl Fixture {
    pub(crate) async fn by(staff: &Actor, env: &TestEnv) -> Self {
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let add = json!({ "meetingId": meeting, "platform": "VK", "url": "https://vk.example/1" });
        let broadcast = id_of(&staff.mutate("addBroadcast", add).await["meeting"]["broadcasts"][0]);
        let comment = id_of(&env.citizen("Ana").post(&meeting, "Жол қашан?").await);
        let planned = id_of(&staff.plan(HOST, HOST, env.now() + TimeDelta::days(20), "AFTER").await);
        Self { meeting, broadcast, comment, planned }
    }

    pub(crate) fn plan(&self, env: &TestEnv, part: Value) -> Value {
        let mut input = json!({
            "host": HOST, "region": HOST, "title": { "kk": "Кездесу" }, "origin": "CALENDAR",
            "plannedStart": env.now() + TimeDelta::days(20), "plannedMinutes": 60,
        });
        for (name, value) in part.as_object().unwrap() {
            input[name] = value.clone();
        }
        input
    }

    pub(crate) fn import(&self, env: &TestEnv, part: Value) -> Value {
        let mut one = json!({ "externalId": "1", "authorName": "Марат", "body": "Су", "postedAt": env.now() });
        for (name, value) in part.as_object().unwrap() {
            one[name] = value.clone();
        }
        json!({ "meetingId": self.meeting, "broadcastId": self.broadcast, "comments": [one] })
    }
}

/// Writes a meeting that no command would write.
async fn overwrite(store: &Store, meeting: &str, planned: Option<DateTime<Utc>>, began: Option<DateTime<Utc>>) {
    let Some(GlobalId::Meeting(id)) = GlobalId::parse(meeting) else { panic!("{meeting}") };
    let before = store.meetings_by_id(&[id]).await.unwrap().remove(0);
    let mut row = before.clone();
    let tx = store.begin().await.unwrap();
    row.planned_start = planned.unwrap_or(row.planned_start);
    tx.save_meeting(&before, &row).await.unwrap();
    for mut segment in tx.segments(id).await.unwrap() {
        segment.started_at = began.unwrap_or(segment.started_at);
        tx.save_segment(segment).await.unwrap();
    }
    tx.commit().await.unwrap();
}

const SEARCHES: [(&str, &str); 4] = [
    ("query($s: String) { meetings(filter: { search: $s }) { totalCount nodes { id } } }", "filter.search"),
    ("query($s: String) { regions(search: $s) { totalCount nodes { id } } }", "search"),
    (
        "query($s: String) { region(code: \"751110000\") { meetings(filter: { search: $s }) { totalCount nodes { id } } } }",
        "filter.search",
    ),
    (
        "query($s: String, $id: ID!) { meeting(id: $id) { comments(filter: { search: $s }) { totalCount nodes { id } } } }",
        "filter.search",
    ),
];

on_both_engines! {
    async fn rejects_a_search_of_more_than_twenty_words(env) {
        let fixture = Fixture::by(&everybody(&env), &env).await;
        let anonymous = env.anonymous();
        let long = "ә".repeat(201);
        for (query, field) in SEARCHES {
            for search in [words(21), words(40_000), "h ".repeat(40_000), long.clone()] {
                let answer = anonymous.send(query, json!({ "s": search, "id": fixture.meeting })).await;
                assert_eq!(outcome(&answer), format!("BAD_USER_INPUT {field}"), "{query}");
            }
            for search in [words(20), "h ".repeat(100), "ә".repeat(200), "\u{0}".to_owned(), "%_\\'\"".to_owned()] {
                anonymous.query(query, json!({ "s": search, "id": fixture.meeting })).await;
            }
        }
        // Words are found in any order.
        let found = anonymous.query(SEARCHES[3].0, json!({ "s": "қашан жол ЖОЛ", "id": fixture.meeting })).await;
        assert_eq!(found["meeting"]["comments"]["totalCount"], 1);
    }

    async fn rejects_a_meeting_more_than_five_years_ahead(env) {
        let staff = everybody(&env);
        let fixture = Fixture::by(&staff, &env).await;
        let furthest = env.now().checked_add_months(Months::new(60)).unwrap();
        let to = |start: Value| json!({ "meetingId": fixture.planned, "plannedStart": start, "reason": "Боран" });
        for (start, expected) in [
            (json!(LAST_HOUR), "BAD_USER_INPUT"),
            (json!("+10000-01-01T00:00:00Z"), "BAD_USER_INPUT"),
            (json!("-0001-01-01T00:00:00Z"), "BAD_USER_INPUT"),
            (json!("1899-12-31T23:59:59Z"), "BAD_USER_INPUT"),
            (json!("9999-12-31T23:59:59Z"), "INVALID plannedStart"),
            (json!(furthest + TimeDelta::milliseconds(1)), "INVALID plannedStart"),
            (json!("1900-01-01T00:00:00Z"), "INVALID plannedStart"),
            (json!(furthest), ""),
        ] {
            let planned = staff
                .send(
                    &mutation("planMeeting"),
                    json!({ "input": fixture.plan(&env, json!({ "plannedStart": start })) }),
                )
                .await;
            assert_eq!(outcome(&planned), expected, "{start}");
            let moved = staff.send(&mutation("rescheduleMeeting"), json!({ "input": to(start.clone()) })).await;
            assert_eq!(outcome(&moved), expected, "{start}");
            let imported = fixture.import(&env, json!({ "postedAt": start }));
            let imported = outcome(&staff.send(&mutation("importComments"), json!({ "input": imported })).await);
            let expected = if expected.starts_with("BAD") { expected } else { "INVALID comments.0.postedAt" };
            assert_eq!(imported, expected, "{start}");
        }
        let far = staff.mutate("rescheduleMeeting", to(json!(furthest + TimeDelta::days(2)))).await;
        assert_eq!(
            far["refusal"]["message"].as_str().unwrap().replace(['\u{2068}', '\u{2069}'], ""),
            "The value must be from 2026-03-02 to 2031-03-02."
        );
        for minutes in [i64::from(i32::MAX), i64::from(i32::MAX) + 1, -1] {
            let planned = staff
                .send(
                    &mutation("planMeeting"),
                    json!({ "input": fixture.plan(&env, json!({ "plannedMinutes": minutes })) }),
                )
                .await;
            let expected = if minutes > i64::from(i32::MAX) { "BAD_USER_INPUT" } else { "INVALID plannedMinutes" };
            assert_eq!(outcome(&planned), expected);
        }
    }

    async fn tolerates_rows_that_no_command_would_write(env) {
        let mut env = env;
        let staff = everybody(&env);
        let mut live = Vec::new();
        for _ in 0..3 {
            live.push(staff.live_meeting(HOST, HOST, env.now(), "AFTER").await);
        }
        let [far, worse, good] = [&live[0], &live[1], &live[2]];
        let store = env.service(0).app().store.clone();
        let last_hour: DateTime<Utc> = LAST_HOUR.parse().unwrap();
        overwrite(&store, far, Some(last_hour), None).await;
        // Its budget overflows the range of times.
        overwrite(&store, worse, None, Some(DateTime::<Utc>::MAX_UTC)).await;
        let follow = "subscription { meetings { kind meeting { id timeSplit { status } } } }";
        let list = "{ meetings { nodes { id region { code } host { code } plannedStart announcedInTime } } }";
        for (minutes, status) in [(12, "WARNING"), (4, "EXCEEDED")] {
            let (service, somebody) = (env.service(0), env.anonymous());
            let mut events = somebody.follow(follow, json!({})).await;
            assert_eq!(events.next().await["kind"], "SUBSCRIBED");
            env.advance(TimeDelta::minutes(minutes));
            let mut told = Vec::new();
            while told.len() < 2 {
                let event = events.next_event_in(&env).await;
                assert_eq!(event["meeting"]["timeSplit"]["status"], status);
                told.push(event["meeting"]["id"].as_str().unwrap().to_owned());
            }
            assert!(told.contains(far) && told.contains(good), "{told:?}");
            assert!(!service.lifecycle().is_draining());
            let listed = somebody.query(list, json!({})).await["meetings"]["nodes"].as_array().unwrap().clone();
            assert_eq!(listed.len(), 3);
            assert!(listed.iter().all(|meeting| meeting["region"]["code"] == HOST && meeting["host"]["code"] == HOST));
            // The rest is checked on another replica, which starts with such rows.
            env.replica().await;
            env.stop(0).await;
        }
    }

    async fn clamps_the_time_split_of_a_meeting_left_live_for_weeks(env) {
        let staff = everybody(&env);
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        for stage in ["QUESTIONS", "BREAK", "PRESENTATION"] {
            env.advance(TimeDelta::milliseconds(i32::MAX.into()));
            let split = staff.split(&meeting).await;
            if stage == "QUESTIONS" {
                assert_eq!(split["presentationMs"], i32::MAX, "the value is clamped to 24.8 days");
                assert_eq!(split["budgetLeftMs"], 900_000 - i32::MAX);
            }
            env.advance(TimeDelta::days(40));
            let payload = staff.mutate("setStage", json!({ "meetingId": meeting, "stage": stage })).await;
            assert!(payload["refusal"].is_null(), "{payload}");
        }
        let split = staff.split(&meeting).await;
        for name in ["presentationMs", "questionsMs", "breakMs"] {
            assert_eq!(split[name], i32::MAX, "{split}");
        }
        assert_eq!(split["budgetLeftMs"], i32::MIN);
    }
}
