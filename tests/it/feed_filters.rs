//! Filtered subscriptions that catch up: they read what matches, lose nothing and repeat nothing.

use harness::{Actor, Engine, HOST, Subscription, TestEnv, on_both_engines};
use kezdesu::{
    app::{meetings::MeetingTopic, topics},
    config::load,
    domain::{meeting_events::meeting_feed, viewer::Viewer},
    feed::Hub,
    service,
};
use sea_orm::{ConnectionTrait as _, Statement};
use serde_json::{Value, json};

const FAR_HOST: &str = "103200000";
const FAR: &str = "103230000";
const NEIGHBOUR: &str = "103233000";
/// Where the first meetings are held, in the order of their events.
const PLACES: [(&str, &str); 3] = [(HOST, HOST), (FAR_HOST, FAR), (FAR_HOST, NEIGHBOUR)];
/// Units of every level, with the digits that the codes within them begin with.
const UNITS: [(&str, &str); 6] = [
    ("100000000", "10"),
    (FAR_HOST, "1032"),
    (FAR, "103230"),
    ("103230100", "1032301"),
    (HOST, "751110"),
    ("710000000", "71"),
];

/// Plans a meeting in each of the places.
async fn plan_meetings(env: &TestEnv) {
    let staff = env.person("Staff", &["ADMIN"], None);
    for (host, region) in PLACES {
        staff.plan(host, region, env.now() + chrono::TimeDelta::days(20), "AFTER").await;
    }
}

/// Returns the regions in the rows of the feed, in order.
async fn recorded_regions(env: &TestEnv) -> Vec<String> {
    let database = env.database().await;
    let query = "SELECT region_code FROM feed_events WHERE feed = 'meetings' ORDER BY seq";
    let rows = database.query_all_raw(Statement::from_string(database.get_database_backend(), query)).await.unwrap();
    rows.iter().map(|row| row.try_get("", "region_code").unwrap()).collect()
}

/// Appends events, of which the `n`th is about the meeting of the event at the position `source`. `region` is what
/// is recorded as its region.
async fn append(env: &TestEnv, count: usize, source: &str, region: &str) {
    env.sql(&format!(
        "INSERT INTO feed_events (feed, seq, at, subject, kind, public_kind, region_code)
         WITH RECURSIVE series(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM series WHERE n < {count})
         SELECT feed, head + n, at, subject, 'STAGE', 'STAGE', {region} FROM series
         JOIN feeds ON name = 'meetings' JOIN feed_events ON feed = name AND seq = {source};
         UPDATE feeds SET head = head + {count} WHERE name = 'meetings'"
    ))
    .await;
}

/// Follows the meetings of a unit from a position on, and consumes the first event, SUBSCRIBED.
async fn follow(actor: &Actor, unit: Option<&str>, after: i64) -> Subscription {
    let query = "subscription($region: KatoCode, $after: Int) { meetings(region: $region, after: $after)
                 { seq prev kind recovered meeting { region { code } } } }";
    let mut live = actor.follow(query, json!({ "region": unit, "after": after })).await;
    let first = live.next().await;
    assert_eq!(
        (&first["kind"], &first["seq"], &first["recovered"]),
        (&json!("SUBSCRIBED"), &json!(after), &json!(true))
    );
    live
}

fn position(event: &Value, name: &str) -> i64 {
    event[name].as_i64().expect("a position")
}

/// Reads so many events, checks that each names the one before it, and returns their positions and regions.
async fn read(live: &mut Subscription, after: i64, count: usize) -> Vec<(i64, String)> {
    let (mut all, mut last) = (Vec::new(), after);
    for _ in 0..count {
        let event = live.next().await;
        assert_eq!(position(&event, "prev"), last, "{event}");
        last = position(&event, "seq");
        all.push((last, event["meeting"]["region"]["code"].as_str().expect("a code").to_owned()));
    }
    all
}

/// Returns the statements of a replay of five matches among so many events.
async fn cost(engine: Engine, count: usize) -> u64 {
    let env = TestEnv::start(engine).await;
    plan_meetings(&env).await;
    append(&env, count, &format!("CASE WHEN n % {} = 1 THEN 1 ELSE 2 END", count / 5), "region_code").await;
    let reader = env.anonymous();
    let replay = async {
        let mut live = follow(&reader, Some(HOST), 1).await;
        read(&mut live, 1, 5).await
    };
    let (seen, statements) = env.counting(replay).await;
    assert!(seen.iter().all(|(_, region)| region == HOST), "{seen:?}");
    statements
}

