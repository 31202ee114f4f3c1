//! Normalisation of texts for storage, search and duplicate detection.

use chrono::TimeDelta;
use entities::{comment, ids::CommentId};
use harness::{Actor, HOST, TestEnv, id_of, lease, on_both_engines, refusal, until};
use kezdesu::{domain::normalization, graphql::node::GlobalId};
use serde_json::{Value, json};

async fn live(env: &TestEnv) -> String {
    env.akimat(HOST).live_meeting(HOST, HOST, env.now(), "AFTER").await
}

/// Posts, and returns the code of the refusal, or an empty string.
async fn post(author: &Actor, meeting: &str, body: &str) -> String {
    let payload = author.mutate("postComment", json!({ "meetingId": meeting, "body": body })).await;
    if payload["refusal"].is_null() { String::new() } else { refusal(&payload) }
}

async fn found(env: &TestEnv, meeting: &str, search: &str) -> usize {
    env.anonymous().comments(meeting, json!({ "search": search })).await.len()
}

fn comment_id(id: &str) -> CommentId {
    match GlobalId::parse(id) {
        Some(GlobalId::Comment(id)) => id,
        _ => panic!("{id}"),
    }
}

/// Rewrites a comment as an older version would have stored it.
async fn age(env: &TestEnv, id: &str, search: &str) {
    let tx = env.service(0).app().store.begin().await.unwrap();
    let row = tx.comments_by_id(&[comment_id(id)]).await.unwrap().remove(0);
    let said_digest = normalization::duplicate_digest(row.meeting_id, row.author_key.as_deref().unwrap(), &row.body);
    let aged = comment::Model { search: search.to_owned(), said_digest, normalization_version: 0, ..row.clone() };
    tx.change_comment(&row, &aged).await.unwrap();
    tx.commit().await.unwrap();
}

async fn version(env: &TestEnv, id: &str) -> i32 {
    let tx = env.service(0).app().store.begin().await.unwrap();
    tx.comments_by_id(&[comment_id(id)]).await.unwrap()[0].normalization_version
}

