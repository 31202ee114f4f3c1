//! Caching headers for public responses. A shared cache in front can serve most reads of an audience.

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::TimeDelta;
use sha2::{Digest, Sha256};

/// How long caches may keep the response of an anonymous query: after that, a comment that a moderator hides is
/// gone from every cache.
pub(in crate::http) const SHORT_LIFETIME: TimeDelta = TimeDelta::seconds(2);

/// Request headers that select the response of a query. Sent with 200 and with 304, because caches key on them.
const VARY_OF_QUERIES: HeaderValue =
    HeaderValue::from_static("Accept, Accept-Encoding, Accept-Language, Authorization");

/// A response body with its ETag.
#[derive(Clone, Debug)]
pub(in crate::http) struct TaggedBody {
    bytes: Bytes,
    etag: String,
}

impl TaggedBody {
    pub(in crate::http) fn new(bytes: Bytes) -> Self {
        let etag = format!("W/\"{}\"", URL_SAFE_NO_PAD.encode(Sha256::digest(&bytes)));
        Self { bytes, etag }
    }

    /// Returns the body.
    pub(in crate::http) fn bytes(&self) -> Bytes {
        self.bytes.clone()
    }

    /// Returns the size of the body, in bytes.
    pub(in crate::http) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Creates the body of a file that never changes, from its bytes and their SHA-256 in hexadecimal digits.
    pub(in crate::http) fn of_digest(bytes: Bytes, sha256: &str) -> Self {
        Self { bytes, etag: format!("\"{sha256}\"") }
    }

    /// Lets caches keep the body for good. Answers 304 if the client has it.
    pub(in crate::http) fn immutable(&self, content_type: &'static str, request_headers: &HeaderMap) -> Response {
        let cache_control = HeaderValue::from_static("public, max-age=31536000, immutable");
        self.respond(cache_control, HeaderValue::from_static("Accept-Encoding"), content_type, request_headers)
    }

    /// Lets caches keep the body for the rest of [`SHORT_LIFETIME`] at this age. Answers 304 if the client has it.
    pub(in crate::http) fn short_lived(
        &self,
        age: TimeDelta,
        content_type: &'static str,
        request_headers: &HeaderMap,
    ) -> Response {
        let cache_control = match (SHORT_LIFETIME - age).num_seconds() {
            2.. => "public, max-age=2",
            1 => "public, max-age=1",
            _ => "public, max-age=0",
        };
        self.respond(HeaderValue::from_static(cache_control), VARY_OF_QUERIES, content_type, request_headers)
    }

    /// Lets caches keep the body for five minutes: it changes only with a release. Answers 304 if the client has it.
    pub(in crate::http) fn until_release(&self, content_type: &'static str, request_headers: &HeaderMap) -> Response {
        let cache_control = HeaderValue::from_static("public, max-age=300");
        self.respond(cache_control, HeaderValue::from_static("Accept-Encoding"), content_type, request_headers)
    }

    fn respond(
        &self,
        cache_control: HeaderValue,
        vary: HeaderValue,
        content_type: &'static str,
        request_headers: &HeaderMap,
    ) -> Response {
        let is_known = is_cached(request_headers, &self.etag);
        let mut response = match is_known {
            true => (StatusCode::NOT_MODIFIED, Body::empty()).into_response(),
            false => Body::from(self.bytes.clone()).into_response(),
        };
        let headers = response.headers_mut();
        if !is_known {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        headers.insert(header::CACHE_CONTROL, cache_control);
        headers.insert(header::VARY, vary);
        if let Ok(etag) = HeaderValue::from_str(&self.etag) {
            headers.insert(header::ETAG, etag);
        }
        response
    }
}

/// Returns whether `If-None-Match` contains the tag, by the weak comparison of RFC 9110.
fn is_cached(request_headers: &HeaderMap, tag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let mut known = request_headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    known.any(|tags| tags.split(',').any(|known| known.trim() == "*" || opaque(known) == opaque(tag)))
}