on_both_engines! {
    async fn a_filtered_replay_costs_what_matches(env) {
        let (few, many) = (cost(env.engine, 2_000).await, cost(env.engine, 30_000).await);
        assert_eq!(few, many);
        assert!(many <= 12, "{many}");
    }

    async fn a_filtered_replay_equals_the_filtered_feed(env) {
        const COUNT: usize = 2_500;
        plan_meetings(&env).await;
        // Two in seven events are by a replica that does not know the column.
        let region = "CASE WHEN (n * 31) % 7 < 2 THEN NULL ELSE region_code END";
        append(&env, COUNT, "1 + (n * 7919 + n / 13) % 3", region).await;
        let head = i64::try_from(COUNT + PLACES.len()).unwrap();
        let reader = env.anonymous();
        let all = read(&mut follow(&reader, None, 0).await, 0, COUNT + PLACES.len()).await;
        let mut following = Vec::new();
        for (unit, prefix) in UNITS {
            for after in [0, 300, 1_999, head - 5] {
                let matches = |(seq, code): &&(i64, String)| *seq > after && code.starts_with(prefix);
                let wanted: Vec<_> = all.iter().filter(matches).cloned().collect();
                let mut live = follow(&reader, Some(unit), after).await;
                assert_eq!(read(&mut live, after, wanted.len()).await, wanted, "{unit} after {after}");
                following.push((unit, wanted.last().map_or(after, |(seq, _)| *seq), live));
            }
        }
        for (unit, last, live) in &mut following {
            let beat = live.next_in(&env).await;
            let seen = (&beat["kind"], position(&beat, "seq"), position(&beat, "prev"));
            assert_eq!(seen, (&json!("HEARTBEAT"), head, *last), "{unit}");
        }
        plan_meetings(&env).await;
        for (unit, last, live) in &mut following {
            let prefix = UNITS.iter().find(|(one, _)| one == unit).unwrap().1;
            for (seq, (_, code)) in (head + 1..).zip(PLACES).filter(|(_, (_, code))| code.starts_with(prefix)) {
                let event = live.next_event_in(&env).await;
                let seen = (position(&event, "seq"), position(&event, "prev"), &event["meeting"]["region"]["code"]);
                assert_eq!(seen, (seq, *last, &json!(code)), "{unit}");
                *last = seq;
            }
        }
    }

    async fn a_replay_without_matches_reports_how_far_it_has_read(env) {
        plan_meetings(&env).await;
        append(&env, 3_000, "1", "region_code").await;
        let mut live = follow(&env.anonymous(), Some(FAR), 2).await;
        let beat = live.next_in(&env).await;
        assert_eq!((position(&beat, "seq"), position(&beat, "prev")), (3_003, 2), "{beat}");
        let mut again = follow(&env.anonymous(), Some(FAR), 3_003).await;
        plan_meetings(&env).await;
        for (live, prev) in [(&mut live, 2), (&mut again, 3_003)] {
            let event = live.next_event_in(&env).await;
            assert_eq!((position(&event, "seq"), position(&event, "prev")), (3_005, prev), "{event}");
        }
    }

    async fn finds_events_of_an_older_replica(env) {
        plan_meetings(&env).await;
        append(&env, 2_000, "CASE WHEN n % 400 = 0 THEN 2 ELSE 1 END", "NULL").await;
        let seen = read(&mut follow(&env.anonymous(), Some(FAR), 2).await, 2, 5).await;
        assert_eq!(seen, [403, 803, 1_203, 1_603, 2_003].map(|seq| (seq, FAR.to_owned())));
    }

    async fn ends_a_filtered_follower_whose_events_are_no_longer_stored(env) {
        plan_meetings(&env).await;
        append(&env, 6_000, "1 + n % 2", "region_code").await;
        let app = env.service(0).app();
        let hub = Hub::new(topics(app), app.store.clone(), env.clock.clone());
        let unit = HOST.parse().unwrap();
        let follow = async |after: i64| {
            let resume = Some(after.into());
            hub.follow::<MeetingTopic>(&Viewer::Anonymous, &(), Some(unit), resume).await.unwrap()
        };
        let (mut slow, mut quick) = (follow(0).await, follow(10).await);
        assert_eq!(quick.next().await.unwrap().event.seq, 11);
        let tx = app.store.begin().await.unwrap();
        tx.lock_feed(&meeting_feed()).await.unwrap();
        tx.delete_events(&meeting_feed(), 2_000).await.unwrap();
        tx.commit().await.unwrap();
        assert!(slow.next().await.is_none(), "its events are gone, whether or not they match");
        let mut last = 11;
        while let Some(entry) = quick.next().await {
            last += 2;
            assert_eq!(entry.event.seq, last);
        }
        assert!(last < 2_000, "it ends where the page that it has read ends: {last}");
        let mut near = follow(2_000).await;
        // From the ring it reads everything.
        for seq in (2_001..5_400).step_by(2) {
            assert_eq!(near.next().await.unwrap().event.seq, seq);
        }
    }

    async fn the_migration_records_the_same_regions_as_commands(env) {
        plan_meetings(&env).await;
        assert_eq!(recorded_regions(&env).await, PLACES.map(|(_, region)| region));
        let drop: String = [2, 4, 6, 7, 9]
            .map(|length| format!("DROP INDEX feed_events_region_{length}_idx; DROP INDEX feed_events_issue_region_{length}_idx;"))
            .concat();
        env.sql(&format!(
            "{drop} ALTER TABLE feed_events DROP COLUMN region_code;
             DELETE FROM seaql_migrations WHERE version = 'm0023_event_regions'"
        ))
        .await;
        let pairs = [
            ("KEZDESU_DATABASE_URL", env.database_url()),
            ("KEZDESU_JWKS", "unused"),
            ("KEZDESU_JWT_ISSUER", "unused"),
            ("KEZDESU_JWT_AUDIENCE", "unused"),
            ("KEZDESU_DATA_KEYS", harness::DATA_KEYS),
        ];
        let settings = load(pairs.map(|(name, value)| (name.to_owned(), value.to_owned()))).unwrap();
        service::open(&settings, true).await.unwrap().close().await;
        assert_eq!(recorded_regions(&env).await, PLACES.map(|(_, region)| region));
    }
}
