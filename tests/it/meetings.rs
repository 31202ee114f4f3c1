//! The lifecycle of a meeting, and its refusals.

use chrono::TimeDelta;
use harness::{TestEnv, id_of, on_both_engines, refusal};
use serde_json::{Value, json};

const OBLAST: &str = "100000000";
const DISTRICT: &str = "103200000";
const OKRUG: &str = "103230000";
const VILLAGE: &str = "103230100";

fn plan(env: &TestEnv, host: &str, region: &str, change: Value) -> Value {
    let mut input = json!({
        "host": host, "region": region, "title": { "kk": "Кездесу" }, "origin": "CALENDAR",
        "plannedStart": env.now() + TimeDelta::days(20), "plannedMinutes": 60,
    });
    for (name, value) in change.as_object().unwrap() {
        input[name] = value.clone();
    }
    input
}

on_both_engines! {
    async fn plans_announces_starts_and_ends_a_meeting(env) {
        let staff = env.akimat(DISTRICT);
        let meeting = staff.plan(DISTRICT, OKRUG, env.now() + TimeDelta::days(20), "AFTER").await;
        assert_eq!((meeting["phase"].as_str(), meeting["version"].as_i64()), (Some("PLANNED"), Some(1)));
        assert!(meeting["announcedInTime"].is_null());
        let id = id_of(&meeting);
        let announced = staff.announce(&id).await;
        assert_eq!(
            (announced["phase"].as_str(), announced["announcedInTime"].as_bool()),
            (Some("ANNOUNCED"), Some(true))
        );
        let again = staff.announce(&id).await;
        assert_eq!(again["version"], announced["version"], "announcing again changes nothing");

        let add = json!({ "meetingId": id, "platform": "YOUTUBE", "url": "https://youtube.example/live" });
        staff.mutate("addBroadcast", add).await;
        env.advance(TimeDelta::days(20));
        let live =
            staff.mutate("startMeeting", json!({ "meetingId": id, "stage": "QUESTIONS" })).await["meeting"].clone();
        assert_eq!(live["phase"], "LIVE");
        assert_eq!(live["broadcasts"][0]["startedAt"], live["startedAt"]);
        env.advance(TimeDelta::minutes(50));
        let ended = staff.mutate("endMeeting", json!({ "meetingId": id })).await["meeting"].clone();
        assert_eq!(ended["phase"], "ENDED");
        assert_eq!(ended["broadcasts"][0]["endedAt"], ended["endedAt"]);
        assert_eq!(refusal(&staff.mutate("startMeeting", json!({ "meetingId": id })).await), "WRONG_STATE");
        assert_eq!(
            refusal(&staff.mutate("setStage", json!({ "meetingId": id, "stage": "BREAK" })).await),
            "WRONG_STATE"
        );
    }

    async fn rejects_regions_that_the_host_does_not_cover(env) {
        let staff = env.akimat(OBLAST);
        for (host, region, allowed) in [
            (OBLAST, DISTRICT, true),
            (OBLAST, OKRUG, false),
            (DISTRICT, OKRUG, true),
            (DISTRICT, VILLAGE, false),
            (OKRUG, VILLAGE, true),
            (OKRUG, OKRUG, false),
            (OBLAST, "113200000", false),
        ] {
            let payload = staff.mutate("planMeeting", plan(&env, host, region, json!({}))).await;
            if allowed {
                assert!(payload["refusal"].is_null(), "{host} {region}: {payload}");
            } else {
                assert_eq!(refusal(&payload), "DECREE");
                assert_eq!(
                    (payload["refusal"]["norm"].as_str(), payload["refusal"]["field"].as_str()),
                    (Some("2.1"), Some("region"))
                );
            }
        }
    }

    async fn rejects_an_invalid_plan_with_the_field(env) {
        let staff = env.akimat(OBLAST);
        let long = "ә".repeat(301);
        for (change, code, field) in [
            (json!({ "title": { "kk": "  " } }), "INVALID", "title"),
            (json!({ "title": { "kk": long } }), "TOO_LONG", "title"),
            (json!({ "title": { "kk": "\u{200b}\u{202e}\u{7}" } }), "INVALID", "title"),
            (json!({ "plannedMinutes": 9 }), "INVALID", "plannedMinutes"),
            (json!({ "plannedMinutes": 721 }), "INVALID", "plannedMinutes"),
            (json!({ "plannedStart": env.now() - TimeDelta::milliseconds(1) }), "INVALID", "plannedStart"),
            (json!({ "region": "109999999" }), "INVALID", "region"),
            (json!({ "host": VILLAGE, "region": VILLAGE }), "INVALID", "host"),
            (json!({ "origin": "OFF_CALENDAR" }), "DECREE", "offCalendarReason"),
        ] {
            let payload = staff.mutate("planMeeting", plan(&env, DISTRICT, OKRUG, change.clone())).await;
            assert_eq!(refusal(&payload), code, "{change}");
            assert_eq!(payload["refusal"]["field"], field, "{change}");
        }
        let off = json!({ "origin": "OFF_CALENDAR", "offCalendarReason": "Су тасқыны" });
        assert!(staff.mutate("planMeeting", plan(&env, DISTRICT, OKRUG, off)).await["refusal"].is_null());
        let meetings = env.anonymous().query("{ meetings { totalCount } }", json!({})).await;
        assert_eq!(meetings["meetings"]["totalCount"], 1, "rejected plans are not stored");
    }

    async fn an_announcement_is_in_time_until_midnight_of_the_last_day(env) {
        let staff = env.akimat(DISTRICT);
        // It is 09:00 in Almaty, so a meeting at 09:00 in fourteen days is announced on the last day.
        for (host, region, days, in_time) in [
            (DISTRICT, OKRUG, 14, true),
            (DISTRICT, OKRUG, 13, false),
            (OKRUG, VILLAGE, 7, true),
            (OKRUG, VILLAGE, 6, false),
        ] {
            let meeting = id_of(&staff.plan(host, region, env.now() + TimeDelta::days(days), "AFTER").await);
            assert_eq!(staff.announce(&meeting).await["announcedInTime"], in_time, "{host} {days}");
        }
        let late = id_of(&staff.plan(DISTRICT, OKRUG, env.now() + TimeDelta::days(14), "AFTER").await);
        env.advance(TimeDelta::hours(15) - TimeDelta::milliseconds(1));
        let met = id_of(&staff.plan(DISTRICT, OKRUG, "2026-03-16T04:00:00Z".parse().unwrap(), "AFTER").await);
        assert_eq!(staff.announce(&met).await["announcedInTime"], true, "23:59:59.999 is still the last day");
        env.advance(TimeDelta::milliseconds(1));
        assert_eq!(staff.announce(&late).await["announcedInTime"], false, "24:00 is the next day");
    }

    async fn reschedules_and_cancels_a_meeting_before_it_starts(env) {
        let staff = env.akimat(DISTRICT);
        let id = id_of(&staff.plan(DISTRICT, OKRUG, env.now() + TimeDelta::days(20), "AFTER").await);
        let announced = staff.announce(&id).await;
        let to = |days: i64, reason: &str, version: Value| json!({ "meetingId": id, "plannedStart": env.now() + TimeDelta::days(days), "reason": reason, "version": version });
        let stale = staff.mutate("rescheduleMeeting", to(30, "Жол жабық", json!(1))).await;
        assert_eq!(refusal(&stale), "STALE");
        assert_eq!(stale["refusal"]["currentVersion"], announced["version"]);
        assert_eq!(refusal(&staff.mutate("rescheduleMeeting", to(30, " ", json!(null))).await), "INVALID");
        assert_eq!(refusal(&staff.mutate("rescheduleMeeting", to(-1, "Жол жабық", json!(null))).await), "INVALID");
        let moved = staff.mutate("rescheduleMeeting", to(30, "Жол жабық", announced["version"].clone())).await;
        assert_eq!(moved["meeting"]["announcedInTime"], true);
        env.advance(TimeDelta::days(1));
        let nearer = staff.mutate("rescheduleMeeting", to(5, "Акимнің сапары", json!(null))).await;
        assert_eq!(nearer["meeting"]["announcedInTime"], false, "rescheduling announces the new date");
        assert_eq!(refusal(&staff.mutate("cancelMeeting", json!({ "meetingId": id, "reason": "" })).await), "INVALID");
        let cancelled =
            staff.mutate("cancelMeeting", json!({ "meetingId": id, "reason": "Боран" })).await["meeting"].clone();
        assert_eq!(
            (cancelled["phase"].as_str(), cancelled["cancelReason"].as_str()),
            (Some("CANCELLED"), Some("Боран"))
        );
        assert_eq!(
            refusal(&staff.mutate("announceMeeting", json!({ "meetingId": id, "channels": ["PRESS"] })).await),
            "WRONG_STATE"
        );
    }

    async fn a_broadcast_needs_an_http_url_and_an_unfinished_meeting(env) {
        let staff = env.akimat(DISTRICT);
        let id = id_of(&staff.plan(DISTRICT, OKRUG, env.now() + TimeDelta::days(20), "AFTER").await);
        for url in ["javascript:alert(1)", "ftp://x.example", "youtube", "http://", ""] {
            let payload =
                staff.mutate("addBroadcast", json!({ "meetingId": id, "platform": "YOUTUBE", "url": url })).await;
            assert_eq!(
                (refusal(&payload).as_str(), payload["refusal"]["field"].as_str()),
                ("INVALID", Some("url")),
                "{url}"
            );
        }
        staff.mutate("cancelMeeting", json!({ "meetingId": id, "reason": "Боран" })).await;
        let payload = staff
            .mutate("addBroadcast", json!({ "meetingId": id, "platform": "VK", "url": "https://vk.example/1" }))
            .await;
        assert_eq!(refusal(&payload), "WRONG_STATE");
    }

    async fn filters_meetings_by_region_phase_date_and_words(env) {
        let staff = env.akimat(OBLAST);
        for (host, region, days, title) in
            [(OBLAST, DISTRICT, 30, "Көктем"), (DISTRICT, OKRUG, 10, "Су мәселесі"), (OKRUG, VILLAGE, 20, "Жол")]
        {
            let change = json!({ "title": { "kk": title }, "plannedStart": env.now() + TimeDelta::days(days) });
            staff.mutate("planMeeting", plan(&env, host, region, change)).await;
        }
        let titles = async |filter: Value| {
            let query =
                "query($filter: MeetingFilter) { meetings(filter: $filter) { totalCount nodes { title { kk } } } }";
            let found = env.anonymous().query(query, json!({ "filter": filter })).await["meetings"].clone();
            let titles: Vec<String> = found["nodes"]
                .as_array()
                .unwrap()
                .iter()
                .map(|node| node["title"]["kk"].as_str().unwrap().to_owned())
                .collect();
            assert_eq!(found["totalCount"], titles.len());
            titles
        };
        assert_eq!(titles(json!({})).await, ["Су мәселесі", "Жол", "Көктем"]);
        assert_eq!(titles(json!({ "region": OKRUG })).await, ["Су мәселесі", "Жол"]);
        assert_eq!(titles(json!({ "region": DISTRICT, "host": OBLAST })).await, ["Көктем"]);
        assert_eq!(titles(json!({ "phases": ["ANNOUNCED"] })).await, Vec::<String>::new());
        assert_eq!(titles(json!({ "from": "2026-03-12", "to": "2026-03-22" })).await, ["Су мәселесі", "Жол"]);
        assert_eq!(titles(json!({ "from": "2026-03-13" })).await, ["Жол", "Көктем"]);
        assert_eq!(titles(json!({ "search": "су маселеси" })).await, ["Су мәселесі"]);
        let page = "query($after: String) { meetings(first: 1, after: $after) { nodes { title { kk } } pageInfo { hasNextPage endCursor } } }";
        let first = env.anonymous().query(page, json!({})).await["meetings"].clone();
        let second =
            env.anonymous().query(page, json!({ "after": first["pageInfo"]["endCursor"] })).await["meetings"].clone();
        assert_eq!(second["nodes"][0]["title"]["kk"], "Жол");
    }
}
