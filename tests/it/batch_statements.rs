//! Batch commands take the same number of statements for 6 comments as for 96.

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use harness::{Actor, Engine, HOST, Opening, TestEnv, id_of, on_both_engines};
use serde_json::{Value, json};

/// Runs a mutation, which must succeed, and returns the number of its statements.
async fn statements(env: &TestEnv, actor: &Actor, mutation: &str, input: Value) -> u64 {
    let kind = format!("{}{}Input", mutation[..1].to_uppercase(), &mutation[1..]);
    let query = format!("mutation($input: {kind}!) {{ {mutation}(input: $input) {{ refusal {{ code field }} }} }}");
    let (answer, statements) = env.counting(actor.query(&query, json!({ "input": input }))).await;
    assert!(answer[mutation]["refusal"].is_null(), "{mutation}: {answer}");
    statements
}

async fn ids(env: &TestEnv, meeting: &str) -> Vec<String> {
    env.moderator(HOST).comments(meeting, json!({})).await.iter().map(id_of).collect()
}

/// Returns the number of statements of each command over `count` comments.
async fn taken(env: &TestEnv, count: usize) -> Vec<(&'static str, u64)> {
    let (staff, moderator, connector) = (env.akimat(HOST), env.moderator(HOST), env.connector(HOST));
    let meeting = staff.live_meeting(HOST, HOST, env.now(), "BEFORE").await;
    let add = json!({ "meetingId": meeting, "platform": "VK", "url": "https://vk.example/live" });
    let broadcast = id_of(&staff.mutate("addBroadcast", add).await["meeting"]["broadcasts"][0]);
    let target = id_of(&env.citizen("Ana").post(&meeting, "Жол?").await);
    let import = |text: &str, deleted: bool| {
        let one = |n: usize| {
            json!({ "externalId": n.to_string(), "authorExternalId": n.to_string(), "authorName": "Марат",
                                     "body": format!("{text} {n}"), "postedAt": env.now(), "deleted": deleted })
        };
        let comments: Vec<_> = (0..count).map(one).collect();
        json!({ "meetingId": meeting, "broadcastId": broadcast, "comments": comments })
    };
    let mut taken = vec![("new", statements(env, &connector, "importComments", import("Су", false)).await)];
    let mut all = ids(env, &meeting).await;
    all.retain(|id| *id != target);
    assert_eq!(all.len(), count);
    // The first command of a person at a host stores their name, which costs a statement.
    moderator.moderate("APPROVE", &[&target]).await;
    let moderate = |action: &str| json!({ "commentIds": all, "action": action, "reason": "себеп" });
    taken.push(("approve", statements(env, &moderator, "moderateComments", moderate("APPROVE")).await));
    taken.push(("edit", statements(env, &connector, "importComments", import("Жарық", false)).await));
    let merge = json!({ "into": target, "commentIds": all });
    taken.push(("merge", statements(env, &moderator, "mergeComments", merge.clone()).await));
    moderator.moderate("HIDE", &[&target]).await;
    taken.push(("part", statements(env, &moderator, "moderateComments", moderate("RESTORE")).await));
    moderator.moderate("RESTORE", &[&target]).await;
    taken.push(("merge again", statements(env, &moderator, "mergeComments", merge).await));
    taken.push(("delete", statements(env, &connector, "importComments", import("Жарық", true)).await));
    taken
}

on_both_engines! {
    async fn batch_commands_take_the_same_number_of_statements_at_any_size(env) {
        let (few, many) = (taken(&env, 6).await, taken(&env, 96).await);
        assert_eq!(few, many);
        assert!(many.iter().all(|(_, statements)| *statements <= 25), "{many:?}");
    }

    async fn registrations_that_arrive_together_share_statements(env) {
        let opening = Opening { starts_in: TimeDelta::hours(24), slots: 30, desks: 4 };
        let reception = &env.akimat(HOST).reception(&env, opening).await;
        env.citizen("Ana").register(reception, json!({})).await;
        let alone = env.counting(env.citizen("Ben").register(reception, json!({}))).await.1;
        let crowd: Vec<Actor> = (0..100).map(|n| env.citizen(&format!("p{n}"))).collect();
        let registering = join_all(crowd.iter().map(|person| person.register(reception, json!({}))));
        let (rows, together) = env.counting(registering).await;
        assert_eq!(rows.len(), 100);
        // Each reads the reception once by itself; the rest is shared by few transactions.
        assert!(together < 100 * alone / 3, "{together} statements for 100 people, {alone} for one");
    }

    async fn imports_take_as_many_statements_for_few_comments_as_for_many(env) {
        let (staff, connector) = (env.akimat(HOST), env.connector(HOST));
        let mut taken = Vec::new();
        for count in [5, 7, 95] {
            let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
            let add = json!({ "meetingId": meeting, "platform": "VK", "url": "https://vk.example/live" });
            let broadcast = id_of(&staff.mutate("addBroadcast", add).await["meeting"]["broadcasts"][0]);
            let one = |n: usize| {
                json!({ "externalId": n.to_string(), "authorExternalId": n.to_string(), "authorName": "Марат",
                        "body": format!("\"Жол\" \\ \u{2028} 🛣 № {n}"), "postedAt": env.now() - TimeDelta::milliseconds(123), "deleted": false })
            };
            let comments: Vec<_> = (0..count).map(one).collect();
            let import = json!({ "meetingId": meeting, "broadcastId": broadcast, "comments": comments });
            taken.push(statements(&env, &connector, "importComments", import).await);
            let stored = env.moderator(HOST).comments(&meeting, json!({ "orderBy": "OLDEST" })).await;
            let first = &stored[0];
            assert_eq!(first["body"], "\"Жол\" \\ 🛣 № 0", "the text as it was normalised");
            assert_eq!((&first["authorName"], &first["answer"]), (&json!("Марат"), &Value::Null));
            let posted: DateTime<Utc> = first["postedAt"].as_str().unwrap().parse().unwrap();
            assert_eq!(posted, env.now() - TimeDelta::milliseconds(123), "to the millisecond");
        }
        // SQLite, which has no round trips, inserts in batches of few sizes.
        let batches = if env.engine == Engine::Production { 0 } else { 8 };
        assert!(taken.iter().all(|count| count.abs_diff(taken[0]) <= batches), "{taken:?}");
    }

    async fn publishes_many_vote_counts_together(env) {
        let staff = env.akimat(HOST);
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let (ana, ben) = (env.citizen("Ana"), env.citizen("Ben"));
        let mut live = env.anonymous().follow_comments(&meeting, None, "PUBLIC").await;
        let mut posted = Vec::new();
        for n in 0..12 {
            posted.push(id_of(&ana.post(&meeting, &format!("№ {n}")).await));
            assert_eq!(live.next_event_in(&env).await["kind"], "POSTED");
        }
        for id in &posted {
            ben.mutate("voteComment", json!({ "commentId": id })).await;
        }
        let mut shown = Vec::new();
        for _ in &posted {
            let event = live.next_event_in(&env).await;
            assert_eq!((&event["kind"], &event["comment"]["votes"]), (&json!("VOTES"), &json!(1)), "{event}");
            shown.push(event["commentId"].as_str().unwrap().to_owned());
        }
        shown.sort_unstable();
        posted.sort_unstable();
        assert_eq!(shown, posted, "each exactly once");
    }
}
