//! Origin and host checks: CORS, and protection against DNS rebinding.

use std::{net::IpAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    http::{HeaderMap, HeaderName, HeaderValue, Method, header},
};
use tower_http::cors::CorsLayer;

/// How long browsers may cache a preflight response. Two hours, the most that any browser accepts.
const PREFLIGHT_MAX_AGE: Duration = Duration::from_secs(2 * 60 * 60);

/// Request headers allowed across origins, besides the safelisted ones.
const ALLOWED_HEADERS: [HeaderName; 12] = [
    header::ACCEPT,
    header::ACCEPT_LANGUAGE,
    header::AUTHORIZATION,
    header::CACHE_CONTROL,
    header::CONTENT_TYPE,
    header::IF_NONE_MATCH,
    HeaderName::from_static("last-event-id"),
    // Apollo clients send these by themselves, for CSRF protection and to identify the app.
    HeaderName::from_static("apollo-require-preflight"),
    HeaderName::from_static("apollographql-client-name"),
    HeaderName::from_static("apollographql-client-version"),
    HeaderName::from_static("x-apollo-operation-id"),
    HeaderName::from_static("x-apollo-operation-name"),
];

/// Adds CORS for the allowed origins. Without any, no CORS headers are sent.
pub(in crate::http) fn with_cors<S: Clone + Send + Sync + 'static>(router: Router<S>, allowed: &[String]) -> Router<S> {
    let origins: Vec<HeaderValue> = allowed.iter().filter_map(|origin| origin.parse().ok()).collect();
    if origins.is_empty() {
        return router;
    }
    let layer = CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers(ALLOWED_HEADERS)
        .expose_headers([header::ETAG])
        .max_age(PREFLIGHT_MAX_AGE)
        .vary([header::ORIGIN]);
    router.layer(layer)
}

/// Returns whether the request has no `Origin`, our own, or an allowed one.
pub(in crate::http) fn is_allowed(headers: &HeaderMap, allowed: &[String]) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let Ok(origin) = origin.to_str() else { return false };
    let own = headers.get(header::HOST).and_then(|host| host.to_str().ok()).is_some_and(|host| {
        origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://")).is_some_and(|from| from == host)
    });
    own || allowed.iter().any(|allowed| allowed == origin)
}

/// The host names that are served. With DNS rebinding, a page makes its own name resolve to our address and
/// becomes same-origin to the browser; its requests still carry that name.
#[derive(Clone, Debug, Default)]
pub struct AllowedHosts(Option<Arc<[String]>>);

impl AllowedHosts {
    /// Allows these names only; `None` allows any.
    #[must_use]
    pub fn new(names: Option<&[String]>) -> Self {
        Self(names.map(Into::into))
    }

    /// Returns whether the host, with or without a port, is allowed. Addresses, `localhost` and names without
    /// a dot always are, because no public page can have one as its host.
    pub(in crate::http) fn allows(&self, host: &str) -> bool {
        let Some(names) = &self.0 else { return true };
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.is_empty() => name,
            _ => host,
        };
        let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
        let name = name.to_ascii_lowercase();
        bare.parse::<IpAddr>().is_ok()
            || !name.contains('.')
            || name.ends_with(".localhost")
            || names.contains(&name.trim_end_matches('.').to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allows_addresses_local_names_and_listed_hosts() {
        let allowed = AllowedHosts::new(Some(&["meetings.example".to_owned()]));
        for host in [
            "127.0.0.1:8080",
            "127.0.0.1",
            "192.168.1.7:8080",
            "[::1]:8080",
            "[::1]",
            "localhost:8080",
            "LOCALHOST",
            "kezdesu.localhost:8080",
            "api-1:8080",
            "balancer",
            "meetings.example",
            "Meetings.Example:443",
            "meetings.example.",
        ] {
            assert!(allowed.allows(host), "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:8080",
            "127.0.0.1.evil.example",
            "127.0.0.1.evil.example:8080",
            "meetings.example.evil.example",
            "evil-meetings.example",
            "localhost.evil.example",
            "evil.example.",
            "127.0.0.1:80.evil.example",
            "[evil.example]",
            "?.",
        ] {
            assert!(!allowed.allows(host), "{host}");
            assert!(AllowedHosts::new(None).allows(host), "{host}");
        }
    }
}
