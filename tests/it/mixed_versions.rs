//! Rows shared with an older version, which runs side by side during an upgrade.

use harness::{Actor, HOST, id_of, on_both_engines, refusal};
use sea_orm::{ConnectionTrait, Statement};
use serde_json::{Value, json};

async fn post(actor: &Actor, meeting: &str, body: &str, key: Option<&str>) -> Value {
    actor.mutate("postComment", json!({ "meetingId": meeting, "body": body, "idempotencyKey": key })).await
}

on_both_engines! {
    async fn an_idempotency_key_of_an_older_replica_returns_the_first_result(env) {
        let meeting = env.akimat(HOST).live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let ana = env.citizen("Ana");
        let first = id_of(&post(&ana, &meeting, "Жол?", Some("k")).await["comment"]);
        let database = env.database().await;
        database.execute_unprepared("UPDATE idempotency_keys SET canonical_digest = NULL").await.unwrap();
        assert_eq!(id_of(&post(&ana, &meeting, "Жол?", Some("k")).await["comment"]), first);
        assert_eq!(refusal(&post(&ana, &meeting, "Су?", Some("k")).await), "KEY_REUSED");
        // If there is a canonical digest, the other one is ignored.
        let second = id_of(&post(&ana, &meeting, "Су?", Some("l")).await["comment"]);
        database.execute_unprepared("UPDATE idempotency_keys SET input_digest = 'of another release'").await.unwrap();
        assert_eq!(id_of(&post(&ana, &meeting, "Су?", Some("l")).await["comment"]), second);
    }

    async fn blocked_words_set_by_any_version_apply(env) {
        let meeting = env.akimat(HOST).live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let (moderator, ana) = (env.moderator(HOST), env.citizen("Ana"));
        let database = env.database().await;
        let set = async |words: &str| {
            // As an older version writes them: every change of a meeting raises its version.
            let update = format!("UPDATE meetings SET blocked_words = '{words}', version = version + 1");
            database.execute_unprepared(&update).await.unwrap();
        };
        set(r#"["хам"]"#).await;
        assert_eq!(refusal(&post(&ana, &meeting, "Хам!", None).await), "BLOCKED_WORD");
        assert_eq!(moderator.meeting(&meeting).await["moderation"]["blockedWords"], json!(["хам"]));
        let ours = moderator.mutate("setModeration", json!({ "meetingId": meeting, "blockedWords": ["сөз"] })).await;
        assert_eq!(ours["meeting"]["moderation"]["blockedWords"], json!(["сөз"]));
        assert!(post(&ana, &meeting, "Хам!", None).await["refusal"].is_null());
        assert_eq!(refusal(&post(&ana, &meeting, "Сөз!", None).await), "BLOCKED_WORD");
        let read = Statement::from_string(database.get_database_backend(), "SELECT blocked_words FROM meetings");
        let found: String = database.query_one_raw(read).await.unwrap().unwrap().try_get("", "blocked_words").unwrap();
        assert_eq!(found, r#"["сөз"]"#, "an older version reads the same column");
        set("[]").await;
        assert!(post(&ana, &meeting, "Сөз?", None).await["refusal"].is_null());
        assert_eq!(moderator.meeting(&meeting).await["moderation"]["blockedWords"], json!([]));
    }
}
