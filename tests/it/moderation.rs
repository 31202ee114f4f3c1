//! Moderation of comments.

use chrono::TimeDelta;
use harness::{HOST, id_of, on_both_engines, refusal};
use kezdesu::graphql::node::GlobalId;
use serde_json::{Value, json};

on_both_engines! {
    async fn rejects_invalid_blocked_words(env) {
        let meeting = env.akimat(HOST).live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let moderator = env.moderator(HOST);
        for bad in ["*", " * ", "*сөз", "сө*з", "сөз**", "?!"] {
            let words = json!({ "meetingId": meeting, "blockedWords": ["жақсы*", "екі сөз", bad] });
            let refused = moderator.mutate("setModeration", words).await;
            assert_eq!(
                (refusal(&refused).as_str(), &refused["refusal"]["field"]),
                ("INVALID", &json!("blockedWords.2")),
                "{bad}"
            );
        }
    }

    async fn moderates_a_batch_all_or_nothing(env) {
        let (staff, ana, moderator) = (env.akimat(HOST), env.citizen("Ana"), env.moderator(HOST));
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "BEFORE").await;
        let mut ids = Vec::new();
        for body in ["Бір", "Екі", "Үш"] {
            ids.push(id_of(&ana.post(&meeting, body).await));
        }
        moderator.moderate("REJECT", &[&ids[0]]).await;
        let input = json!({ "commentIds": ids, "action": "APPROVE" });
        let refused = moderator.mutate("moderateComments", input).await;
        assert_eq!((refusal(&refused).as_str(), &refused["refusal"]["field"]), ("WRONG_STATE", &json!("commentIds.0")));
        assert_eq!(env.anonymous().comments(&meeting, json!({})).await.len(), 0, "none was approved");
        let approved = moderator.moderate("APPROVE", &[&ids[1], &ids[2], &ids[1]]).await;
        let states: Vec<_> = approved.as_array().unwrap().iter().map(|one| &one["state"]).collect();
        assert_eq!(states, ["PUBLISHED"; 3], "repeated ids are returned too");
        let head = moderator.meeting(&meeting).await["commentsHead"].clone();
        moderator.moderate("APPROVE", &[&ids[1], &ids[2]]).await;
        assert_eq!(moderator.meeting(&meeting).await["commentsHead"], head, "approving again records no event");
        for (action, reason) in [("REJECT", json!(null)), ("HIDE", json!("  "))] {
            let input = json!({ "commentIds": [ids[1]], "action": action, "reason": reason });
            let payload = moderator.mutate("moderateComments", input).await;
            assert_eq!((refusal(&payload).as_str(), payload["refusal"]["field"].as_str()), ("INVALID", Some("reason")));
        }
        assert_eq!(
            refusal(&moderator.mutate("moderateComments", json!({ "commentIds": [], "action": "APPROVE" })).await),
            "INVALID"
        );
    }

    async fn hidden_comments_are_not_public_until_restored(env) {
        let (staff, ana, moderator) = (env.akimat(HOST), env.citizen("Ana"), env.moderator(HOST));
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let id = id_of(&ana.post(&meeting, "Жол?").await);
        moderator.moderate("HIDE", &[&id]).await;
        assert_eq!(env.anonymous().comments(&meeting, json!({})).await.len(), 0);
        let own = ana.comments(&meeting, json!({})).await;
        assert_eq!((own[0]["state"].as_str(), own[0]["stateReason"].as_str()), (Some("HIDDEN"), Some("off topic")));
        moderator.moderate("RESTORE", &[&id]).await;
        let public = env.anonymous().comments(&meeting, json!({})).await;
        assert_eq!((public[0]["state"].as_str(), public[0]["stateReason"].is_null()), (Some("PUBLISHED"), true));
    }

    async fn only_one_comment_is_selected_at_a_time(env) {
        let (staff, ana, moderator) = (env.akimat(HOST), env.citizen("Ana"), env.moderator(HOST));
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let first = id_of(&ana.post(&meeting, "Бір").await);
        let second = id_of(&ana.post(&meeting, "Екі").await);
        let select = async |id: &str| moderator.mutate("selectComment", json!({ "commentId": id })).await;
        assert_eq!(select(&first).await["comment"]["state"], "SELECTED");
        assert_eq!(select(&second).await["comment"]["state"], "SELECTED");
        let states: Vec<Value> =
            moderator.comments(&meeting, json!({})).await.iter().map(|comment| comment["state"].clone()).collect();
        assert_eq!(states, ["PUBLISHED", "SELECTED"]);
        let (one, two) = tokio::join!(select(&first), select(&second));
        assert!(one["refusal"].is_null() && two["refusal"].is_null());
        let selected = moderator.comments(&meeting, json!({ "states": ["SELECTED"] })).await;
        assert_eq!(selected.len(), 1, "concurrent selections leave one");
        let answered =
            moderator.mutate("answerComment", json!({ "commentId": first, "answer": "Мамырда" })).await["comment"]
                .clone();
        assert_eq!((answered["state"].as_str(), answered["answer"].as_str()), (Some("ANSWERED"), Some("Мамырда")));
        assert_eq!(refusal(&select(&first).await), "WRONG_STATE");
        let better =
            moderator.mutate("answerComment", json!({ "commentId": first, "answer": "15 мамырда" })).await["comment"]
                .clone();
        assert_eq!((better["answer"].as_str(), &better["answeredAt"]), (Some("15 мамырда"), &answered["answeredAt"]));
    }

    async fn merged_comments_share_votes_and_the_answer(env) {
        let (staff, moderator) = (env.akimat(HOST), env.moderator(HOST));
        let (ana, ben, dana) = (env.citizen("Ana"), env.citizen("Ben"), env.citizen("Dana"));
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let one = id_of(&ana.post(&meeting, "Жол қашан?").await);
        let two = id_of(&ben.post(&meeting, "Жолды қашан жөндейсіз?").await);
        for comment in [&one, &two] {
            dana.mutate("voteComment", json!({ "commentId": comment })).await;
        }
        env.citizen("Erlan").mutate("voteComment", json!({ "commentId": two })).await;
        let merged =
            moderator.mutate("mergeComments", json!({ "into": one, "commentIds": [two] })).await["comment"].clone();
        assert_eq!(merged["votes"], 2, "each voter counts once");
        assert_eq!(env.anonymous().comments(&meeting, json!({})).await.len(), 1);
        moderator.mutate("answerComment", json!({ "commentId": one, "answer": "Мамырда" })).await;
        let own = ben.comments(&meeting, json!({ "states": ["MERGED"] })).await;
        assert_eq!(own[0]["mergedInto"]["answer"], "Мамырда");
        let three = id_of(&dana.post(&meeting, "Ал көпір?").await);
        let merge = |into: &str, ids: &[&str]| json!({ "into": into, "commentIds": ids });
        assert_eq!(refusal(&moderator.mutate("mergeComments", merge(&three, &[&three])).await), "INVALID");
        assert_eq!(refusal(&moderator.mutate("mergeComments", merge(&two, &[&three])).await), "WRONG_STATE");
        let other = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let far = id_of(&ana.post(&other, "Жол қашан?").await);
        assert_eq!(refusal(&moderator.mutate("mergeComments", merge(&three, &[&far])).await), "INVALID");
    }

    async fn nobody_approves_their_own_comment(env) {
        let (staff, ana, other) = (env.akimat(HOST), env.citizen("Ana"), env.moderator(HOST));
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "BEFORE").await;
        for role in ["MODERATOR", "ADMIN"] {
            let both = env.person("Both", &["CITIZEN", role], Some(HOST));
            let theirs = id_of(&ana.post(&meeting, &format!("Жол, {role}?")).await);
            let own = id_of(&both.post(&meeting, &format!("Су, {role}?")).await);
            let second = id_of(&both.post(&meeting, &format!("Көпір, {role}?")).await);
            let decide = async |action: &str, ids: &[&str]| {
                both.mutate("moderateComments", json!({ "commentIds": ids, "action": action, "reason": "себеп" })).await
            };
            let refused = decide("APPROVE", &[&theirs, &own]).await;
            assert_eq!(
                (refusal(&refused).as_str(), &refused["refusal"]["field"]),
                ("INVALID", &json!("commentIds.1")),
                "{role}"
            );
            let state = async |id: &str| {
                let all = other.comments(&meeting, json!({})).await;
                all.into_iter().find(|one| one["id"] == id).unwrap()["state"].clone()
            };
            assert_eq!(state(&theirs).await, "PENDING", "all or nothing");
            assert!(decide("REJECT", &[&own]).await["refusal"].is_null(), "rejecting one's own comment is allowed");
            assert_eq!(refusal(&decide("RESTORE", &[&own]).await), "INVALID");
            // Nor through a merge: a merged comment returns to its former state.
            assert!(decide("APPROVE", &[&theirs]).await["refusal"].is_null());
            both.mutate("mergeComments", json!({ "into": theirs, "commentIds": [second] })).await;
            ana.mutate("withdrawComment", json!({ "commentId": theirs })).await;
            assert_eq!(state(&second).await, "PENDING");
            assert_eq!(refusal(&both.mutate("answerComment", json!({ "commentId": second })).await), "WRONG_STATE");
            assert_eq!(refusal(&both.mutate("selectComment", json!({ "commentId": second })).await), "WRONG_STATE");
            other.moderate("APPROVE", &[&second]).await;
            assert!(decide("APPROVE", &[&second]).await["refusal"].is_null(), "it is already public");
            assert!(decide("HIDE", &[&second]).await["refusal"].is_null());
            assert_eq!(refusal(&decide("RESTORE", &[&second]).await), "INVALID");
            other.moderate("RESTORE", &[&second, &own]).await;
        }
    }

    async fn moderation_settings_are_hidden_from_the_public(env) {
        let (staff, moderator) = (env.akimat(HOST), env.moderator(HOST));
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let set = json!({ "meetingId": meeting, "mode": "BEFORE", "blockedWords": ["хам"], "slowModeSeconds": 5 });
        moderator.mutate("setModeration", set.clone()).await;
        assert_eq!(staff.meeting(&meeting).await["moderation"]["blockedWords"], json!(["хам"]));
        let public = env.anonymous().meeting(&meeting).await["moderation"].clone();
        assert_eq!(
            public,
            json!({ "mode": "BEFORE", "slowModeSeconds": 5, "acceptingComments": true, "blockedWords": null })
        );
        let version = moderator.meeting(&meeting).await["version"].clone();
        moderator.mutate("setModeration", set).await;
        assert_eq!(moderator.meeting(&meeting).await["version"], version, "identical settings change nothing");
        for change in [
            json!({ "slowModeSeconds": 3601 }),
            json!({ "slowModeSeconds": -1 }),
            json!({ "blockedWords": vec!["а"; 501] }),
        ] {
            let mut input = change.clone();
            input["meetingId"] = json!(meeting);
            assert_eq!(refusal(&moderator.mutate("setModeration", input).await), "INVALID", "{change}");
        }
    }

    async fn oversized_inputs_are_rejected_before_the_lock(env) {
        let (staff, ana, moderator) = (env.akimat(HOST), env.citizen("Ana"), env.moderator(HOST));
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let id = id_of(&ana.post(&meeting, "Жол?").await);
        let labelled = |count: usize| json!({ "commentId": id, "labels": (0..count).map(|n| format!("l{n}")).collect::<Vec<_>>() });
        // Just below the limit of values in variables.
        let many = labelled(15_000);
        // Oversized inputs are rejected although the lock is held, so they are checked before it.
        let Some(GlobalId::Meeting(locked)) = GlobalId::parse(&meeting) else { panic!("{meeting}") };
        let tx = env.service(0).app().store.begin().await.unwrap();
        tx.lock_meeting(locked).await.unwrap();
        let refused = moderator.mutate("labelComment", many.clone()).await;
        assert_eq!((refusal(&refused).as_str(), refused["refusal"]["field"].as_str()), ("INVALID", Some("labels")));
        let long = json!({ "meetingId": meeting, "blockedWords": ["ж".repeat(2000)] });
        assert_eq!(refusal(&moderator.mutate("setModeration", long).await), "TOO_LONG");
        let hide = json!({ "commentIds": [id], "action": "HIDE", "reason": "ж".repeat(2000) });
        assert_eq!(refusal(&moderator.mutate("moderateComments", hide).await), "TOO_LONG");
        for (command, mut input) in [
            ("cancelMeeting", json!({ "reason": " " })),
            ("rescheduleMeeting", json!({ "reason": " ", "plannedStart": env.now() + TimeDelta::days(1) })),
            ("addBroadcast", json!({ "platform": "VK", "url": "vk" })),
        ] {
            input["meetingId"] = json!(meeting);
            assert_eq!(refusal(&staff.mutate(command, input).await), "INVALID", "{command}");
        }
        drop(tx);
        let (refused, posted) = tokio::join!(moderator.mutate("labelComment", many), ana.post(&meeting, "Су?"));
        assert_eq!((refusal(&refused).as_str(), posted["state"].as_str()), ("INVALID", Some("PUBLISHED")));
        let (refused, posted) =
            tokio::join!(moderator.try_mutate("labelComment", labelled(100_000)), ana.post(&meeting, "Жарық?"));
        assert_eq!(
            (&refused["errors"][0]["extensions"]["code"], &posted["state"]),
            (&json!("COST_EXCEEDED"), &json!("PUBLISHED"))
        );
        let few = json!({ "commentId": id, "labels": vec!["жол"; 1000] });
        assert_eq!(moderator.mutate("labelComment", few).await["comment"]["labels"], json!(["жол"]));
    }

    async fn rejects_muting_an_unknown_author(env) {
        let (staff, moderator, connector) = (env.akimat(HOST), env.moderator(HOST), env.connector(HOST));
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let add = json!({ "meetingId": meeting, "platform": "TELEVISION", "url": "https://tv.example/live" });
        let broadcast = id_of(&staff.mutate("addBroadcast", add).await["meeting"]["broadcasts"][0]);
        let one = json!({ "externalId": "a", "authorName": "Көрермен", "body": "Жол?", "postedAt": env.now() });
        connector
            .mutate("importComments", json!({ "meetingId": meeting, "broadcastId": broadcast, "comments": [one] }))
            .await;
        let id = id_of(&moderator.comments(&meeting, json!({})).await[0]);
        let head = moderator.meeting(&meeting).await["commentsHead"].clone();
        for minutes in [10, 0] {
            let refused = moderator.mutate("muteAuthor", json!({ "commentId": id, "minutes": minutes })).await;
            assert_eq!(
                (refusal(&refused).as_str(), refused["refusal"]["field"].as_str()),
                ("INVALID", Some("commentId"))
            );
            assert_eq!(
                refused["refusal"]["message"],
                "The author of this comment is unknown and cannot be muted."
            );
        }
        assert_eq!(moderator.meeting(&meeting).await["commentsHead"], head);
    }
}
