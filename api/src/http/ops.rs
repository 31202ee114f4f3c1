//! The operations listener: health, readiness, metrics.

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
    app::database_health::DatabaseHealth,
    feed::{Bus, Hub},
    graphql::Engine,
    http::security_headers,
    lifecycle::Lifecycle,
};

/// State of the operations listener.
#[derive(Clone)]
pub struct OpsState {
    /// Tells whether the service shuts down.
    pub lifecycle: Lifecycle,
    /// The checks of the database.
    pub database: DatabaseHealth,
    /// The message bus between replicas.
    pub bus: Arc<dyn Bus>,
    /// The feed hub.
    pub hub: Arc<Hub>,
    /// The GraphQL engine.
    pub engine: Engine,
    /// Renders the metrics.
    pub metrics: Option<PrometheusHandle>,
}

/// Returns the router of health, readiness and metrics.
pub fn ops_router(state: OpsState) -> Router {
    let router = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics));
    security_headers::apply(router).with_state(state)
}

/// How long each readiness check of the database may take.
const DATABASE_TIMEOUT: Duration = Duration::from_secs(3);

/// Ready while the database answers and accepts writes, and no shutdown has begun. Without the bus, the
/// service is degraded but ready.
async fn ready(State(state): State<OpsState>) -> Response {
    let database = succeeds_in_time(state.database.check_reachable()).await;
    let writes = succeeds_in_time(state.database.check_writable()).await;
    let (bus, draining) = (state.bus.is_connected(), state.lifecycle.is_shutting_down());
    let ready = database && writes && !draining;
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let checks = json!({ "database": database, "writes": writes, "bus": bus, "draining": draining });
    (status, Json(json!({ "ready": ready, "degraded": !bus, "checks": checks }))).into_response()
}

/// Returns whether a check succeeds in time. Real time: a load balancer waits for the answer.
async fn succeeds_in_time<E>(check: impl Future<Output = Result<(), E>>) -> bool {
    matches!(tokio::time::timeout(DATABASE_TIMEOUT, check).await, Ok(Ok(())))
}

async fn metrics(State(state): State<OpsState>) -> Response {
    let Some(handle) = &state.metrics else { return StatusCode::NOT_FOUND.into_response() };
    let followed_feeds = u32::try_from(state.hub.followed()).unwrap_or(u32::MAX);
    metrics::gauge!("kezdesu_followed_feeds").set(f64::from(followed_feeds));
    metrics::counter!("kezdesu_statements_total").absolute(state.database.statements());
    metrics::gauge!("kezdesu_bus_connected").set(if state.bus.is_connected() { 1.0 } else { 0.0 });
    metrics::gauge!("kezdesu_groups").set(f64::from(u32::try_from(state.engine.render_groups()).unwrap_or(u32::MAX)));
    let held_bytes = u32::try_from(state.engine.memory().held()).unwrap_or(u32::MAX);
    metrics::gauge!("kezdesu_answer_bytes").set(f64::from(held_bytes));
    handle.run_upkeep();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], handle.render()).into_response()
}
