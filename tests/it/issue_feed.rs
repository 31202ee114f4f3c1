//! The feed of issues, and what each body is shown of it.

use chrono::TimeDelta;
use harness::{Actor, HOST, Subscription, TestEnv, id_of, on_both_engines};
use serde_json::{Value, json};

const FEED: &str = "subscription($filter: IssueFilter, $after: Int) { issues(filter: $filter, after: $after) \
                    { seq prev kind recovered issue { id state responsible { code } } } }";

async fn follow(person: &Actor, filter: Value, after: Option<i64>) -> Subscription {
    let mut live = person.follow(FEED, json!({ "filter": filter, "after": after })).await;
    let first = live.next().await;
    assert_eq!(first["kind"], "SUBSCRIBED", "{first}");
    live
}

async fn next(live: &mut Subscription, env: &TestEnv) -> (String, String, Value) {
    let event = live.next_event_in(env).await;
    let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{event}")).to_owned();
    (text(&event["kind"]), id_of(&event["issue"]), event["issue"]["responsible"]["code"].clone())
}

on_both_engines! {
    async fn a_body_follows_its_own_issues_until_they_are_assigned_away(env) {
        let staff = env.akimat(HOST);
        let (health, energy) = (env.agency("min-health"), env.agency("min-energy"));
        let mut of_health = follow(&health, Value::Null, None).await;
        let mut of_energy = follow(&energy, Value::Null, None).await;
        let mut public = follow(&env.anonymous(), Value::Null, None).await;
        let mut of_public_by_body = follow(&env.anonymous(), json!({ "agency": "min-health" }), None).await;
        let one = id_of(&staff.raise("Аурухана", &[]).await);
        let other = id_of(&staff.raise("Жарық", &[]).await);
        staff.assign(&one, "min-health", "2026-12-31").await;
        staff.assign(&other, "min-energy", "2026-12-31").await;
        staff.assign(&one, "min-energy", "2026-12-31").await;
        staff.mutate("declineIssue", json!({ "issueId": one, "reason": "Қайталанады" })).await;
        let assigned = |id: &str, body: &str| ("ASSIGNED".to_owned(), id.to_owned(), json!(body));
        // What is shown of an issue is its present state.
        let first = next(&mut of_health, &env).await;
        assert_eq!((first.0.as_str(), first.1.as_str()), ("ASSIGNED", one.as_str()));
        assert_eq!(next(&mut of_health, &env).await, assigned(&one, "min-energy"), "the last event names the new body");
        let mut kinds = Vec::new();
        for _ in 0..3 {
            let (kind, id, _) = next(&mut of_energy, &env).await;
            kinds.push((kind, id));
        }
        let expected = [("ASSIGNED", &other), ("ASSIGNED", &one), ("DECLINED", &one)];
        assert_eq!(kinds, expected.map(|(kind, id)| (kind.to_owned(), id.clone())), "nothing from before its assignment");
        let mut seen = Vec::new();
        for _ in 0..6 {
            seen.push(next(&mut public, &env).await.0);
        }
        assert_eq!(seen, ["RAISED", "RAISED", "ASSIGNED", "ASSIGNED", "ASSIGNED", "DECLINED"], "each change once");
        assert_eq!(next(&mut of_public_by_body, &env).await.1, one);
        assert_eq!(next(&mut of_public_by_body, &env).await, assigned(&one, "min-energy"));
        // Nothing after it: the next that the body is shown is a new issue of its own.
        let new = id_of(&staff.raise("Емхана", &[]).await);
        staff.assign(&new, "min-health", "2026-12-31").await;
        assert_eq!(next(&mut of_health, &env).await, assigned(&new, "min-health"));
    }

    async fn a_body_that_was_away_for_a_week_reads_exactly_what_it_missed(env) {
        let staff = env.akimat(HOST);
        let health = env.agency("min-health");
        let first = id_of(&staff.raise("Аурухана", &[]).await);
        staff.assign(&first, "min-health", "2026-12-31").await;
        let mut live = follow(&health, Value::Null, None).await;
        staff.mutate("planIssue", json!({ "issueId": first, "steps": [{ "action": "А", "executor": "min-health", "due": "2026-06-01" }] })).await;
        let seen = live.next_event_in(&env).await["seq"].as_i64().unwrap();
        drop(live);
        env.advance(TimeDelta::days(7));
        let mut expected = Vec::new();
        for n in 0..30 {
            let issue = id_of(&staff.raise(&format!("Мәселе {n}"), &[]).await);
            let body = if n % 10 == 3 { "min-health" } else { "min-energy" };
            staff.assign(&issue, body, "2026-12-31").await;
            if body == "min-health" { expected.push(issue); }
        }
        let mut back = health.follow(FEED, json!({ "filter": null, "after": seen })).await;
        let subscribed = back.next().await;
        assert_eq!((&subscribed["kind"], &subscribed["recovered"]), (&json!("SUBSCRIBED"), &json!(true)));
        let (mut found, mut prev) = (Vec::new(), seen);
        for _ in &expected {
            let event = back.next_event_in(&env).await;
            assert_eq!(event["prev"], prev, "no hole");
            prev = event["seq"].as_i64().unwrap();
            found.push(id_of(&event["issue"]));
        }
        assert_eq!(found, expected);
    }

    async fn subscribers_filter_by_unit_state_and_words(env) {
        let (here, there) = (env.akimat(HOST), env.akimat("711110000"));
        let anonymous = env.anonymous();
        let mut by_unit = follow(&anonymous, json!({ "region": "710000000" }), None).await;
        let mut by_state = follow(&anonymous, json!({ "states": ["ASSIGNED"] }), None).await;
        let mut by_word = follow(&anonymous, json!({ "search": "көпір" }), None).await;
        let road = id_of(&here.raise("Жол", &[]).await);
        let mut input = Actor::issue_input("Көпір", &[]);
        input["region"] = json!("711110000");
        let bridge = id_of(&there.mutate("raiseIssue", input).await["issue"]);
        here.assign(&road, "min-health", "2026-12-31").await;
        assert_eq!(next(&mut by_unit, &env).await.1, bridge);
        assert_eq!(next(&mut by_word, &env).await.1, bridge);
        assert_eq!(next(&mut by_state, &env).await.1, road);
    }
}
