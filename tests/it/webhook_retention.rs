//! How long deliveries of webhooks are kept.

use chrono::TimeDelta;
use harness::{Actor, Behaviour, HOST, Receiver, on_both_engines, record_issue_events, until};
use serde_json::{Value, json};

const HOUR: TimeDelta = TimeDelta::hours(1);

const DELETED: &str = "Events were deleted before they could be sent.";

/// Returns the only webhook of somebody.
async fn webhook(staff: &Actor) -> Value {
    let query = "{ webhooks { lastError deliveredSeq deliveries { totalCount nodes { seq state } } } }";
    staff.query(query, json!({})).await["webhooks"][0].clone()
}

fn states(webhook: &Value) -> Vec<(i64, String)> {
    let nodes = webhook["deliveries"]["nodes"].as_array().unwrap().iter().rev();
    nodes.map(|node| (node["seq"].as_i64().unwrap(), node["state"].as_str().unwrap().to_owned())).collect()
}

on_both_engines! {
    async fn what_was_delivered_is_kept_for_a_month_and_the_rest_as_long_as_its_events(env) {
        let (staff, receiver) = (env.akimat(HOST), Receiver::start().await);
        staff.register_webhook(&receiver.url()).await;
        let fails = |seq: i64| seq == 1 || seq == 4;
        receiver.choose(move |message| Behaviour::Respond(if fails(message.seq()) { 500 } else { 200 }));
        let record = async |events: &[(u128, &'static str)]| {
            record_issue_events(env.service(0).app(), HOST, events).await;
        };
        let is = |expected: &[(i64, &str)]| {
            let expected: Vec<_> = expected.iter().map(|(seq, state)| (*seq, (*state).to_owned())).collect();
            move |webhook: &Value| states(webhook) == expected
        };
        record(&[(1, "RAISED"), (1, "PLANNED"), (2, "RAISED")]).await;
        let first = is(&[(1, "WAITING"), (2, "WAITING"), (3, "DELIVERED")]);
        until(|| webhook(&staff), || env.advance(TimeDelta::seconds(1)), first).await;
        let delivered = is(&[(1, "PARKED"), (2, "DELIVERED"), (3, "DELIVERED")]);
        until(|| webhook(&staff), || env.advance(HOUR), delivered).await;
        env.advance(TimeDelta::days(31));
        let old = until(|| webhook(&staff), || env.advance(HOUR), is(&[(1, "PARKED")])).await;
        assert_eq!((&old["deliveredSeq"], &old["deliveries"]["totalCount"]), (&json!(3), &json!(1)));

        record(&[(2, "PLANNED"), (2, "PROGRESS")]).await;
        let waiting = is(&[(1, "PARKED"), (4, "WAITING"), (5, "WAITING")]);
        until(|| webhook(&staff), || env.advance(TimeDelta::seconds(1)), waiting).await;
        env.sql("DELETE FROM feed_events WHERE feed = 'issues' AND seq <= 4").await;
        env.sql("UPDATE feeds SET kept_after = 4 WHERE name = 'issues'").await;
        let without = until(|| webhook(&staff), || env.advance(HOUR), is(&[(5, "DELIVERED")])).await;
        assert_eq!(without["lastError"], DELETED);
    }

    async fn the_owner_is_told_of_events_that_were_deleted_before_they_were_sent(env) {
        let (staff, receiver) = (env.akimat(HOST), Receiver::start().await);
        let (registered, _) = staff.register_webhook(&receiver.url()).await;
        let set = async |active: bool| {
            let input = json!({ "webhookId": registered["id"], "active": active });
            staff.mutate("updateWebhook", input).await["webhook"]["lastError"].clone()
        };
        let events = [(1, "RAISED"), (1, "PLANNED"), (1, "RESOLVED")];
        set(false).await;
        record_issue_events(env.service(0).app(), HOST, &events).await;
        env.sql("DELETE FROM feed_events WHERE feed = 'issues' AND seq <= 2").await;
        env.sql("UPDATE feeds SET kept_after = 2 WHERE name = 'issues'").await;
        assert!(set(true).await.is_null());
        let second = || env.advance(TimeDelta::seconds(1));
        let has_sent = |seq: i64| move |webhook: &Value| webhook["deliveredSeq"] == seq;
        let sent = until(|| webhook(&staff), second, has_sent(3)).await;
        assert_eq!((receiver.taken(), &sent["lastError"]), (vec![3], &json!(DELETED)));
        record_issue_events(env.service(0).app(), HOST, &events[..1]).await;
        let sent = until(|| webhook(&staff), second, has_sent(4)).await;
        assert_eq!(sent["lastError"], DELETED, "a success does not hide it");
        assert!(set(true).await.is_null(), "until the owner has seen it");
    }
}
