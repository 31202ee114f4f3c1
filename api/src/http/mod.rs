//! HTTP layer: GraphQL over HTTP, server-sent events and WebSocket on one path, static pages, and the
//! operations listener.

mod access_log;
mod apq_cache;
mod cache_control;
mod client_ip;
mod concurrency_limit;
mod connection;
mod connection_limits;
mod content_encoding;
mod content_negotiation;
mod execute;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod gauge_guard;
mod graphql;
mod http_stream;
mod ops;
mod origin;
mod pages;
mod persisted_queries;
mod request;
mod security_headers;
mod serve;
mod state;
mod subscription_log;
mod ws;

pub use concurrency_limit::ConcurrencyLimits;
pub use connection_limits::ConnectionLimits;
pub use ops::{OpsState, ops_router};
pub use origin::AllowedHosts;
pub use persisted_queries::{ManifestError, PersistedQueries};
pub use serve::{ServerConfig, serve};
pub use state::{HttpLimits, HttpState};

use std::sync::Arc;

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderValue, header},
    middleware::{Next, from_fn_with_state, map_request},
    response::Response,
    routing::get,
};
use tower_http::compression::{
    CompressionLayer,
    predicate::{NotForContentType, Predicate, SizeAbove},
};

use crate::auth::Authenticator;

/// Returns the router of the API and its pages.
pub fn router(state: HttpState) -> Router {
    let state = Arc::new(state);
    let limit = DefaultBodyLimit::max(state.limits.max_body_bytes);
    let refresh_unknown_key = from_fn_with_state(Arc::clone(&state.auth), refresh_unknown_key);
    let graphql_route =
        get(graphql::get).post(graphql::post).fallback(graphql::method_not_allowed).layer(refresh_unknown_key);
    let router = Router::new()
        .route("/graphql", graphql_route)
        .route("/", get(pages::explorer))
        .route("/assets/{name}", get(pages::asset))
        .route("/graphql/schema", get(pages::schema))
        .layer(limit)
        .layer(compression())
        .layer(map_request(content_negotiation::drop_zstd));
    let router = router
        .layer(from_fn_with_state(Arc::clone(&state), connection_limits::limit_forwarded_connections))
        .layer(from_fn_with_state(Arc::clone(&state), origin::require_allowed_host));
    security_headers::apply(origin::with_cors(router, &state.allowed_origins)).with_state(state)
}

/// Responses smaller than this, in bytes, are not compressed.
const MIN_COMPRESSED_BYTES: u16 = 1024;

/// Compresses responses as the client accepts. Streams are not compressed, so that each part leaves at once.
fn compression() -> CompressionLayer<impl Predicate> {
    let streams = NotForContentType::SSE;
    let parts = NotForContentType::const_new("multipart/mixed");
    CompressionLayer::new().compress_when(SizeAbove::new(MIN_COMPRESSED_BYTES).and(streams).and(parts))
}

/// Middleware: when the token names an unknown key, waits briefly for a refresh of the keys.
async fn refresh_unknown_key(State(auth): State<Arc<Authenticator>>, request: Request, next: Next) -> Response {
    let authorization = request.headers().get(header::AUTHORIZATION).map(HeaderValue::to_str);
    if auth.names_unknown_key(authorization.and_then(Result::ok)) {
        auth.refresh_unknown_key().await;
    }
    next.run(request).await
}
