//! Leases for commands of jobs that a test calls by itself.

use kezdesu::{
    app::App,
    store::{job_leases::Lease, jobs::NewJob},
};
use serde_json::Value;

/// Of a kind that no replica knows, so that none takes it.
const KIND: &str = "called_by_a_test";

/// Enqueues a job of its own, and takes it.
pub async fn lease(app: &App) -> Lease {
    let now = app.clock.now();
    let key = app.ids.next(now).to_string();
    let tx = app.store.begin().await.expect("a transaction");
    let new = NewJob { kind: KIND, key: &key, run_at: now, payload: &Value::Null };
    assert!(tx.enqueue(&new).await.expect("the database obeys"));
    tx.commit().await.expect("it is committed");
    let taken = app.store.take_jobs(&[KIND], &[], 1, now).await.expect("the database answers");
    taken.into_iter().next().expect("it is due").lease
}
