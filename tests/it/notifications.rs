//! Notifications of authors about their own comments.

use chrono::TimeDelta;
use harness::{Actor, HOST, Subscription, TestEnv, id_of, lease, on_both_engines};
use serde_json::{Value, json};

const NOTIFICATIONS: &str = "subscription($after: Int) { notifications(after: $after) \
                             { seq prev kind recovered text subject { __typename ... on Comment { id state stateReason } } } }";

async fn notifications(person: &Actor, after: Option<i64>) -> Subscription {
    let mut live = person.follow(NOTIFICATIONS, json!({ "after": after })).await;
    assert_eq!(live.next().await["kind"], "SUBSCRIBED");
    live
}

/// Returns the kind and the id of the subject of the next notification.
async fn next_notification(live: &mut Subscription, env: &TestEnv) -> (String, String) {
    let event = live.next_event_in(env).await;
    assert!(event["text"].as_str().is_some_and(|text| !text.is_empty()), "{event}");
    (event["kind"].as_str().expect("a kind").to_owned(), id_of(&event["subject"]))
}

async fn head(person: &Actor) -> Value {
    person.query("{ viewer { notificationsHead } }", json!({})).await["viewer"]["notificationsHead"].clone()
}

on_both_engines! {
    async fn notifies_authors_about_their_comments(env) {
        let (staff, ana, ben) = (env.akimat(HOST), env.citizen("Ana"), env.citizen("Ben"));
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "BEFORE").await;
        let moderator = env.moderator(HOST);
        let mut live = notifications(&ana, None).await;
        let road = id_of(&ana.post(&meeting, "Жол?").await);
        let water = id_of(&ana.post(&meeting, "Су?").await);
        let same = id_of(&ana.post(&meeting, "Су қашан болады?").await);
        let other = id_of(&ben.post(&meeting, "Су келмейді").await);
        moderator.moderate("REJECT", &[&road]).await;
        moderator.moderate("APPROVE", &[&water, &same, &other]).await;
        moderator.mutate("selectComment", json!({ "commentId": water })).await;
        moderator.mutate("answerComment", json!({ "commentId": water })).await;
        moderator.mutate("mergeComments", json!({ "into": other, "commentIds": [same] })).await;
        moderator.mutate("answerComment", json!({ "commentId": other, "answer": "Наурызда" })).await;
        moderator.moderate("HIDE", &[&water]).await;
        for (kind, subject) in [
            ("COMMENT_REJECTED", &road),
            ("COMMENT_PUBLISHED", &water),
            ("COMMENT_PUBLISHED", &same),
            ("COMMENT_SELECTED", &water),
            ("COMMENT_ANSWERED", &water),
            ("COMMENT_MERGED", &same),
            ("COMMENT_ANSWERED", &same),
            ("COMMENT_REJECTED", &water),
        ] {
            assert_eq!(next_notification(&mut live, &env).await, (kind.to_owned(), subject.clone()));
        }
        assert_eq!(head(&ana).await, 8);
        let mut again = notifications(&ana, Some(4)).await;
        assert_eq!(again.next_event_in(&env).await["seq"], 5, "missed events are replayed");
        let mut bens = notifications(&ben, Some(0)).await;
        assert_eq!(next_notification(&mut bens, &env).await, ("COMMENT_PUBLISHED".to_owned(), other.clone()));
        assert_eq!(next_notification(&mut bens, &env).await, ("COMMENT_ANSWERED".to_owned(), other));
        assert_eq!(head(&ben).await, 2, "only one's own");
    }

    async fn does_not_notify_about_own_actions(env) {
        let (staff, ana) = (env.akimat(HOST), env.citizen("Ana"));
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let first = id_of(&ana.post(&meeting, "Жол?").await);
        ana.mutate("withdrawComment", json!({ "commentId": first })).await;
        assert_eq!(head(&ana).await, 0);
        let second = id_of(&ana.post(&meeting, "Су?").await);
        env.moderator(HOST).moderate("HIDE", &[&second]).await;
        let mut live = notifications(&ana, Some(0)).await;
        assert_eq!(next_notification(&mut live, &env).await, ("COMMENT_REJECTED".to_owned(), second));
    }

    async fn notifications_require_a_token_and_reach_every_replica(env) {
        let mut env = env;
        let (staff, ana) = (env.akimat(HOST), env.citizen("Ana"));
        let mut anonymous = env.anonymous().follow(NOTIFICATIONS, json!({})).await;
        assert_eq!(anonymous.refused().await, "UNAUTHENTICATED");
        let second = env.replica().await;
        let mut live = notifications(&ana.at(env.host(second)), None).await;
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let comment = id_of(&ana.post(&meeting, "Жол?").await);
        env.moderator(HOST).moderate("HIDE", &[&comment]).await;
        assert_eq!(next_notification(&mut live, &env).await, ("COMMENT_REJECTED".to_owned(), comment));
    }

    async fn keeps_notifications_for_half_a_year(env) {
        let (staff, ana) = (env.akimat(HOST), env.citizen("Ana"));
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let old = id_of(&ana.post(&meeting, "Жол?").await);
        env.moderator(HOST).moderate("HIDE", &[&old]).await;
        env.advance(TimeDelta::days(100));
        env.moderator(HOST).moderate("RESTORE", &[&old]).await;
        env.advance(TimeDelta::days(81));
        let app = env.service(0).app();
        app.delete_old_events(&lease(app).await, &kezdesu::app::topics(app)).await.unwrap();
        let mut live = ana.follow(NOTIFICATIONS, json!({ "after": 0 })).await;
        let first = live.next().await;
        assert_eq!((&first["kind"], &first["recovered"]), (&json!("SUBSCRIBED"), &json!(false)));
        let mut rest = notifications(&ana, Some(1)).await;
        assert_eq!(next_notification(&mut rest, &env).await, ("COMMENT_PUBLISHED".to_owned(), old));
    }

    async fn lists_own_comments_in_every_state(env) {
        let (staff, ana, ben) = (env.akimat(HOST), env.citizen("Ana"), env.citizen("Ben"));
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "BEFORE").await;
        let mut own = Vec::new();
        for n in 0..5 {
            own.insert(0, id_of(&ana.post(&meeting, &format!("Сұрақ {n}")).await));
            ben.post(&meeting, &format!("Басқа {n}")).await;
        }
        env.moderator(HOST).moderate("REJECT", &[&own[1]]).await;
        let query = "query($after: String) { viewer { comments(first: 2, after: $after) \
                     { totalCount nodes { id state } pageInfo { hasNextPage endCursor } } } }";
        let (mut listed, mut after) = (Vec::new(), Value::Null);
        loop {
            let page = ana.query(query, json!({ "after": after })).await["viewer"]["comments"].clone();
            assert_eq!(page["totalCount"], 5);
            listed.extend(page["nodes"].as_array().unwrap().iter().map(id_of));
            after = page["pageInfo"]["endCursor"].clone();
            if page["pageInfo"]["hasNextPage"] == false {
                break;
            }
        }
        assert_eq!(listed, own);
    }
}
