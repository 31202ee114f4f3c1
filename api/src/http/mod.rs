//! HTTP layer: GraphQL over HTTP, server-sent events and WebSocket on one path, static pages, and the
//! operations listener.

mod access_log;
mod apq_cache;
mod bad_request;
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
mod headers;
mod http_stream;
mod middleware;
mod ops;
mod origin;
mod page_cache;
mod page_response;
mod pages;
mod persisted_queries;
mod protocol;
mod publications;
mod rejected_request;
mod request;
mod response_cache;
mod security_headers;
mod serve;
mod state;
mod subscription_log;
mod ws;

pub use concurrency_limit::ConcurrencyLimits;
pub use connection_limits::ConnectionLimits;
pub use ops::{OpsState, ops_router};
pub use origin::AllowedHosts;
pub use page_cache::PageCache;
pub use persisted_queries::{ManifestError, PersistedQueries};
pub use publications::EditionCache;
pub use response_cache::ResponseCache;
pub use serve::{ServerConfig, serve};
pub use state::{HttpLimits, HttpState, PublishedPages};

use std::sync::Arc;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware::{from_fn_with_state, map_request},
    routing::get,
};
use tower_http::compression::{
    CompressionLayer,
    predicate::{NotForContentType, Predicate, SizeAbove},
};

use crate::{domain, publications::protocol::SCHEMA_PATH};

/// Returns the router of the API and its pages.
pub fn router(state: HttpState) -> Router {
    let state = Arc::new(state);
    let limit = DefaultBodyLimit::max(state.limits.max_body_bytes);
    let refresh_unknown_key = from_fn_with_state(Arc::clone(&state.auth), middleware::refresh_unknown_key);
    let graphql_route =
        get(graphql::get).post(graphql::post).fallback(graphql::method_not_allowed).layer(refresh_unknown_key.clone());
    let protocol_routes = Router::new()
        .route("/meetings/{id}/protocol", get(protocol::page))
        .route("/meetings/{id}/protocol.csv", get(protocol::csv))
        .route("/meetings/{id}/protocol.json", get(protocol::json))
        .layer(refresh_unknown_key);
    let router = Router::new()
        .route("/graphql", graphql_route)
        .merge(protocol_routes)
        .route(SCHEMA_PATH, get(protocol::schema))
        .route("/publications/{name}", get(publications::edition))
        .route("/feeds/units/{name}", get(publications::unit_feed))
        .route("/feeds/agencies/{name}", get(publications::agency_feed))
        .route(domain::publications::SCHEMA_PATH, get(publications::schema))
        .route("/", get(pages::explorer))
        .route("/assets/{name}", get(pages::asset))
        .route("/graphql/schema", get(pages::schema))
        .layer(limit)
        .layer(compression())
        .layer(map_request(content_negotiation::drop_zstd));
    let router = router
        .layer(from_fn_with_state(Arc::clone(&state), middleware::limit_forwarded_connections))
        .layer(from_fn_with_state(Arc::clone(&state), middleware::require_allowed_host));
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
