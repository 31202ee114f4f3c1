//! Caching headers for public responses. A shared cache in front can serve most reads of an audience.

use axum::{
    body::{Body, to_bytes},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

/// How long a response may be cached, and which headers select it. The same for 200 and 304, because caches
/// key on `Vary`.
struct CachePolicy {
    cache_control: HeaderValue,
    vary: HeaderValue,
}

/// Two seconds: after that, a comment that a moderator hides is gone from every cache.
const SHORT_LIVED: CachePolicy = CachePolicy {
    cache_control: HeaderValue::from_static("public, max-age=2"),
    vary: HeaderValue::from_static("Accept, Accept-Encoding, Accept-Language, Authorization"),
};

/// For content that changes only with a release.
const UNTIL_RELEASE: CachePolicy = CachePolicy {
    cache_control: HeaderValue::from_static("public, max-age=300"),
    vary: HeaderValue::from_static("Accept-Encoding"),
};

/// Lets shared caches keep the response for two seconds. Answers 304 if the client has it.
pub(in crate::http) async fn short_lived(response: Response, request_headers: &HeaderMap) -> Response {
    apply(response, request_headers, SHORT_LIVED).await
}

/// Lets shared caches keep the response for five minutes. Answers 304 if the client has it.
pub(in crate::http) async fn until_release(response: Response, request_headers: &HeaderMap) -> Response {
    apply(response, request_headers, UNTIL_RELEASE).await
}

async fn apply(
    response: Response,
    request_headers: &HeaderMap,
    CachePolicy { cache_control, vary }: CachePolicy,
) -> Response {
    let (mut parts, body) = response.into_parts();
    // The body was built from bytes, so its size is already bounded.
    let Ok(bytes) = to_bytes(body, usize::MAX).await else { return Response::from_parts(parts, Body::empty()) };
    let etag = format!("W/\"{}\"", URL_SAFE_NO_PAD.encode(Sha256::digest(&bytes)));
    parts.headers.insert(header::CACHE_CONTROL, cache_control);
    parts.headers.insert(header::VARY, vary);
    if let Ok(value) = HeaderValue::from_str(&etag) {
        parts.headers.insert(header::ETAG, value);
    }
    if is_cached(request_headers, &etag) {
        parts.status = StatusCode::NOT_MODIFIED;
        parts.headers.remove(header::CONTENT_TYPE);
        return Response::from_parts(parts, Body::empty());
    }
    Response::from_parts(parts, bytes.into())
}

/// Returns whether `If-None-Match` contains the tag, by the weak comparison of RFC 9110.
fn is_cached(request_headers: &HeaderMap, tag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let mut known = request_headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    known.any(|tags| tags.split(',').any(|known| known.trim() == "*" || opaque(known) == opaque(tag)))
}
