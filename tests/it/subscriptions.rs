//! Subscriptions over real sockets.

use chrono::TimeDelta;
use harness::{Actor, HOST, id_of, on_both_engines};
use kezdesu::clock::ManualClock;
use serde_json::{Value, json};

fn seen(event: &Value) -> (i64, String, Option<String>) {
    let body = event["comment"]["body"].as_str().map(str::to_owned);
    (event["seq"].as_i64().unwrap(), event["kind"].as_str().unwrap().to_owned(), body)
}

on_both_engines! {
    async fn two_subscribers_see_the_same_events(env) {
        let (staff, ana) = (env.akimat(HOST), env.citizen("Ana"));
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let mut one = env.anonymous().follow_comments(&meeting, None, "PUBLIC").await;
        let mut two = env.citizen("Ben").follow_comments(&meeting, None, "PUBLIC").await;
        for body in ["Бір", "Екі", "Үш"] {
            ana.post(&meeting, body).await;
        }
        for (seq, body) in [(1, "Бір"), (2, "Екі"), (3, "Үш")] {
            let event = one.next().await;
            assert_eq!(seen(&event), (seq, "POSTED".to_owned(), Some(body.to_owned())));
            assert_eq!(event["prev"], seq - 1);
            assert_eq!(two.next().await, event);
        }
    }

    async fn sends_pending_comments_only_to_moderators(env) {
        let (staff, ana, moderator) = (env.akimat(HOST), env.citizen("Ana"), env.moderator(HOST));
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "BEFORE").await;
        let mut public = env.anonymous().follow_comments(&meeting, None, "PUBLIC").await;
        let mut queue = moderator.follow_comments(&meeting, None, "MODERATION").await;
        let hidden = id_of(&ana.post(&meeting, "Күтуде").await);
        let shown = id_of(&ana.post(&meeting, "Мақұлданды").await);
        moderator.moderate("APPROVE", &[&shown]).await;
        moderator.moderate("HIDE", &[&shown]).await;
        moderator.moderate("REJECT", &[&hidden]).await;
        ana.post(&meeting, "Тағы").await;
        moderator.moderate("RESTORE", &[&shown]).await;

        let posted = public.next().await;
        assert_eq!(
            (posted["seq"].as_i64(), posted["prev"].as_i64(), posted["kind"].as_str()),
            (Some(3), Some(0), Some("POSTED"))
        );
        let removed = public.next().await;
        assert_eq!(
            (removed["kind"].as_str(), removed["commentId"].as_str(), removed["comment"].is_null()),
            (Some("REMOVED"), Some(shown.as_str()), true)
        );
        assert_eq!(removed["prev"], 3);
        let back = public.next().await;
        assert_eq!(
            (back["kind"].as_str(), back["prev"].as_i64(), back["seq"].as_i64()),
            (Some("POSTED"), Some(4), Some(7))
        );

        let kinds: Vec<String> = {
            let mut all = Vec::new();
            for _ in 0..7 {
                all.push(seen(&queue.next().await).1);
            }
            all
        };
        assert_eq!(kinds, ["POSTED", "POSTED", "CHANGED", "CHANGED", "CHANGED", "POSTED", "CHANGED"]);
        for actor in [env.anonymous(), ana, env.moderator("711110000"), env.connector(HOST)] {
            let refused = actor.begin_comments(&meeting, None, "MODERATION").await.refused().await;
            assert_eq!(refused, "FORBIDDEN");
        }
    }

    async fn resumes_exactly_once_and_in_order_after_disconnects(env) {
        let (staff, ana) = (env.akimat(HOST), env.citizen("Ana"));
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let writer = {
            let (ana, meeting) = (ana.clone(), meeting.clone());
            tokio::spawn(async move {
                for n in 0..120 {
                    ana.post(&meeting, &format!("Сұрақ {n}")).await;
                }
            })
        };
        let (mut last, mut bodies, anonymous) = (0, Vec::new(), env.anonymous());
        // Disconnects after 1, 2, 3 … events: before, between and after batches.
        for takes in (1..).take_while(|_| true) {
            let mut live = anonymous.begin_comments(&meeting, Some(last), "PUBLIC").await;
            let first = live.next().await;
            assert_eq!(
                (first["kind"].as_str(), first["recovered"].as_bool(), first["seq"].as_i64()),
                (Some("SUBSCRIBED"), Some(true), Some(last))
            );
            for _ in 0..takes {
                let event = live.next().await;
                let (seq, _, body) = seen(&event);
                assert!(event["prev"].as_i64().unwrap() <= last && seq > last, "{event} after {last}");
                last = seq;
                bodies.push(body.unwrap());
                if bodies.len() == 120 {
                    break;
                }
            }
            live.disconnect();
            if bodies.len() == 120 {
                break;
            }
        }
        writer.await.unwrap();
        assert_eq!(bodies, (0..120).map(|n| format!("Сұрақ {n}")).collect::<Vec<_>>());
    }

    async fn resuming_does_not_show_comments_hidden_meanwhile(env) {
        let (staff, ana, moderator) = (env.akimat(HOST), env.citizen("Ana"), env.moderator(HOST));
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let id = id_of(&ana.post(&meeting, "Құпия").await);
        ana.post(&meeting, "Ашық").await;
        moderator.moderate("HIDE", &[&id]).await;
        let mut live = env.anonymous().follow_comments(&meeting, Some(0), "PUBLIC").await;
        assert_eq!(seen(&live.next().await), (2, "POSTED".to_owned(), Some("Ашық".to_owned())));
        assert_eq!(seen(&live.next().await), (3, "REMOVED".to_owned(), None));
    }

    async fn reports_a_position_that_is_not_kept(env) {
        let (staff, ana) = (env.akimat(HOST), env.citizen("Ana"));
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        ana.post(&meeting, "Бір").await;
        for after in [99, -1] {
            let first = env.anonymous().begin_comments(&meeting, Some(after), "PUBLIC").await.next().await;
            assert_eq!((first["recovered"].as_bool(), first["seq"].as_i64()), (Some(false), Some(1)), "{after}");
        }
        let first = env.anonymous().begin_comments(&meeting, None, "PUBLIC").await.next().await;
        assert_eq!(
            (first["recovered"].is_null(), first["seq"].as_i64(), first["prev"].as_i64()),
            (true, Some(1), Some(1))
        );
    }

    async fn sends_heartbeats_on_an_idle_stream(env) {
        let staff = env.akimat(HOST);
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        env.citizen("Ana").post(&meeting, "Бір").await;
        let mut live = env.anonymous().follow_comments(&meeting, Some(0), "PUBLIC").await;
        live.next().await;
        let beat = live.next_in(&env).await;
        assert_eq!(
            (beat["kind"].as_str(), beat["seq"].as_i64(), beat["prev"].as_i64()),
            (Some("HEARTBEAT"), Some(1), Some(1))
        );
    }

    async fn publishes_vote_counts_at_most_once_a_second(env) {
        let (staff, ana) = (env.akimat(HOST), env.citizen("Ana"));
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let id = id_of(&ana.post(&meeting, "Жол?").await);
        let mut live = env.anonymous().follow_comments(&meeting, None, "PUBLIC").await;
        for n in 0..5 {
            env.citizen(&format!("Voter {n}")).mutate("voteComment", json!({ "commentId": id })).await;
        }
        let counted = live.next_event_in(&env).await;
        assert_eq!((counted["kind"].as_str(), counted["comment"]["votes"].as_i64()), (Some("VOTES"), Some(5)));
        ana.post(&meeting, "Белгі").await;
        assert_eq!(seen(&live.next().await).2.as_deref(), Some("Белгі"), "five votes are one event");
    }

    async fn replicas_share_a_feed_without_bus_notifications(env) {
        let mut env = env;
        let (staff, ana) = (env.akimat(HOST), env.citizen("Ana"));
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        // Embedded replicas share no bus, so this one gets no notifications; in production it gets them from Redis.
        let replica = env.replica().await;
        let mut live = env.anonymous().at(env.host(replica)).follow_comments(&meeting, None, "PUBLIC").await;
        for n in 1..=3 {
            ana.post(&meeting, &format!("Сұрақ {n}")).await;
            let event = live.next_event_in(&env).await;
            assert_eq!(seen(&event), (n, "POSTED".to_owned(), Some(format!("Сұрақ {n}"))));
        }
        let there = ana.at(env.host(replica));
        there.post(&meeting, "Екінші жақтан").await;
        assert_eq!(seen(&live.next().await).0, 4);
    }

    async fn filters_meeting_events_by_region(env) {
        let staff = env.person("Staff", &["ADMIN"], None);
        let query = "subscription($region: KatoCode) { meetings(region: $region) { seq prev kind meeting { region { code } } } }";
        let mut here = env.anonymous().follow(query, json!({ "region": "100000000" })).await;
        let mut all = env.anonymous().follow(query, json!({})).await;
        assert_eq!(
            (here.next().await["kind"].as_str(), all.next().await["kind"].as_str()),
            (Some("SUBSCRIBED"), Some("SUBSCRIBED"))
        );
        let start = env.now() + TimeDelta::days(20);
        staff.plan(HOST, HOST, start, "AFTER").await;
        let meeting = id_of(&staff.plan("103200000", "103230000", start, "AFTER").await);
        staff.announce(&meeting).await;
        let event = here.next().await;
        assert_eq!(
            (event["kind"].as_str(), event["meeting"]["region"]["code"].as_str()),
            (Some("PLANNED"), Some("103230000"))
        );
        assert_eq!(here.next().await["kind"], "ANNOUNCED");
        for kind in ["PLANNED", "PLANNED", "ANNOUNCED"] {
            assert_eq!(all.next().await["kind"], kind);
        }
    }

    async fn events_agree_with_the_list(env) {
        let (staff, moderator) = (env.akimat(HOST), env.moderator(HOST));
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "BEFORE").await;
        let mut live = env.anonymous().follow_comments(&meeting, Some(0), "PUBLIC").await;
        let people: Vec<_> = (0..4).map(|n| env.citizen(&format!("Person {n}"))).collect();
        let posts = futures_util::future::join_all(people.iter().enumerate().flat_map(|(n, person)| {
            let meeting = &meeting;
            (0..6).map(move |k| async move { id_of(&person.post(meeting, &format!("{n}.{k}")).await) })
        }))
        .await;
        for (n, id) in posts.iter().enumerate() {
            moderator.moderate(if n % 5 == 4 { "REJECT" } else { "APPROVE" }, &[id]).await;
            if n % 7 == 3 {
                moderator.moderate("HIDE", &[id]).await;
            }
        }
        let marker = id_of(&people[0].post(&meeting, "Белгі").await);
        moderator.moderate("APPROVE", &[&marker]).await;
        let mut shown = std::collections::BTreeSet::new();
        loop {
            let event = live.next().await;
            let id = event["commentId"].as_str().unwrap().to_owned();
            if event["kind"] == "REMOVED" {
                shown.remove(&id);
            } else {
                shown.insert(id.clone());
            }
            if id == marker {
                break;
            }
        }
        let listed = env.anonymous().comments(&meeting, json!({})).await.iter().map(id_of).collect();
        assert_eq!(shown, listed);
    }

    async fn the_feed_head_is_never_newer_than_the_list(env) {
        let (staff, ana) = (env.akimat(HOST), env.citizen("Ana"));
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let posts = async {
            for n in 0..60 {
                ana.post(&meeting, &format!("№ {n}")).await;
            }
        };
        let mut posts = std::pin::pin!(posts);
        let query = "query($id: ID!) { meeting(id: $id) { comments(first: 1) { totalCount } ...Head } } fragment Head on Meeting { commentsHead }";
        let anonymous = env.anonymous();
        loop {
            let look = anonymous.query(query, json!({ "id": meeting }));
            let (seen, done) = tokio::select! {
                seen = look => (seen, false),
                () = &mut posts => (anonymous.query(query, json!({ "id": meeting })).await, true),
            };
            let (listed, head) = (&seen["meeting"]["comments"]["totalCount"], &seen["meeting"]["commentsHead"]);
            // Each post is one event.
            assert!(listed.as_i64() >= head.as_i64(), "{listed} listed, and the head is {head}");
            if done {
                assert_eq!(head, 60);
                break;
            }
        }
    }

    async fn every_budget_threshold_is_an_event_even_when_noticed_late(env) {
        let mut env = env;
        let (staff, moderator) = (env.akimat(HOST), env.moderator(HOST));
        // Replicas whose clocks are ahead and stand still, so their jobs check no budgets between two commands.
        let mut ahead = Vec::new();
        for minutes in [12, 16] {
            let clock = ManualClock::at(env.now() + TimeDelta::minutes(minutes));
            let replica = env.replica_by(clock).await;
            ahead.push(env.host(replica));
        }
        let mut meetings = Vec::new();
        for _ in 0..4 {
            meetings.push(staff.live_meeting(HOST, HOST, env.now(), "AFTER").await);
        }
        let stage = async |at: usize, meeting: usize, stage: &str| {
            let input = json!({ "meetingId": meetings[meeting], "stage": stage });
            assert!(moderator.at(ahead[at].clone()).mutate("setStage", input).await["refusal"].is_null());
        };
        let end = async |staff: &Actor, meeting: usize| {
            assert!(staff.mutate("endMeeting", json!({ "meetingId": meetings[meeting] })).await["refusal"].is_null());
        };
        let later = staff.at(ahead[1].clone());
        stage(1, 0, "QUESTIONS").await;
        end(&later, 0).await;
        end(&later, 1).await;
        stage(0, 2, "BREAK").await;
        stage(1, 2, "PRESENTATION").await;
        end(&later, 2).await;
        // The last meeting passes both thresholds between two checks, and may end before either.
        env.advance(TimeDelta::minutes(16));
        end(&staff, 3).await;
        let mut live =
            env.anonymous().follow("subscription { meetings(after: 0) { kind meeting { id } } }", json!({})).await;
        let mut heard = vec![Vec::new(); 4];
        while heard[3].last().is_none_or(|kind| kind != "ENDED") {
            let event = live.next().await;
            let Some(at) = meetings.iter().position(|id| event["meeting"]["id"] == json!(id)) else { continue };
            heard[at].push(event["kind"].as_str().unwrap().to_owned());
        }
        let after = |kinds: &[&'static str]| [&["PLANNED", "ANNOUNCED", "STARTED"][..], kinds].concat();
        assert_eq!(heard[0], after(&["STAGE", "STAGE", "STAGE", "ENDED"]), "two thresholds and a change");
        assert_eq!(heard[1], after(&["STAGE", "STAGE", "ENDED"]), "two thresholds at the end");
        assert_eq!(heard[2], after(&["STAGE", "STAGE", "STAGE", "ENDED"]), "a threshold and two changes");
        assert_eq!(heard[3], after(&["STAGE", "STAGE", "ENDED"]), "two thresholds at once");
    }
}
