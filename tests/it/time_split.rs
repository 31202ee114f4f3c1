//! The time split between presentation and questions.

use chrono::TimeDelta;
use harness::{HOST, on_both_engines, refusal, token_claims};
use serde_json::{Value, json};

const FOLLOW: &str = "subscription($id: ID!, $every: Int) { timeSplit(meetingId: $id, everySeconds: $every) \
                      { stage presentationMs questionsMs breakMs status exceededAt } }";

fn sums(split: &Value) -> [i64; 3] {
    ["presentationMs", "questionsMs", "breakMs"].map(|name| split[name].as_i64().unwrap())
}

on_both_engines! {
    async fn a_new_stage_is_answered_from_its_transaction(env) {
        let meeting = env.akimat(HOST).live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let moderator = env.moderator(HOST);
        // A read after the commit would cost a statement, and could show a later stage.
        let split = "timeSplit { stage segments { stage endedAt } }";
        let (mut short, mut full) = (Vec::new(), Vec::new());
        for (stage, part, counts) in [
            // The first command of a person at a host stores their name, which costs a statement.
            ("BREAK", "refusal { code }", &mut Vec::new()),
            ("QUESTIONS", "refusal { code }", &mut short),
            ("BREAK", split, &mut Vec::new()),
            ("QUESTIONS", split, &mut full),
        ] {
            env.advance(TimeDelta::milliseconds(10));
            let set = format!("mutation($input: SetStageInput!) {{ setStage(input: $input) {{ {part} }} }}");
            let input = json!({ "meetingId": meeting, "stage": stage });
            let (answer, count) = env.counting(moderator.query(&set, json!({ "input": input }))).await;
            counts.push(count);
            if part == split {
                let split = &answer["setStage"]["timeSplit"];
                assert_eq!(split["stage"], stage);
                let last = split["segments"].as_array().unwrap().last().unwrap();
                assert_eq!(*last, json!({ "stage": stage, "endedAt": null }));
            }
        }
        assert_eq!(short, full);
    }

    async fn the_split_is_exact_across_breaks_and_clock_jumps(env) {
        let staff = env.akimat(HOST);
        // Issued before any time that the clock will show.
        let issued = env.now() - TimeDelta::hours(2);
        let moderator = env.with_claims(&token_claims("moderator", "Moderator", &["MODERATOR"], Some(HOST), issued));
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let stage =
            async |stage: &str| moderator.mutate("setStage", json!({ "meetingId": meeting, "stage": stage })).await;
        env.advance(TimeDelta::milliseconds(123_457));
        stage("BREAK").await;
        env.advance(TimeDelta::milliseconds(60_001));
        stage("PRESENTATION").await;
        env.advance(TimeDelta::milliseconds(7));
        let split = stage("QUESTIONS").await["timeSplit"].clone();
        assert_eq!(sums(&split), [123_464, 0, 60_001]);
        assert_eq!((split["budgetMs"].as_i64(), split["plannedMs"].as_i64()), (Some(900_000), Some(3_600_000)));
        env.advance(TimeDelta::hours(-1));
        assert_eq!(sums(&stage("BREAK").await["timeSplit"]), [123_464, 0, 60_001], "time must not run backwards");
        env.advance(TimeDelta::hours(1) + TimeDelta::seconds(10));
        let split = stage("QUESTIONS").await["timeSplit"].clone();
        assert_eq!(sums(&split), [123_464, 0, 70_001]);
        let (one, two) = tokio::join!(stage("PRESENTATION"), stage("PRESENTATION"));
        assert!(one["refusal"].is_null() && two["refusal"].is_null());
        let query = "query($id: ID!) { meeting(id: $id) { timeSplit { segments { stage } } } }";
        let segments =
            env.anonymous().query(query, json!({ "id": meeting })).await["meeting"]["timeSplit"]["segments"].clone();
        assert_eq!(segments.as_array().unwrap().len(), 7, "concurrent switches create one segment: {segments}");
        env.advance(TimeDelta::seconds(5));
        staff.mutate("endMeeting", json!({ "meetingId": meeting })).await;
        env.advance(TimeDelta::hours(5));
        assert_eq!(
            sums(&env.anonymous().split(&meeting).await),
            [128_464, 0, 70_001],
            "the split of an ended meeting is fixed"
        );
        assert_eq!(refusal(&stage("BREAK").await), "WRONG_STATE");
    }

    async fn the_split_is_the_same_after_a_restart(env) {
        let mut env = env;
        let staff = env.akimat(HOST);
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        env.advance(TimeDelta::seconds(90));
        let replica = env.replica().await;
        let there = env.anonymous().at(env.host(replica));
        env.stop(0).await;
        env.advance(TimeDelta::seconds(30));
        assert_eq!(sums(&there.split(&meeting).await), [120_000, 0, 0]);
    }

    async fn subscribers_get_the_split_at_start_on_change_and_periodically(env) {
        let (staff, moderator) = (env.akimat(HOST), env.moderator(HOST));
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let mut live = env.anonymous().follow(FOLLOW, json!({ "id": meeting, "every": 1 })).await;
        assert_eq!(sums(&live.next().await), [0, 0, 0]);
        moderator.mutate("setStage", json!({ "meetingId": meeting, "stage": "QUESTIONS" })).await;
        assert_eq!(live.next().await["stage"], "QUESTIONS");
        let ticked = live.next_in(&env).await;
        assert!(sums(&ticked)[1] >= 1000, "{ticked}");
        let refused = env.anonymous().follow(FOLLOW, json!({ "id": meeting, "every": 0 })).await.refused().await;
        assert_eq!(refused, "BAD_USER_INPUT");
        let missing = "mtg_00000000000000000000000000";
        assert_eq!(
            env.anonymous().follow(FOLLOW, json!({ "id": missing, "every": 1 })).await.refused().await,
            "NOT_FOUND"
        );
    }

    async fn reaching_the_budget_is_recorded_once(env) {
        let mut env = env;
        let staff = env.akimat(HOST);
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        env.replica().await;
        let mut live = env
            .anonymous()
            .follow("subscription { meetings { kind meeting { timeSplit { status } } } }", json!({}))
            .await;
        assert_eq!(live.next().await["kind"], "SUBSCRIBED");
        env.advance(TimeDelta::minutes(12));
        let warned = live.next_event_in(&env).await;
        assert_eq!(
            (warned["kind"].as_str(), warned["meeting"]["timeSplit"]["status"].as_str()),
            (Some("STAGE"), Some("WARNING"))
        );
        env.advance(TimeDelta::minutes(4));
        let over = live.next_event_in(&env).await;
        assert_eq!(over["meeting"]["timeSplit"]["status"], "EXCEEDED");
        staff.mutate("endMeeting", json!({ "meetingId": meeting })).await;
        assert_eq!(live.next_event_in(&env).await["kind"], "ENDED", "no duplicate events");
        let split = env.anonymous().split(&meeting).await;
        assert!(split["exceededAt"].as_str().unwrap().starts_with("2026-03-02T04:15:00"), "{split}");
    }
}
