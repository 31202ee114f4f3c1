//! The values by which followers filter.

use harness::{HOST, TestEnv, on_both_engines};
use kezdesu::{config::load, service};
use sea_orm::{ConnectionTrait as _, Statement};

const FAR_HOST: &str = "103200000";
const FAR: &str = "103230000";
const NEIGHBOUR: &str = "103233000";
/// Where the first meetings are held, in the order of their events.
const PLACES: [(&str, &str); 3] = [(HOST, HOST), (FAR_HOST, FAR), (FAR_HOST, NEIGHBOUR)];

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

on_both_engines! {
    async fn the_migration_records_the_same_regions_as_commands(env) {
        plan_meetings(&env).await;
        assert_eq!(recorded_regions(&env).await, PLACES.map(|(_, region)| region));
        let drop: String = [2, 4, 6, 7, 9].map(|length| format!("DROP INDEX feed_events_region_{length}_idx;")).concat();
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
        ];
        let settings = load(pairs.map(|(name, value)| (name.to_owned(), value.to_owned()))).unwrap();
        service::open(&settings, true).await.unwrap().close().await;
        assert_eq!(recorded_regions(&env).await, PLACES.map(|(_, region)| region));
    }
}
