//! The operator's listener: health, readiness, metrics.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::json;

use crate::{
    feed::{Bus, Hub},
    graphql::Engine,
    http::headers,
    lifecycle::Lifecycle,
    store::{Store, StoreError},
};

/// What the operator's listener works with.
#[derive(Clone)]
pub struct Ops {
    /// When to stop.
    pub life: Lifecycle,
    /// The database.
    pub store: Store,
    /// The bus between replicas.
    pub bus: Arc<dyn Bus>,
    /// The feeds.
    pub hub: Arc<Hub>,
    /// The API.
    pub engine: Engine,
    /// The metrics.
    pub metrics: Option<PrometheusHandle>,
}

/// Health, readiness, metrics.
pub fn ops_router(ops: Ops) -> Router {
    let router = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics));
    headers::guarded(router).with_state(ops)
}

/// How long the database may take to answer whoever asks whether the service is ready.
const DATABASE_WITHIN: Duration = Duration::from_secs(3);

/// Ready while the database answers and takes writes, and the end is not near. Without the bus the service goes on, a second slower.
async fn ready(State(ops): State<Ops>) -> Response {
    let (database, writes) = (within(ops.store.ping()).await, within(ops.store.probe_write()).await);
    let (bus, draining) = (ops.bus.is_connected(), ops.life.is_ending());
    let ready = database && writes && !draining;
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let checks = json!({ "database": database, "writes": writes, "bus": bus, "draining": draining });
    (status, Json(json!({ "ready": ready, "degraded": !bus, "checks": checks }))).into_response()
}

/// Whether the database does in time what it is asked. Real time: a balancer waits for the answer.
async fn within(asked: impl Future<Output = Result<(), StoreError>>) -> bool {
    matches!(tokio::time::timeout(DATABASE_WITHIN, asked).await, Ok(Ok(())))
}

async fn metrics(State(ops): State<Ops>) -> Response {
    let Some(handle) = &ops.metrics else { return StatusCode::NOT_FOUND.into_response() };
    let followed = u32::try_from(ops.hub.followed()).unwrap_or(u32::MAX);
    metrics::gauge!("kezdesu_followed_feeds").set(f64::from(followed));
    metrics::counter!("kezdesu_statements_total").absolute(ops.store.statements());
    metrics::gauge!("kezdesu_bus_connected").set(if ops.bus.is_connected() { 1.0 } else { 0.0 });
    metrics::gauge!("kezdesu_groups").set(f64::from(u32::try_from(ops.engine.groups()).unwrap_or(u32::MAX)));
    let held = u32::try_from(ops.engine.memory().held()).unwrap_or(u32::MAX);
    metrics::gauge!("kezdesu_answer_bytes").set(f64::from(held));
    handle.run_upkeep();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], handle.render()).into_response()
}
