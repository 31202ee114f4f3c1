//! Middleware: allowed hosts, limits of forwarded connections, and the refresh of signing keys.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde_json::json;

use crate::{
    auth::Authenticator,
    http::{
        HttpState, access_log, client_ip, connection::ConnectionState, headers::language,
        rejected_request::RejectedRequest,
    },
    text,
};

/// Middleware: rejects requests for a host that is not served.
pub(in crate::http) async fn require_allowed_host(
    State(state): State<Arc<HttpState>>,
    request: Request,
    next: Next,
) -> Response {
    let started = state.clock.now();
    let host_headers = request.headers().get_all(header::HOST).iter().map(|value| value.to_str().unwrap_or("?."));
    if host_headers.chain(request.uri().host()).all(|host| state.allowed_hosts.allows(host)) {
        return next.run(request).await;
    }
    let message = text::message(language(request.headers()), "request-host", &[]);
    let body = json!({ "errors": [{ "message": message, "extensions": { "code": "FORBIDDEN" } }] }).to_string();
    let content_type = [(header::CONTENT_TYPE, "application/json; charset=utf-8")];
    let mut response = (StatusCode::MISDIRECTED_REQUEST, content_type, body).into_response();
    response.extensions_mut().insert(RejectedRequest { code: "FORBIDDEN", viewer: None });
    access_log::log_rejection(&response, &state, access_log::transport_of(&request), started);
    response
}

/// Middleware: finds the client's address, and limits what a trusted proxy forwards for it. The permit is held until
/// the response ends, and for a socket or stream until it closes.
pub(in crate::http) async fn limit_forwarded_connections(
    State(state): State<Arc<HttpState>>,
    mut request: Request,
    next: Next,
) -> Response {
    let (started, connections) = (state.clock.now(), &state.connections);
    let client = client_ip::of(request.extensions(), request.headers(), &connections.trusted_proxies);
    request.extensions_mut().insert(client);
    let forwarded = client.address.filter(|address| client.through_proxy && !connections.is_trusted(*address));
    if let Some(address) = forwarded {
        let permit = match connections.acquire_for_address(address) {
            Ok(permit) => permit,
            Err(limit) => {
                let response = limit.response(language(request.headers()));
                access_log::log_rejection(&response, &state, access_log::transport_of(&request), started);
                return response;
            }
        };
        let connection: ConnectionState = request.extensions().get().cloned().unwrap_or_default();
        request.extensions_mut().insert(connection.with_permit(permit));
    }
    next.run(request).await
}

/// Middleware: when the token names an unknown key, waits briefly for a refresh of the keys.
pub(in crate::http) async fn refresh_unknown_key(
    State(auth): State<Arc<Authenticator>>,
    request: Request,
    next: Next,
) -> Response {
    let authorization = request.headers().get(header::AUTHORIZATION).map(HeaderValue::to_str);
    if auth.names_unknown_key(authorization.and_then(Result::ok)) {
        auth.refresh_unknown_key().await;
    }
    next.run(request).await
}
