//! The doors: HTTP, server-sent events and WebSocket at one path, the operator's listener, and the pages.

mod address;
mod answering;
mod apq_cache;
mod cache;
mod concurrency_limit;
mod connections;
mod documents;
mod door;
mod encoding;
mod following;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod graphql;
mod headers;
mod lines;
mod link;
mod negotiate;
mod ops;
mod origin;
mod pages;
mod request;
mod serve;
mod streams;
mod ws;

pub use concurrency_limit::ConcurrencyLimits;
pub use connections::Connections;
pub use documents::{BadManifest, Documents};
pub use door::{Door, Limits};
pub use ops::{Ops, ops_router};
pub use origin::Hosts;
pub use serve::{Terms, serve};

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

/// The API with its pages.
pub fn router(door: Door) -> Router {
    let limit = DefaultBodyLimit::max(door.limits.max_body_bytes);
    let with_key = from_fn_with_state(Arc::clone(&door.auth), with_key);
    let doors = get(graphql::get).post(graphql::post).fallback(graphql::other).layer(with_key);
    let router = Router::new()
        .route("/graphql", doors)
        .route("/", get(pages::explorer))
        .route("/assets/{name}", get(pages::asset))
        .route("/graphql/schema", get(pages::schema))
        .layer(limit)
        .layer(compression())
        .layer(map_request(negotiate::sure_encodings));
    let router = router
        .layer(from_fn_with_state(door.clone(), connections::count_forwarded))
        .layer(from_fn_with_state(door.clone(), origin::require_host));
    headers::guarded(origin::shared(router, &door.allowed_origins)).with_state(door)
}

/// Smaller answers than this gain nothing.
const WORTH_COMPRESSING: u16 = 1024;

/// Answers are compressed as the client wishes; streams are not, whose parts must leave at once.
fn compression() -> CompressionLayer<impl Predicate> {
    let streams = NotForContentType::SSE;
    let parts = NotForContentType::const_new("multipart/mixed");
    CompressionLayer::new().compress_when(SizeAbove::new(WORTH_COMPRESSING).and(streams).and(parts))
}

/// Lets a request whose token names a key that is not known yet wait a moment for it.
async fn with_key(State(auth): State<Arc<Authenticator>>, request: Request, next: Next) -> Response {
    let authorization = request.headers().get(header::AUTHORIZATION).map(HeaderValue::to_str);
    if auth.lacks_key_of(authorization.and_then(Result::ok)) {
        auth.look_for_key().await;
    }
    next.run(request).await
}
