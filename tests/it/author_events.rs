//! Events that authors get about their own comments in the public view.

use harness::{HOST, Subscription, TestEnv, id_of, on_both_engines};
use serde_json::{Value, json};

/// Returns kind, `seq` and `prev` of the next event except heartbeats.
async fn summary(live: &mut Subscription, env: &TestEnv) -> (String, i64, i64) {
    let event = live.next_event_in(env).await;
    let position = |name: &str| event[name].as_i64().expect("a position");
    (event["kind"].as_str().expect("a kind").to_owned(), position("seq"), position("prev"))
}

on_both_engines! {
    async fn only_the_author_gets_events_of_their_unpublished_comments(env) {
        let (staff, ana, ben) = (env.akimat(HOST), env.citizen("Ana"), env.citizen("Ben"));
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "BEFORE").await;
        let moderator = env.moderator(HOST);
        let mut own = ana.follow_comments(&meeting, None, "PUBLIC").await;
        let mut dana = env.citizen("Dana").follow_comments(&meeting, None, "PUBLIC").await;
        let first = id_of(&ana.post(&meeting, "Жол?").await);
        moderator.moderate("REJECT", &[&first]).await;
        let second = id_of(&ana.post(&meeting, "Су?").await);
        moderator.moderate("APPROVE", &[&second]).await;
        moderator.moderate("HIDE", &[&second]).await;
        let last = id_of(&ben.post(&meeting, "Жарық?").await);
        moderator.moderate("APPROVE", &[&last]).await;
        let rejected = |event: &Value| event["comment"]["state"] == "REJECTED";
        assert_eq!(summary(&mut own, &env).await, ("POSTED".to_owned(), 1, 0));
        assert!(rejected(&own.next_event_in(&env).await));
        for (kind, seq, prev) in [("POSTED", 3, 2), ("CHANGED", 4, 3), ("CHANGED", 5, 4), ("POSTED", 7, 5)] {
            assert_eq!(summary(&mut own, &env).await, (kind.to_owned(), seq, prev));
        }
        loop {
            let event = dana.next_event_in(&env).await;
            assert!(event["commentId"] != json!(first), "events of unpublished comments are private: {event}");
            if event["commentId"] == json!(last) {
                break;
            }
            assert!(event["kind"] == "REMOVED" || event["comment"]["body"] == "Су?", "{event}");
        }
        let mut again = ana.follow_comments(&meeting, Some(0), "PUBLIC").await;
        let mut resumed = Vec::new();
        for _ in 0..6 {
            resumed.push(again.next_event_in(&env).await["seq"].clone());
        }
        assert_eq!(resumed, [1, 2, 3, 4, 5, 7].map(Value::from), "the same after resuming");
    }

    async fn muting_is_not_revealed_to_the_author(env) {
        let (staff, ana, ben) = (env.akimat(HOST), env.citizen("Ana"), env.citizen("Ben"));
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let moderator = env.moderator(HOST);
        let mut queue = moderator.follow_comments(&meeting, None, "MODERATION").await;
        let mut own = ana.follow_comments(&meeting, None, "PUBLIC").await;
        let mut public = ben.follow_comments(&meeting, None, "PUBLIC").await;
        let first = id_of(&ana.post(&meeting, "Жол?").await);
        for minutes in [10, 0] {
            moderator.mutate("muteAuthor", json!({ "commentId": first, "minutes": minutes })).await;
        }
        moderator.mutate("labelComment", json!({ "commentId": first, "labels": ["жол"] })).await;
        let posted = |seq, prev| ("POSTED".to_owned(), seq, prev);
        let changed = |seq, prev| ("CHANGED".to_owned(), seq, prev);
        for live in [&mut own, &mut public] {
            assert_eq!(summary(live, &env).await, posted(1, 0));
            assert_eq!(summary(live, &env).await, changed(4, 1), "labels are public");
        }
        for expected in [posted(1, 0), changed(2, 1), changed(3, 2), changed(4, 3)] {
            assert_eq!(summary(&mut queue, &env).await, expected);
        }
        let mut again = ana.follow_comments(&meeting, Some(1), "PUBLIC").await;
        assert_eq!(summary(&mut again, &env).await, changed(4, 1), "the same after resuming");
    }
}
