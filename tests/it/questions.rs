//! Posting, voting on, withdrawing and importing comments.

use chrono::TimeDelta;
use futures_util::future::join_all;
use harness::{Engine, HOST, TestEnv, error_code, id_of, on_both_engines, refusal, until};
use kezdesu::graphql::node::GlobalId;
use sea_orm::{ConnectionTrait as _, Statement};
use serde_json::{Value, json};

fn bodies(comments: &[Value]) -> Vec<&str> {
    comments.iter().map(|comment| comment["body"].as_str().unwrap()).collect()
}

/// Makes every update of a meeting fail that sets a column other than `last_receipt`, even to its old value.
async fn allow_only_receipts(env: &TestEnv) {
    let embedded = env.engine == Engine::Embedded;
    let columns = if embedded {
        "SELECT name FROM pragma_table_info('meetings') WHERE name <> 'last_receipt'"
    } else {
        "SELECT attname::text AS name FROM pg_attribute WHERE attrelid = 'meetings'::regclass AND attnum > 0 \
         AND NOT attisdropped AND attname <> 'last_receipt'"
    };
    let database = env.database().await;
    let columns = Statement::from_string(database.get_database_backend(), columns);
    let columns = database.query_all_raw(columns).await.unwrap();
    let columns: Vec<String> = columns.iter().map(|row| row.try_get("", "name").unwrap()).collect();
    let trigger = format!("CREATE TRIGGER only_receipts BEFORE UPDATE OF {} ON meetings", columns.join(", "));
    let sql = if embedded {
        format!("{trigger} BEGIN SELECT RAISE(ABORT, 'another column'); END")
    } else {
        format!(
            "CREATE FUNCTION only_receipts() RETURNS trigger AS $$ BEGIN RAISE EXCEPTION 'another column'; END $$ \
             LANGUAGE plpgsql; {trigger} EXECUTE FUNCTION only_receipts()"
        )
    };
    database.execute_unprepared(&sql).await.unwrap();
}

