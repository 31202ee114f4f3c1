//! Answers that anybody may keep: a proxy between carries most of the reading of a crowd.

use axum::{
    body::{Body, to_bytes},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

/// For how long an answer may be kept, and what else than its address chooses it. That is the same whether it is sent whole or
/// not: what stands between keeps it by that.
struct Kept {
    control: HeaderValue,
    vary: HeaderValue,
}

/// What is hidden by a moderator is gone from every cache after this.
const SHORTLY: Kept = Kept {
    control: HeaderValue::from_static("public, max-age=2"),
    vary: HeaderValue::from_static("Accept, Accept-Encoding, Accept-Language, Authorization"),
};

/// What only a release changes.
const RELEASED: Kept = Kept {
    control: HeaderValue::from_static("public, max-age=300"),
    vary: HeaderValue::from_static("Accept-Encoding"),
};

/// Lets an answer be kept for two seconds, and gives only its tag to whoever has it already.
pub(in crate::http) async fn publicly(response: Response, asked: &HeaderMap) -> Response {
    kept(response, asked, SHORTLY).await
}

/// Lets a part of this release be kept for minutes, and gives only its tag to whoever has it already.
pub(in crate::http) async fn until_released(response: Response, asked: &HeaderMap) -> Response {
    kept(response, asked, RELEASED).await
}

async fn kept(response: Response, asked: &HeaderMap, Kept { control, vary }: Kept) -> Response {
    let (mut head, body) = response.into_parts();
    // It was made from bytes, and is as long as they are.
    let Ok(bytes) = to_bytes(body, usize::MAX).await else { return Response::from_parts(head, Body::empty()) };
    let tag = format!("W/\"{}\"", URL_SAFE_NO_PAD.encode(Sha256::digest(&bytes)));
    head.headers.insert(header::CACHE_CONTROL, control);
    head.headers.insert(header::VARY, vary);
    if let Ok(value) = HeaderValue::from_str(&tag) {
        head.headers.insert(header::ETAG, value);
    }
    if knows(asked, &tag) {
        head.status = StatusCode::NOT_MODIFIED;
        head.headers.remove(header::CONTENT_TYPE);
        return Response::from_parts(head, Body::empty());
    }
    Response::from_parts(head, bytes.into())
}

/// Whether the asker has the answer with this tag, by the weak comparison of RFC 9110.
fn knows(asked: &HeaderMap, tag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let mut known = asked.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    known.any(|tags| tags.split(',').any(|known| known.trim() == "*" || opaque(known) == opaque(tag)))
}
