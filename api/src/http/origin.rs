//! Which web pages may come in, and under which host names the service answers.

use std::{net::IpAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde_json::json;
use tower_http::cors::CorsLayer;

use crate::{
    http::{
        Door,
        graphql::language,
        lines::{self, Refused},
    },
    text,
};

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

/// The host names under which the service is reached. A page can bring its own name to any address (DNS rebinding) and is then, to its
/// browser, of the same origin; its requests still carry that name.
#[derive(Clone, Debug, Default)]
pub struct Hosts(Option<Arc<[String]>>);

impl Hosts {
    /// Serves these names only; `None` is any.
    #[must_use]
    pub fn new(names: Option<&[String]>) -> Self {
        Self(names.map(Into::into))
    }

    /// Whether the service is reached as a host, given with or without its port. Addresses, `localhost` and names without a dot always
    /// are: no page of a public name has one of them as its own.
    fn serve(&self, host: &str) -> bool {
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

/// Turns away requests for a host that is not served here.
pub(in crate::http) async fn require_host(State(door): State<Door>, request: Request, next: Next) -> Response {
    let began = door.clock.now();
    let told = request.headers().get_all(header::HOST).iter().map(|value| value.to_str().unwrap_or("?."));
    if told.chain(request.uri().host()).all(|host| door.hosts.serve(host)) {
        return next.run(request).await;
    }
    let message = text::message(language(request.headers()), "request-host", &[]);
    let body = json!({ "errors": [{ "message": message, "extensions": { "code": "FORBIDDEN" } }] }).to_string();
    let kind = [(header::CONTENT_TYPE, "application/json; charset=utf-8")];
    let mut response = (StatusCode::MISDIRECTED_REQUEST, kind, body).into_response();
    response.extensions_mut().insert(Refused { code: "FORBIDDEN", viewer: None });
    lines::tell_refused(&response, &door, lines::door_of(&request), began);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serves_addresses_local_names_and_what_is_listed() {
        let listed = Hosts::new(Some(&["meetings.example".to_owned()]));
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
            assert!(listed.serve(host), "{host}");
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
            assert!(!listed.serve(host), "{host}");
            assert!(Hosts::new(None).serve(host), "{host}");
        }
    }
}