on_both_engines! {
    async fn a_post_changes_only_the_last_receipt_of_its_meeting(env) {
        let (staff, moderator, ana) = (env.akimat(HOST), env.moderator(HOST), env.citizen("Ana"));
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        allow_only_receipts(&env).await;
        let close = json!({ "meetingId": meeting, "acceptingComments": false });
        let closed = moderator.try_mutate("setModeration", close).await;
        assert_eq!(error_code(&closed), "INTERNAL", "other commands change other columns");
        let post = |body: String| json!({ "meetingId": meeting, "body": body, "idempotencyKey": body });
        // The posts of several people share transactions, and one is repeated.
        let people: Vec<_> = (0..20).map(|n| env.citizen(&format!("Ben {n}"))).collect();
        let posts = people.iter().enumerate().map(|(n, one)| one.mutate("postComment", post(format!("№ {n}"))));
        let repeated = (0..2).map(|_| ana.mutate("postComment", post("Жол?".to_owned())));
        for payload in join_all(posts).await.into_iter().chain(join_all(repeated).await) {
            assert!(payload["refusal"].is_null(), "{payload}");
        }
        assert_eq!(refusal(&ana.mutate("postComment", json!({ "meetingId": meeting, "body": "Жол?" })).await), "DUPLICATE");
        assert_eq!(ana.post(&meeting, "Су?").await["receipt"], "Q-0022");
    }

    async fn posted_comments_get_a_receipt_and_are_public_by_moderation_mode(env) {
        let (staff, ana, ben) = (env.akimat(HOST), env.citizen("Ana"), env.citizen("Ben"));
        let after = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let first = ana.post(&after, "  Жол қашан жөнделеді? ").await;
        assert_eq!(
            (first["receipt"].as_str(), first["body"].as_str(), first["state"].as_str()),
            (Some("Q-0001"), Some("Жол қашан жөнделеді?"), Some("PUBLISHED"))
        );
        assert_eq!((first["authorName"].as_str(), first["viewerIsAuthor"].as_bool()), (Some("Ana"), Some(true)));
        assert_eq!(ben.post(&after, "Су бар ма?").await["receipt"], "Q-0002");
        assert_eq!(env.anonymous().comments(&after, json!({})).await.len(), 2);

        let before = staff.live_meeting(HOST, HOST, env.now(), "BEFORE").await;
        let waiting = ana.post(&before, "Жарық қашан болады?").await;
        assert_eq!((waiting["receipt"].as_str(), waiting["state"].as_str()), (Some("Q-0001"), Some("PENDING")));
        assert_eq!(env.anonymous().comments(&before, json!({})).await.len(), 0);
        assert_eq!(ben.comments(&before, json!({})).await.len(), 0);
        assert_eq!(ana.comments(&before, json!({})).await.len(), 1, "the author sees pending comments");
        env.moderator(HOST).moderate("APPROVE", &[&id_of(&waiting)]).await;
        assert_eq!(env.anonymous().comments(&before, json!({})).await.len(), 1);
    }

    async fn rejects_invalid_comments_and_stores_nothing(env) {
        let (staff, ana) = (env.akimat(HOST), env.citizen("Ana"));
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let moderator = env.moderator(HOST);
        moderator.mutate("setModeration", json!({ "meetingId": meeting, "blockedWords": ["хам*"] })).await;
        let post = async |body: &str| ana.mutate("postComment", json!({ "meetingId": meeting, "body": body })).await;
        assert_eq!(refusal(&post(" \u{3000} ").await), "INVALID");
        assert_eq!(refusal(&post(&"ж".repeat(1001)).await), "TOO_LONG");
        assert_eq!(refusal(&post("Вы XAМЫ!").await), "BLOCKED_WORD");
        assert!(post(&"ж".repeat(1000)).await["refusal"].is_null());
        assert!(post("Вода в храме").await["refusal"].is_null());
        assert_eq!(refusal(&post("Вода в храме ").await), "DUPLICATE");
        assert_eq!(ana.comments(&meeting, json!({})).await.len(), 2);
        assert_eq!(ana.post(&meeting, "Тағы").await["receipt"], "Q-0003", "a rejected post uses no receipt");
    }

    async fn posting_is_open_only_while_the_meeting_and_the_moderator_allow_it(env) {
        let (staff, ana, moderator) = (env.akimat(HOST), env.citizen("Ana"), env.moderator(HOST));
        let start = env.now() + TimeDelta::days(8);
        let meeting = id_of(&staff.plan(HOST, HOST, start, "AFTER").await);
        let post = async |body: &str| ana.mutate("postComment", json!({ "meetingId": meeting, "body": body })).await;
        let early = post("Ерте").await;
        assert_eq!(refusal(&early), "NOT_LIVE");
        assert!(early["refusal"]["opensAt"].as_str().unwrap().starts_with("2026-03-10T04:00:00"));
        staff.announce(&meeting).await;
        env.advance(TimeDelta::days(8));
        staff.mutate("startMeeting", json!({ "meetingId": meeting })).await;
        assert_eq!(ana.meeting(&meeting).await["viewerCanPost"], true);
        moderator.mutate("setModeration", json!({ "meetingId": meeting, "acceptingComments": false })).await;
        assert_eq!(refusal(&post("Жабық").await), "COMMENTS_CLOSED");
        assert_eq!(ana.meeting(&meeting).await["viewerCanPost"], false);
        moderator
            .mutate("setModeration", json!({ "meetingId": meeting, "acceptingComments": true, "slowModeSeconds": 30 }))
            .await;
        assert!(post("Бір").await["refusal"].is_null());
        env.advance(TimeDelta::milliseconds(29_001));
        let fast = post("Екі").await;
        assert_eq!((refusal(&fast).as_str(), fast["refusal"]["retryAfterMs"].as_i64()), ("TOO_FAST", Some(999)));
        env.advance(TimeDelta::milliseconds(999));
        let second = id_of(&post("Екі").await["comment"]);
        moderator.mutate("setModeration", json!({ "meetingId": meeting, "slowModeSeconds": 0 })).await;
        moderator.mutate("muteAuthor", json!({ "commentId": second, "minutes": 10 })).await;
        let muted = post("Үш").await;
        assert_eq!((refusal(&muted).as_str(), muted["refusal"]["retryAfterMs"].as_i64()), ("MUTED", Some(600_000)));
        env.advance(TimeDelta::minutes(10));
        assert!(post("Үш").await["refusal"].is_null());
        staff.mutate("endMeeting", json!({ "meetingId": meeting })).await;
        let over = post("Кеш").await;
        assert_eq!(refusal(&over), "NOT_LIVE");
        assert!(over["refusal"]["opensAt"].is_null());
    }

    async fn counts_one_vote_per_person(env) {
        let (staff, ana, ben) = (env.akimat(HOST), env.citizen("Ana"), env.citizen("Ben"));
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let comment = id_of(&ana.post(&meeting, "Жол?").await);
        let vote = |up: bool| json!({ "commentId": comment, "up": up });
        for _ in 0..3 {
            let voted = ben.mutate("voteComment", vote(true)).await["comment"].clone();
            assert_eq!((voted["votes"].as_i64(), voted["viewerHasVoted"].as_bool()), (Some(1), Some(true)));
        }
        assert_eq!(env.citizen("Dana").mutate("voteComment", vote(true)).await["comment"]["votes"], 2);
        assert_eq!(ben.mutate("voteComment", vote(false)).await["comment"]["votes"], 1);
        assert_eq!(ben.mutate("voteComment", vote(false)).await["comment"]["votes"], 1);
        assert_eq!(
            refusal(&ana.mutate("voteComment", vote(true)).await),
            "INVALID",
            "authors cannot vote for their own comments"
        );
        let answers = join_all((0..8).map(|_| ben.mutate("voteComment", vote(true)))).await;
        assert!(answers.iter().all(|payload| payload["comment"]["votes"] == 2), "concurrent votes count once");
        let list = env.anonymous().comments(&meeting, json!({ "orderBy": "MOST_VOTED" })).await;
        assert_eq!(list[0]["votes"], 2);
    }

    async fn only_the_author_withdraws_a_comment(env) {
        let (staff, ana, ben) = (env.akimat(HOST), env.citizen("Ana"), env.citizen("Ben"));
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let comment = json!({ "commentId": id_of(&ana.post(&meeting, "Жол?").await) });
        let answer = ben.try_mutate("withdrawComment", comment.clone()).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "FORBIDDEN");
        assert_eq!(ana.mutate("withdrawComment", comment.clone()).await["comment"]["state"], "WITHDRAWN");
        assert_eq!(ana.mutate("withdrawComment", comment.clone()).await["comment"]["state"], "WITHDRAWN");
        assert_eq!(
            refusal(&ben.mutate("withdrawComment", comment.clone()).await),
            "NOT_FOUND",
            "hidden comments look missing"
        );
        assert_eq!(env.anonymous().comments(&meeting, json!({})).await.len(), 0);
    }

    async fn filters_comments_by_words_kind_and_label(env) {
        let (staff, ana, moderator) = (env.akimat(HOST), env.citizen("Ana"), env.moderator(HOST));
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let first = id_of(&ana.post(&meeting, "Қашан жол жөнделеді?").await);
        ana.mutate("postComment", json!({ "meetingId": meeting, "body": "Ағаш егейік 100%", "kind": "PROPOSAL" }))
            .await;
        moderator
            .mutate("labelComment", json!({ "commentId": first, "labels": ["жол_1", "жол_1", "көлік", "Road \"1\""] }))
            .await;
        let found = async |filter: Value| {
            env.anonymous()
                .comments(&meeting, filter)
                .await
                .iter()
                .map(|comment| comment["receipt"].as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(found(json!({ "search": "кашан ЖОЛ" })).await, ["Q-0001"]);
        assert_eq!(found(json!({ "search": "%" })).await, ["Q-0002"], "signs are matched literally");
        assert_eq!(found(json!({ "kinds": ["PROPOSAL"] })).await, ["Q-0002"]);
        assert_eq!(found(json!({ "label": "жол_1" })).await, ["Q-0001"]);
        assert_eq!(found(json!({ "label": "Road \"1\"" })).await, ["Q-0001"]);
        for near in ["жолх1", "road \"1\"", "жол", "%"] {
            assert_eq!(found(json!({ "label": near })).await, Vec::<String>::new(), "{near} is another label");
        }
        assert_eq!(found(json!({ "orderBy": "NEWEST" })).await, ["Q-0002", "Q-0001"]);
    }

    async fn imports_comments_once_and_applies_edits_and_deletions(env) {
        let staff = env.akimat(HOST);
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let add = json!({ "meetingId": meeting, "platform": "YOUTUBE", "url": "https://youtube.example/live" });
        let broadcast = id_of(&staff.mutate("addBroadcast", add).await["meeting"]["broadcasts"][0]);
        let connector = env.connector(HOST);
        let one = |id: &str, body: &str, deleted: bool| json!({ "externalId": id, "authorExternalId": "u1", "authorName": "Марат", "body": body, "postedAt": env.now(), "deleted": deleted });
        let import = async |comments: Vec<Value>| {
            connector
                .mutate(
                    "importComments",
                    json!({ "meetingId": meeting, "broadcastId": broadcast, "comments": comments }),
                )
                .await
        };
        let counts = |payload: &Value| {
            ["imported", "duplicates", "changed", "removed"].map(|name| payload[name].as_i64().unwrap())
        };
        let done =
            import(vec![one("a", "Бірінші", false), one("b", "Екінші\nжол", false), one("a", "Бірінші", false)]).await;
        assert_eq!(counts(&done), [2, 1, 0, 0]);
        let list = env.anonymous().comments(&meeting, json!({})).await;
        assert_eq!(bodies(&list), ["Бірінші", "Екінші жол"]);
        assert_eq!((list[0]["platform"].as_str(), list[0]["receipt"].as_str()), (Some("YOUTUBE"), Some("Q-0001")));
        let done =
            import(vec![one("b", "Өзгерді", false), one("a", "", true), one("c", "Үшінші", false), one("d", "", true)])
                .await;
        assert_eq!(counts(&done), [1, 0, 1, 2]);
        assert_eq!(bodies(&env.anonymous().comments(&meeting, json!({})).await), ["Өзгерді", "Үшінші"]);
        let long = "с".repeat(3000);
        import(vec![one("e", &long, false)]).await;
        let list = env.anonymous().comments(&meeting, json!({})).await;
        assert_eq!(list[2]["body"].as_str().unwrap().chars().count(), 1000);
        let many = (0..501).map(|n| one(&n.to_string(), "көп", false)).collect();
        assert_eq!(refusal(&import(many).await), "INVALID");
        let other = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let wrong = connector
            .mutate("importComments", json!({ "meetingId": other, "broadcastId": broadcast, "comments": [] }))
            .await;
        assert_eq!(refusal(&wrong), "NOT_FOUND");
    }

    async fn an_edited_import_is_pending_again(env) {
        let (staff, moderator, connector) = (env.akimat(HOST), env.moderator(HOST), env.connector(HOST));
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "BEFORE").await;
        let add = json!({ "meetingId": meeting, "platform": "VK", "url": "https://vk.example/live" });
        let broadcast = id_of(&staff.mutate("addBroadcast", add).await["meeting"]["broadcasts"][0]);
        let import = async |body: &str| {
            let one = json!({ "externalId": "a", "authorName": "Марат", "body": body, "postedAt": env.now() });
            connector
                .mutate("importComments", json!({ "meetingId": meeting, "broadcastId": broadcast, "comments": [one] }))
                .await
        };
        import("Жақсы сөз").await;
        let waiting = id_of(&moderator.comments(&meeting, json!({})).await[0]);
        moderator.moderate("APPROVE", &[&waiting]).await;
        assert_eq!(env.anonymous().comments(&meeting, json!({})).await.len(), 1);
        import("Жаман сөз").await;
        assert_eq!(env.anonymous().comments(&meeting, json!({})).await.len(), 0, "the new text is not approved");
        assert_eq!(moderator.comments(&meeting, json!({})).await[0]["state"], "PENDING");
    }

    async fn edits_by_a_muted_author_wait_for_a_moderator(env) {
        let (staff, moderator, connector) = (env.akimat(HOST), env.moderator(HOST), env.connector(HOST));
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let add = json!({ "meetingId": meeting, "platform": "VK", "url": "https://vk.example/live" });
        let broadcast = id_of(&staff.mutate("addBroadcast", add).await["meeting"]["broadcasts"][0]);
        let import = async |id: &str, author: &str, body: &str| {
            // The author is given only with the first version.
            let author = (id == "c" || body == "Бір").then_some(author);
            let one = json!({ "externalId": id, "authorExternalId": author, "authorName": "Марат", "body": body, "postedAt": env.now() });
            connector
                .mutate("importComments", json!({ "meetingId": meeting, "broadcastId": broadcast, "comments": [one] }))
                .await
        };
        import("a", "u1", "Бір").await;
        import("b", "u2", "Бір").await;
        let first = id_of(&moderator.comments(&meeting, json!({})).await[0]);
        moderator.mutate("muteAuthor", json!({ "commentId": first, "minutes": 10 })).await;
        for id in ["a", "b"] {
            assert_eq!(import(id, "", "Екі").await["changed"], 1);
        }
        let state = async |at: usize| moderator.comments(&meeting, json!({})).await[at]["state"].clone();
        assert_eq!((state(0).await, state(1).await), (json!("PENDING"), json!("PUBLISHED")));
        import("c", "u1", "Үш").await;
        assert_eq!(state(2).await, "PENDING");
        moderator.moderate("APPROVE", &[&first]).await;
        env.advance(TimeDelta::minutes(10));
        import("a", "", "Төрт").await;
        assert_eq!(state(0).await, "PUBLISHED", "the mute has expired");
    }

    async fn comments_deleted_on_their_platform_cannot_be_restored(env) {
        let (staff, moderator, connector) = (env.akimat(HOST), env.moderator(HOST), env.connector(HOST));
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "BEFORE").await;
        let add = json!({ "meetingId": meeting, "platform": "VK", "url": "https://vk.example/live" });
        let broadcast = id_of(&staff.mutate("addBroadcast", add).await["meeting"]["broadcasts"][0]);
        let import = async |deleted: bool| {
            let one = |id: &&str| json!({ "externalId": id, "authorName": "Марат", "body": format!("Сұрақ {id}"), "postedAt": env.now(), "deleted": deleted });
            let comments: Vec<_> = ["rejected", "hidden", "joined", "answered"].iter().map(one).collect();
            connector
                .mutate(
                    "importComments",
                    json!({ "meetingId": meeting, "broadcastId": broadcast, "comments": comments }),
                )
                .await
        };
        import(false).await;
        let ids: Vec<_> = moderator.comments(&meeting, json!({})).await.iter().map(id_of).collect();
        moderator.moderate("REJECT", &[&ids[0]]).await;
        moderator.moderate("APPROVE", &[&ids[1], &ids[3]]).await;
        moderator.moderate("HIDE", &[&ids[1]]).await;
        moderator.mutate("answerComment", json!({ "commentId": ids[3] })).await;
        moderator.mutate("mergeComments", json!({ "into": ids[3], "commentIds": [ids[2]] })).await;
        let done = import(true).await;
        assert_eq!((done["removed"].as_i64(), done["duplicates"].as_i64()), (Some(3), Some(1)));
        for id in &ids[..3] {
            let restore = json!({ "commentIds": [id], "action": "RESTORE" });
            assert_eq!(refusal(&moderator.mutate("moderateComments", restore).await), "WRONG_STATE");
        }
        let public = env.anonymous().comments(&meeting, json!({})).await;
        assert_eq!(bodies(&public), ["Сұрақ answered"], "answered comments stay");
        assert_eq!(import(true).await["removed"], 0);
    }

    async fn remembers_a_deletion_that_arrives_before_its_message(env) {
        let (staff, moderator, connector) = (env.akimat(HOST), env.moderator(HOST), env.connector(HOST));
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let mut broadcasts = Vec::new();
        for place in 0..2 {
            let add = json!({ "meetingId": meeting, "platform": "VK", "url": format!("https://vk.example/{place}") });
            broadcasts.push(id_of(&staff.mutate("addBroadcast", add).await["meeting"]["broadcasts"][place]));
        }
        let import = async |place: usize, comments: &[(&str, bool)]| {
            let one = |(id, deleted): &(&str, bool)| json!({ "externalId": id, "authorName": "Марат", "body": format!("Сұрақ {id}"), "postedAt": env.now(), "deleted": deleted });
            let comments: Vec<_> = comments.iter().map(one).collect();
            let input = json!({ "meetingId": meeting, "broadcastId": broadcasts[place], "comments": comments });
            let done = connector.mutate("importComments", input).await;
            ["imported", "duplicates", "changed", "removed"].map(|name| done[name].as_i64().unwrap())
        };
        assert_eq!(import(0, &[("late", true), ("late", true)]).await, [0, 1, 0, 1]);
        assert_eq!(import(0, &[("late", true)]).await, [0, 1, 0, 0]);
        assert_eq!(import(0, &[("late", false)]).await, [0, 1, 0, 0]);
        assert_eq!(import(0, &[("turned", true), ("turned", false)]).await, [0, 1, 0, 1]);
        assert_eq!(import(0, &[("brief", false), ("brief", true), ("brief", false)]).await, [1, 1, 0, 1]);
        assert_eq!(bodies(&moderator.comments(&meeting, json!({})).await), ["Сұрақ brief"]);
        assert!(env.anonymous().comments(&meeting, json!({})).await.is_empty());
        assert_eq!(import(1, &[("late", false)]).await, [1, 0, 0, 0], "external ids are per broadcast");

        let Some(GlobalId::Broadcast(broadcast)) = GlobalId::parse(&broadcasts[0]) else { panic!("{broadcasts:?}") };
        let remembered = async || {
            let tx = env.service(0).app().store.begin().await.unwrap();
            tx.deleted_messages(broadcast, &["late".to_owned(), "turned".to_owned()]).await.unwrap().len()
        };
        assert_eq!(remembered().await, 2);
        env.advance(TimeDelta::days(368));
        until(remembered, || env.advance(TimeDelta::minutes(1)), |count| *count == 0).await;
    }
}
