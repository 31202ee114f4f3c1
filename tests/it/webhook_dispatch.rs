//! Which webhooks an event wakes.

use harness::{HOST, TestEnv, lease, on_both_engines, record_issue_events};
use serde_json::json;

const ELSEWHERE: [&str; 3] = ["103230000", "103200000", "710000000"];

async fn register(env: &TestEnv, region: &str, count: usize) {
    let staff = env.akimat(region);
    for n in 0..count {
        let input = json!({ "region": region, "url": format!("http://127.0.0.1:9/{n}") });
        assert!(staff.mutate("registerWebhook", input).await["secret"].is_string());
    }
}

on_both_engines! {
    async fn an_event_wakes_the_webhooks_of_its_place_and_the_others_skip_it_together(env) {
        let app = env.service(0).app();
        for region in ELSEWHERE {
            register(&env, region, 20).await;
        }
        let agency = json!({ "url": "http://127.0.0.1:9/" });
        assert!(env.agency("min-health").mutate("registerWebhook", agency).await["secret"].is_string());
        register(&env, HOST, 1).await;
        record_issue_events(app, HOST, &[(1, "RAISED"), (1, "PLANNED")]).await;
        let work = async || app.store.webhooks_with_work(2, env.now()).await.unwrap();
        assert_eq!(work().await.len(), 62);
        let lease = lease(app).await;
        let (dispatched, statements) = env.counting(app.dispatch_webhooks(&lease)).await;
        dispatched.unwrap();
        assert!(statements <= 12, "{statements} statements");
        let left = work().await;
        assert_eq!(left.len(), 1, "the others have skipped the events");
        assert_eq!(left[0].region.as_deref(), Some(HOST));
        let jobs = app.store.take_jobs(&["webhooks"], &[], 100, env.now()).await.unwrap();
        let payloads: Vec<_> = jobs.into_iter().map(|job| job.payload).collect();
        assert_eq!(payloads, [json!({ "webhook": left[0].id })]);
    }

    async fn a_webhook_that_is_far_behind_looks_through_the_feed_itself(env) {
        let app = env.service(0).app();
        register(&env, ELSEWHERE[0], 2).await;
        let many = vec![(1, "CHANGED"); 501];
        record_issue_events(app, HOST, &many).await;
        let lease = lease(app).await;
        app.dispatch_webhooks(&lease).await.unwrap();
        let jobs = app.store.take_jobs(&["webhooks"], &[], 100, env.now()).await.unwrap();
        assert_eq!(jobs.len(), 2, "not all of these events were compared");
    }
}
