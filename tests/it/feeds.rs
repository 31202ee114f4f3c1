//! Feed positions: gapless and in commit order across writers and replicas.

use harness::{HOST, id_of, on_both_engines, readiness};
use kezdesu::{
    app::{
        questions::{CommentFilter, CommentTopic},
        topics,
    },
    domain::{comment_events::comment_feed, viewer::Viewer},
    feed::Hub,
    graphql::node::GlobalId,
};
use serde_json::json;

on_both_engines! {
    async fn concurrent_writers_on_two_replicas_leave_no_gap_or_duplicate(env) {
        let mut env = env;
        let staff = env.akimat(HOST);
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let second = env.replica().await;
        let hosts = [env.host(0), env.host(second)];
        let mut followers = Vec::new();
        for host in &hosts {
            followers.push(env.anonymous().at(host.clone()).follow_comments(&meeting, Some(0), "PUBLIC").await);
        }
        let writers = (0..8).map(|n| {
            let (person, meeting) = (env.citizen(&format!("Writer {n}")).at(hosts[n % 2].clone()), meeting.clone());
            tokio::spawn(async move {
                let mut posted = Vec::new();
                for k in 0..10 {
                    posted.push(person.post(&meeting, &format!("{n}.{k}")).await);
                }
                posted
            })
        });
        let posted: Vec<_> =
            futures_util::future::join_all(writers).await.into_iter().flat_map(Result::unwrap).collect();
        let mut receipts: Vec<String> =
            posted.iter().map(|comment| comment["receipt"].as_str().unwrap().to_owned()).collect();
        receipts.sort();
        assert_eq!(receipts, (1..=80).map(|n| format!("Q-{n:04}")).collect::<Vec<_>>());
        for live in &mut followers {
            let mut seen = Vec::new();
            for _ in 0..80 {
                seen.push(live.next_event_in(&env).await);
            }
            let positions: Vec<i64> = seen.iter().map(|event| event["seq"].as_i64().unwrap()).collect();
            assert_eq!(positions, (1..=80).collect::<Vec<_>>());
            assert!(seen.iter().all(|event| event["prev"].as_i64().unwrap() + 1 == event["seq"].as_i64().unwrap()));
            let receipts: Vec<_> =
                seen.iter().map(|event| event["comment"]["receipt"].as_str().unwrap().to_owned()).collect();
            assert!(receipts.is_sorted(), "receipts follow positions");
        }
        assert_eq!(env.anonymous().meeting(&meeting).await["commentsHead"], 80);
    }

    async fn trims_old_events_and_reports_it_to_resuming_subscribers(env) {
        let env = harness::TestEnv::with(env.engine, &[("KEZDESU_KEEP_EVENTS", "100")]).await;
        let (staff, ana) = (env.akimat(HOST), env.citizen("Ana"));
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        for n in 0..130 {
            ana.post(&meeting, &format!("Сұрақ {n}")).await;
        }
        let lost = loop {
            env.advance(chrono::TimeDelta::minutes(1));
            let first = env.anonymous().begin_comments(&meeting, Some(10), "PUBLIC").await.next().await;
            if first["recovered"] == false {
                break first;
            }
        };
        assert_eq!(lost["seq"], 130);
        let mut kept = env.anonymous().begin_comments(&meeting, Some(30), "PUBLIC").await;
        assert_eq!(kept.next().await["recovered"], true);
        assert_eq!(kept.next().await["seq"], 31);
    }

    async fn ends_a_follower_that_falls_behind_without_skipping(env) {
        let (staff, connector) = (env.akimat(HOST), env.connector(HOST));
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let add = json!({ "meetingId": meeting, "platform": "VK", "url": "https://vk.example/1" });
        let broadcast = id_of(&staff.mutate("addBroadcast", add).await["meeting"]["broadcasts"][0]);
        for batch in 0..2 {
            let comments: Vec<_> = (0..400).map(|n| json!({
                "externalId": format!("{batch}.{n}"), "authorName": "Марат", "body": format!("Сұрақ {batch}.{n}"), "postedAt": env.now(),
            })).collect();
            connector
                .mutate(
                    "importComments",
                    json!({ "meetingId": meeting, "broadcastId": broadcast, "comments": comments }),
                )
                .await;
        }
        let Some(GlobalId::Meeting(id)) = GlobalId::parse(&meeting) else { panic!("{meeting}") };
        let app = env.service(0).app();
        let hub = Hub::new(topics(app), app.store.clone(), env.clock.clone());
        let follow = async |after: i64| {
            let resume = Some(after.into());
            hub.follow::<CommentTopic>(&Viewer::Anonymous, &id, CommentFilter::Public, resume).await.unwrap()
        };
        let mut slow = follow(0).await;
        let mut quick = follow(100).await;
        assert_eq!(quick.next().await.unwrap().event.seq, 101);
        let tx = app.store.begin().await.unwrap();
        let feed = comment_feed(id);
        let head = tx.lock_feed(&feed).await.unwrap();
        tx.delete_events(&feed, head - 300).await.unwrap();
        tx.commit().await.unwrap();
        assert!(slow.next().await.is_none(), "the follower ends because its events were trimmed");
        // Events read before the trim are complete; the stream ends at the gap and never skips it.
        let mut last = 101;
        while let Some(entry) = quick.next().await {
            last += 1;
            assert_eq!(entry.event.seq, last);
        }
        assert!(last < 500);
        let mut near = follow(790).await;
        for _ in 0..10 {
            assert!(near.next().await.is_some());
        }
    }

    async fn a_disconnected_bus_loses_no_event(env) {
        let (staff, ana) = (env.akimat(HOST), env.citizen("Ana"));
        let mut env = env;
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let second = env.replica().await;
        let mut live = env.anonymous().at(env.host(second)).follow_comments(&meeting, None, "PUBLIC").await;
        for n in 1..=5 {
            if let Some(redis) = env.redis() {
                let client = redis::Client::open(redis).unwrap();
                let mut connection = client.get_multiplexed_async_connection().await.unwrap();
                // Disconnects all other clients, also of other tests, which must lose nothing.
                let _: Result<i64, _> =
                    redis::cmd("CLIENT").arg("KILL").arg("SKIPME").arg("yes").query_async(&mut connection).await;
            }
            let posted = id_of(&ana.post(&meeting, &format!("Сұрақ {n}")).await);
            let event = live.next_event_in(&env).await;
            assert_eq!((event["seq"].as_i64(), event["commentId"].as_str()), (Some(n), Some(posted.as_str())));
        }
        let (status, _) = readiness(&env.ops_host(second)).await.unwrap();
        assert_eq!(status, 200, "the service works without the bus");
    }
}
