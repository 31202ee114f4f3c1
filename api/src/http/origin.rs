//! Which web pages may come in.

use axum::http::{HeaderMap, header};

/// Whether a request comes from no web page, from one of ours, or from one that is allowed.
pub(in crate::http) fn is_allowed(headers: &HeaderMap, allowed: &[String]) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let Ok(origin) = origin.to_str() else { return false };
    let own = headers.get(header::HOST).and_then(|host| host.to_str().ok()).is_some_and(|host| {
        origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://")).is_some_and(|from| from == host)
    });
    own || allowed.iter().any(|one| one == origin)
}
