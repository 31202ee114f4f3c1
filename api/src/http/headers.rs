//! Reads headers of requests.

use axum::http::{HeaderMap, header};
use entities::enums::Language;

use crate::text;

/// Returns the header as UTF-8, or `"?"` if it is not, so that later checks reject it.
pub(in crate::http) fn header_text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name).map(|value| value.to_str().unwrap_or("?"))
}

/// Returns the language negotiated from `Accept-Language`.
pub(in crate::http) fn language(headers: &HeaderMap) -> Language {
    text::negotiate(header_text(headers, header::ACCEPT_LANGUAGE))
}

/// Returns whether the request asks for a WebSocket upgrade.
pub(in crate::http) fn is_upgrade(headers: &HeaderMap) -> bool {
    has_token(headers, header::UPGRADE, "websocket")
}

/// Returns whether a header lists a token, in any case.
pub(in crate::http) fn has_token(headers: &HeaderMap, name: header::HeaderName, token: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|part| part.trim().eq_ignore_ascii_case(token))
}
