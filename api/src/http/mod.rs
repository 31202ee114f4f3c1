//! The doors: HTTP, server-sent events and WebSocket at one path, the operator's listener, and the pages.

mod address;
mod cache;
mod documents;
mod door;
mod following;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod graphql;
mod negotiate;
mod ops;
mod origin;
mod pages;
mod request;
mod serve;
mod streams;
mod ws;

pub use documents::{BadManifest, Documents};
pub use door::{Door, Limits};
pub use ops::{Ops, ops_router};
pub use serve::serve;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{HeaderName, HeaderValue, header},
    middleware::map_request,
    routing::get,
};
use tower_http::{
    compression::{
        CompressionLayer,
        predicate::{NotForContentType, Predicate, SizeAbove},
    },
    cors::CorsLayer,
    set_header::SetResponseHeaderLayer,
};

/// The API with its pages.
pub fn router(door: Door) -> Router {
    let limit = DefaultBodyLimit::max(door.limits.max_body_bytes);
    let cors = cors(&door.allowed_origins);
    let safe = |name: HeaderName, value| SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value));
    Router::new()
        .route("/graphql", get(graphql::get).post(graphql::post).fallback(graphql::other))
        .route("/", get(pages::explorer))
        .route("/assets/{name}", get(pages::asset))
        .route("/graphql/schema", get(pages::schema))
        .layer(limit)
        .layer(compression())
        .layer(map_request(negotiate::sure_encodings))
        .layer(cors)
        .layer(safe(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(safe(header::REFERRER_POLICY, "no-referrer"))
        .layer(safe(header::X_FRAME_OPTIONS, "DENY"))
        .layer(safe(header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"))
        .with_state(door)
}

/// Smaller answers than this gain nothing.
const WORTH_COMPRESSING: u16 = 1024;

/// Answers are compressed as the client wishes; streams are not, whose parts must leave at once.
fn compression() -> CompressionLayer<impl Predicate> {
    let streams = NotForContentType::SSE;
    let parts = NotForContentType::const_new("multipart/mixed");
    CompressionLayer::new().compress_when(SizeAbove::new(WORTH_COMPRESSING).and(streams).and(parts))
}

fn cors(origins: &[String]) -> CorsLayer {
    let origins: Vec<HeaderValue> = origins.iter().filter_map(|origin| origin.parse().ok()).collect();
    if origins.is_empty() {
        return CorsLayer::new();
    }
    CorsLayer::new().allow_origin(origins).allow_methods([http::Method::GET, http::Method::POST]).allow_headers([
        header::CONTENT_TYPE,
        header::AUTHORIZATION,
        header::ACCEPT,
        header::ACCEPT_LANGUAGE,
        HeaderName::from_static("last-event-id"),
    ])
}
