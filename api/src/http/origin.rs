//! Which web pages may come in.

use std::time::Duration;

use axum::{
    Router,
    http::{HeaderMap, HeaderName, HeaderValue, Method, header},
};
use tower_http::cors::CorsLayer;

/// How long a browser may remember what a page of another origin may do: as long as any browser does.
const REMEMBERED: Duration = Duration::from_secs(2 * 60 * 60);

/// What a page of another origin may send beside what every page may.
const SENT: [HeaderName; 11] = [
    header::ACCEPT,
    header::ACCEPT_LANGUAGE,
    header::AUTHORIZATION,
    header::CONTENT_TYPE,
    header::IF_NONE_MATCH,
    HeaderName::from_static("last-event-id"),
    // What clients add by themselves: to say that they are no form of a page, and which app they are.
    HeaderName::from_static("apollo-require-preflight"),
    HeaderName::from_static("apollographql-client-name"),
    HeaderName::from_static("apollographql-client-version"),
    HeaderName::from_static("x-apollo-operation-id"),
    HeaderName::from_static("x-apollo-operation-name"),
];

/// Lets pages of allowed origins read answers. Where none is allowed, browsers are told nothing at all.
pub(in crate::http) fn shared<S: Clone + Send + Sync + 'static>(router: Router<S>, allowed: &[String]) -> Router<S> {
    let origins: Vec<HeaderValue> = allowed.iter().filter_map(|origin| origin.parse().ok()).collect();
    if origins.is_empty() {
        return router;
    }
    let layer = CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers(SENT)
        .expose_headers([header::ETAG])
        .max_age(REMEMBERED)
        .vary([header::ORIGIN]);
    router.layer(layer)
}

/// Whether a request comes from no web page, from one of ours, or from one that is allowed.
pub(in crate::http) fn is_allowed(headers: &HeaderMap, allowed: &[String]) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let Ok(origin) = origin.to_str() else { return false };
    let own = headers.get(header::HOST).and_then(|host| host.to_str().ok()).is_some_and(|host| {
        origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://")).is_some_and(|from| from == host)
    });
    own || allowed.iter().any(|one| one == origin)
}