on_both_engines! {
    async fn finds_a_comment_in_any_spelling(env) {
        let (meeting, ana) = (live(&env).await, env.citizen("Ana"));
        ana.post(&meeting, "Көше\u{ad}лер мен Ёлка, йод, Iлияс, жиһаз, Straße").await;
        ana.post(&meeting, "Дoрoга в Aлмaты").await;
        for search in [
            "көшелер",
            "КОШЕЛЕР",
            "ко\u{200b}ше\u{301}лер",
            "елка",
            "ЁЛКА",
            "е\u{308}лка",
            "йод",
            "и\u{306}од",
            "Ілияс",
            "илияс",
            "жиhаз",
            "жихаз",
            "STRASSE",
            "дорога",
            "\u{202e}Алматы",
            "𝐀лматы",
        ] {
            assert_eq!(found(&env, &meeting, search).await, 1, "{search}");
        }
        assert_eq!(found(&env, &meeting, "иод").await, 0, "й is a letter of its own");
        assert_eq!(found(&env, &meeting, "\u{200b}").await, 2, "an empty search matches everything");
    }

    async fn finds_meetings_and_regions_in_any_spelling(env) {
        let staff = env.akimat(HOST);
        let input = json!({
            "host": HOST, "region": HOST, "title": { "kk": "Су\u{200b} мәселесі (№5)", "ru": "Вoда и\u{306}од" }, "origin": "CALENDAR",
            "plannedStart": env.now() + TimeDelta::days(20), "plannedMinutes": 60,
        });
        staff.mutate("planMeeting", input).await;
        let query = "query($s: String) { meetings(filter: { search: $s }) { totalCount } regions(search: $s) { totalCount nodes { code } } }";
        let ask = async |search: &str| env.anonymous().query(query, json!({ "s": search })).await;
        for (search, count) in [
            ("су мәселесі", 1),
            ("вода", 1),
            ("ЙОД", 1),
            ("иод", 0),
            ("№", 1),
            ("(", 1),
            ("%", 0),
            ("_", 0),
            ("+", 0),
            ("5", 1),
        ] {
            assert_eq!(ask(search).await["meetings"]["totalCount"], count, "{search}");
        }
        for search in ["Қараға\u{301}нды", "кара\u{ad}ганды", "Қaрaғaнды"] {
            assert_eq!(ask(search).await["regions"]["nodes"][0]["code"], "350000000", "{search}");
        }
        for search in ["+", "👍"] {
            assert_eq!(ask(search).await["regions"]["totalCount"], 0, "{search}");
        }
    }

    async fn searches_signs_literally(env) {
        let (meeting, ana) = (live(&env).await, env.citizen("Ana"));
        for body in ["Керемет 👍", "100% дұрыс", "a_b \\ c", "Қашан?"] {
            ana.post(&meeting, body).await;
        }
        for (search, count) in [
            ("👍", 1),
            ("👎", 0),
            ("%", 1),
            ("_", 1),
            ("\\", 1),
            ("?", 1),
            ("%_", 0),
            ("!", 0),
            ("'", 0),
            ("100%", 1),
            ("кашан!", 1),
        ] {
            assert_eq!(found(&env, &meeting, search).await, count, "{search}");
        }
    }

    async fn rejects_duplicates_in_another_spelling(env) {
        let (meeting, ana, ben) = (live(&env).await, env.citizen("Ana"), env.citizen("Ben"));
        assert_eq!(post(&ana, &meeting, "Жол қашан жөнделеді?").await, "");
        for again in [
            "ЖОЛ ҚАШАН ЖӨНДЕЛЕДІ",
            "жол  кашан жонделеди?!",
            "Жo\u{200b}л қашан\nжөнделеді…",
            "Жол\u{301} қашан жөн\u{ad}деледі?",
        ] {
            assert_eq!(post(&ana, &meeting, again).await, "DUPLICATE", "{again}");
        }
        assert_eq!(post(&ben, &meeting, "Жол қашан жөнделеді?").await, "", "another author may post the same");
        for other in ["👍", "👎", "?", "!", "+1", "1", "Жол қашан жөнделеді, су ше?"] {
            assert_eq!(post(&ana, &meeting, other).await, "", "{other}");
        }
    }

    async fn matches_blocked_signs_literally(env) {
        let (meeting, ana) = (live(&env).await, env.citizen("Ana"));
        let words = json!({ "meetingId": meeting, "blockedWords": ["18+", "C#", "🤬", "хам\u{200b}"] });
        let set = env.moderator(HOST).mutate("setModeration", words).await;
        assert!(set["refusal"].is_null(), "{set}");
        for bad in ["Кино 18+!", "учу c#", "Ну🤬🤬", "XАM", "х\u{301}ам"] {
            assert_eq!(post(&ana, &meeting, bad).await, "BLOCKED_WORD", "{bad}");
        }
        for good in ["с", "Мне 18", "C++", "18", "😀"] {
            assert_eq!(post(&ana, &meeting, good).await, "", "{good}");
        }
    }

    async fn removes_invisible_characters_from_pasted_text(env) {
        let (staff, moderator) = (env.akimat(HOST), env.moderator(HOST));
        let pasted = "\u{feff}\u{202a}Бір\u{2028}екі\u{85}үш\u{b}төрт\u{0}\u{ad}\u{200b}\u{2069}\r\nбес\u{202c}\u{7}";
        let (line, lines) = ("Бір екі үш төрт бес", "Бір\nекі\nүш\nтөрт\nбес");
        let input = json!({
            "host": HOST, "region": HOST, "title": { "kk": pasted, "ru": pasted }, "venue": { "kk": pasted }, "origin": "OFF_CALENDAR",
            "offCalendarReason": pasted, "plannedStart": env.now() + TimeDelta::days(20), "plannedMinutes": 60,
        });
        let planned = staff.mutate("planMeeting", input.clone()).await;
        let shown = "query($id: ID!) { meeting(id: $id) { title { kk ru } venue { kk } offCalendarReason } }";
        let shown = staff.query(shown, json!({ "id": id_of(&planned["meeting"]) })).await["meeting"].clone();
        assert_eq!(
            shown,
            json!({ "title": { "kk": line, "ru": line }, "venue": { "kk": line }, "offCalendarReason": line })
        );
        let mut unseen = input;
        unseen["offCalendarReason"] = json!("\u{200b}\u{202e}");
        assert_eq!(
            refusal(&staff.mutate("planMeeting", unseen).await),
            "DECREE",
            "an invisible reason counts as missing"
        );

        let meeting = live(&env).await;
        let (ana, body) = (env.citizen("Ana"), format!("{pasted}👨\u{200d}👩\u{200d}👧"));
        let input = json!({ "meetingId": meeting, "body": body, "authorName": pasted });
        let comment = ana.mutate("postComment", input).await["comment"].clone();
        assert_eq!(
            (comment["body"].as_str(), comment["authorName"].as_str()),
            (Some(format!("{line}👨\u{200d}👩\u{200d}👧").as_str()), Some(line))
        );
        let answered = moderator
            .mutate("answerComment", json!({ "commentId": id_of(&comment), "answer": pasted }))
            .await["comment"]
            .clone();
        assert_eq!(answered["answer"], lines);
        let labelled = moderator
            .mutate("labelComment", json!({ "commentId": id_of(&comment), "labels": [pasted] }))
            .await["comment"]
            .clone();
        assert_eq!(labelled["labels"], json!([line]));
        assert_eq!(env.anonymous().comments(&meeting, json!({ "label": pasted })).await.len(), 1);
        for nothing in ["\u{200b}\u{202e}", "\u{2028}\u{0}", "\u{fe0f}\u{200d}"] {
            assert_eq!(post(&ana, &meeting, nothing).await, "INVALID", "{nothing:?}");
        }
        let most = format!("{}\u{200b}\u{202e}", "е\u{308}".repeat(1000));
        assert_eq!(post(&ana, &meeting, &most).await, "", "the limit applies to the sanitised text");
        assert_eq!(post(&ana, &meeting, &format!("{most}!")).await, "TOO_LONG");
        for (key, expected) in [("ә".repeat(200), ""), ("ә".repeat(201), "TOO_LONG"), ("а\u{0}".to_owned(), "INVALID")]
        {
            let input = json!({ "meetingId": meeting, "body": format!("Кілт {expected}"), "idempotencyKey": key });
            let payload = ana.mutate("postComment", input).await;
            assert_eq!(payload["refusal"]["code"].as_str().unwrap_or_default(), expected);
        }
    }

    async fn renormalises_rows_of_older_versions(env) {
        let (meeting, ana) = (live(&env).await, env.citizen("Ana"));
        let old = id_of(&ana.post(&meeting, "Дoрога қашан?").await);
        let other = id_of(&ana.post(&meeting, "Су?").await);
        // Older versions did not map Latin letters, and digested the raw text.
        age(&env, &old, "дoрога кашан ana").await;
        assert_eq!((found(&env, &meeting, "дорога").await, found(&env, &meeting, "қашан").await), (0, 1));
        assert_eq!(
            post(&ana, &meeting, "Дoрога қашан?").await,
            "DUPLICATE",
            "identical texts are duplicates before renormalisation"
        );
        until(
            async || found(&env, &meeting, "дорога").await,
            || env.advance(TimeDelta::seconds(10)),
            |count| *count == 1,
        )
        .await;
        assert_eq!(
            (version(&env, &old).await, version(&env, &other).await),
            (normalization::VERSION, normalization::VERSION)
        );
        assert_eq!(post(&ana, &meeting, "ДОРОГА ҚАШАН").await, "DUPLICATE");

        // The same for meetings.
        let app = env.service(0).app();
        let Some(GlobalId::Meeting(id)) = GlobalId::parse(&meeting) else { panic!("{meeting}") };
        let tx = app.store.begin().await.unwrap();
        let row = tx.lock_meeting(id).await.unwrap().unwrap();
        let search = row.search.clone();
        let aged = entities::meeting::Model { search: "ескі".to_owned(), normalization_version: 0, ..row.clone() };
        tx.save_meeting(&row, &aged).await.unwrap();
        tx.commit().await.unwrap();
        app.renormalize(&lease(app).await).await.unwrap();
        let tx = app.store.begin().await.unwrap();
        let row = tx.lock_meeting(id).await.unwrap().unwrap();
        assert_eq!((row.search, row.normalization_version), (search, normalization::VERSION));
        drop(tx);

        // The same for issues.
        let staff = env.akimat(HOST);
        let issue = id_of(&staff.raise("Көшеде су жоқ", &[]).await);
        let Some(GlobalId::Issue(id)) = GlobalId::parse(&issue) else { panic!("{issue}") };
        let row = app.store.issues_by_id(&[id]).await.unwrap().remove(0);
        let tx = app.store.begin().await.unwrap();
        let aged = entities::issue::Model {
            search: "ескі".to_owned(),
            staff_search: "ескі".to_owned(),
            normalization_version: 0,
            ..row.clone()
        };
        tx.save_issue(&row, &aged).await.unwrap();
        tx.commit().await.unwrap();
        app.renormalize(&lease(app).await).await.unwrap();
        assert_eq!(app.store.issues_by_id(&[id]).await.unwrap(), [row]);
    }

    async fn reimporting_a_comment_of_an_older_version_is_no_change(env) {
        let (staff, meeting) = (env.akimat(HOST), live(&env).await);
        let add = json!({ "meetingId": meeting, "platform": "VK", "url": "https://vk.example/live" });
        let broadcast = id_of(&staff.mutate("addBroadcast", add).await["meeting"]["broadcasts"][0]);
        let import = async |body: &str| {
            let one = json!({ "externalId": "a", "authorName": "Марат", "body": body, "postedAt": env.now() });
            let input = json!({ "meetingId": meeting, "broadcastId": broadcast, "comments": [one] });
            let done = env.connector(HOST).mutate("importComments", input).await;
            ["imported", "duplicates", "changed"].map(|name| done[name].as_i64().unwrap())
        };
        assert_eq!(import("Су\u{200b} бар ма?").await, [1, 0, 0]);
        let id = id_of(&env.anonymous().comments(&meeting, json!({})).await[0]);
        let tx = env.service(0).app().store.begin().await.unwrap();
        let row = tx.comments_by_id(&[comment_id(&id)]).await.unwrap().remove(0);
        assert_eq!(row.body, "Су бар ма?");
        let aged =
            comment::Model { body: "Су\u{200b} бар ма?".to_owned(), normalization_version: 0, ..row.clone() };
        tx.change_comment(&row, &aged).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(import("Су\u{200b} бар ма?").await, [0, 1, 0]);
        assert_eq!(import("Су жоқ па?").await, [0, 0, 1]);
    }

    async fn renormalises_many_rows_in_batches(env) {
        let (meeting, ana) = (live(&env).await, env.citizen("Ana"));
        let first = id_of(&ana.post(&meeting, "Сұрақ").await);
        let app = env.service(0).app();
        let tx = app.store.begin().await.unwrap();
        let row = tx.comments_by_id(&[comment_id(&first)]).await.unwrap().remove(0);
        let fresh = |n: i32| comment::Model {
            id: CommentId(app.ids.next(env.now())),
            receipt: 1 + n,
            posted_seq: row.posted_seq + i64::from(n),
            normalization_version: 0,
            search: "ескі".to_owned(),
            ..row.clone()
        };
        tx.insert_comments((1..=250).map(fresh).collect()).await.unwrap();
        tx.commit().await.unwrap();
        let lease = lease(app).await;
        let (one, two) = tokio::join!(app.renormalize(&lease), app.renormalize(&lease));
        one.and(two).unwrap();
        let all: Value = env
            .anonymous()
            .query(
                "query($id: ID!) { meeting(id: $id) { comments(filter: { search: \"сұрақ\" }) { totalCount } } }",
                json!({ "id": meeting }),
            )
            .await;
        assert_eq!(all["meeting"]["comments"]["totalCount"], 251);
        assert!(!app.store.has_outdated_comments(normalization::VERSION).await.unwrap());
    }
}
