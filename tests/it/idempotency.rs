//! What is sent twice is done once.

use chrono::TimeDelta;
use harness::{id_of, refusal, scenes};
use serde_json::json;

const HOST: &str = "751110000";

scenes! {
    async fn the_same_key_gives_the_first_result_and_writes_nothing(town) {
        let (staff, ana, ben) = (town.akimat(HOST), town.citizen("Ana"), town.citizen("Ben"));
        let plan = json!({
            "host": HOST, "region": HOST, "title": { "kk": "Кездесу" }, "origin": "CALENDAR",
            "plannedStart": town.now(), "plannedMinutes": 60, "moderation": "AFTER", "idempotencyKey": "k",
        });
        let meeting = id_of(&staff.act("planMeeting", plan.clone()).await["meeting"]);
        assert_eq!(id_of(&staff.act("planMeeting", plan.clone()).await["meeting"]), meeting);
        let mut other = plan;
        other["plannedMinutes"] = json!(61);
        assert_eq!(refusal(&staff.act("planMeeting", other).await), "KEY_REUSED");
        staff.announce(&meeting).await;
        staff.act("startMeeting", json!({ "meetingId": meeting })).await;

        let add = json!({ "meetingId": meeting, "platform": "VK", "url": "https://vk.example/1", "idempotencyKey": "k" });
        for _ in 0..2 {
            assert_eq!(staff.act("addBroadcast", add.clone()).await["meeting"]["broadcasts"].as_array().unwrap().len(), 1);
        }
        let post = |body: &str| json!({ "meetingId": meeting, "body": body, "idempotencyKey": "k" });
        let first = ana.act("postComment", post("Жол?")).await["comment"].clone();
        let answers = futures_util::future::join_all((0..8).map(|_| ana.act("postComment", post("Жол?")))).await;
        assert!(answers.iter().all(|payload| payload["comment"]["id"] == first["id"]));
        assert_eq!(refusal(&ana.act("postComment", post("Су?")).await), "KEY_REUSED");
        assert_eq!(ben.act("postComment", post("Су?")).await["comment"]["receipt"], "Q-0002", "a key is its owner's");
        assert_eq!(town.stranger().meeting(&meeting).await["commentsHead"], 2);
        let racing = futures_util::future::join_all((0..8).map(|_| {
            ana.act("postComment", json!({ "meetingId": meeting, "body": "Бәрі бірге", "idempotencyKey": "race" }))
        })).await;
        assert!(racing.iter().all(|payload| payload["comment"]["id"] == racing[0]["comment"]["id"] && !payload["comment"].is_null()));
        assert_eq!(town.stranger().comments(&meeting, json!({})).await.len(), 3);
    }

    async fn a_refused_act_leaves_its_key_free(town) {
        let (staff, ana) = (town.akimat(HOST), town.citizen("Ana"));
        let meeting = id_of(&staff.plan(HOST, HOST, town.now() + TimeDelta::days(8), "AFTER").await);
        let post = json!({ "meetingId": meeting, "body": "Жол?", "idempotencyKey": "k" });
        assert_eq!(refusal(&ana.act("postComment", post.clone()).await), "NOT_LIVE");
        staff.announce(&meeting).await;
        staff.act("startMeeting", json!({ "meetingId": meeting })).await;
        assert_eq!(ana.act("postComment", post).await["comment"]["receipt"], "Q-0001");
        for key in ["", &"k".repeat(201)] {
            let payload = ana.act("postComment", json!({ "meetingId": meeting, "body": "Су?", "idempotencyKey": key })).await;
            assert_eq!(payload["refusal"]["field"], "idempotencyKey");
        }
    }
}
