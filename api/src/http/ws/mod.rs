//! The WebSocket door, `graphql-transport-ws`: our own, because the library's lets in too much (docs/decisions).

mod alarm;
mod close;
mod farewell;
mod gate;
mod message_rate_limit;
mod running;
mod session;
mod slots;
mod wire;

#[cfg(any(test, fuzzing))]
pub(in crate::http) use {
    close::Close,
    gate::{Gate, Refusal, Word},
    wire::Batch,
};

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, Request, StatusCode, header},
    response::{IntoResponse, Response},
};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        handshake::derive_accept_key,
        protocol::{Role, WebSocketConfig},
    },
};

use crate::{
    http::{Door, address, graphql::language, lines::Refused, link::Link, origin},
    text,
};

/// The subprotocol that is spoken here, and no other.
const PROTOCOL: &str = "graphql-transport-ws";
/// A small buffer: the library's own costs over a hundred kilobytes a connection. Larger messages are read in parts.
const BUFFER: usize = 2 << 10;
/// How much the library may queue of its own. It queues no more than a pong and a Close, since each is flushed before the next read.
const MOST_QUEUED: usize = 1 << 10;

/// Whether a request wants to become a WebSocket.
pub(in crate::http) fn is_upgrade(headers: &HeaderMap) -> bool {
    names(headers, header::UPGRADE, "websocket")
}

fn names(headers: &HeaderMap, name: header::HeaderName, wished: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|part| part.trim().eq_ignore_ascii_case(wished))
}

/// Turns a request into a socket, once everything about it holds.
pub(in crate::http) fn upgrade(door: Door, mut request: Request<Body>) -> Response {
    let headers = request.headers();
    let language = language(headers);
    let shut = |status, code, message| {
        let mut response = (status, format!("{}\n", text::message(language, message, &[]))).into_response();
        response.extensions_mut().insert(Refused { code, viewer: None });
        response
    };
    if !origin::is_allowed(headers, &door.allowed_origins) {
        return shut(StatusCode::FORBIDDEN, "FORBIDDEN", "request-origin");
    }
    if door.life.is_draining() {
        return shut(StatusCode::SERVICE_UNAVAILABLE, "INTERNAL", "error-draining");
    }
    let version = headers.get(header::SEC_WEBSOCKET_VERSION).is_some_and(|version| version == "13");
    if !version || !names(headers, header::CONNECTION, "upgrade") {
        let mut response = shut(StatusCode::UPGRADE_REQUIRED, "BAD_USER_INPUT", "socket-version");
        response.headers_mut().insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        return response;
    }
    if !names(headers, header::SEC_WEBSOCKET_PROTOCOL, PROTOCOL) {
        return shut(StatusCode::BAD_REQUEST, "BAD_USER_INPUT", "socket-protocol");
    }
    let Some(key) = headers.get(header::SEC_WEBSOCKET_KEY) else {
        return shut(StatusCode::BAD_REQUEST, "BAD_USER_INPUT", "socket-key");
    };
    let accept = derive_accept_key(key.as_bytes());
    let authorization = headers.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap_or("?").to_owned());
    let address = address::of(request.extensions(), headers, &door.trusted_proxies).address;
    let limits = &door.limits;
    let is_gateway = address::is_through(request.extensions(), headers, &door.trusted_proxies, &door.gateways);
    let operations = if is_gateway { limits.gateway_operations } else { limits.socket_operations };
    let guest = session::Guest { authorization, language, address, operations };
    let link: Link = request.extensions().get().cloned().unwrap_or_default();
    let upgraded = hyper::upgrade::on(&mut request);
    let life = door.life.clone();
    life.track(async move {
        let Ok(connection) = upgraded.await else { return };
        link.upgrade();
        let config = WebSocketConfig::default()
            .read_buffer_size(BUFFER)
            .write_buffer_size(0)
            .max_write_buffer_size(MOST_QUEUED)
            .max_message_size(Some(door.limits.max_message_bytes))
            .max_frame_size(Some(door.limits.max_message_bytes));
        let socket = WebSocketStream::from_raw_socket(TokioIo::new(connection), Role::Server, Some(config)).await;
        session::run(door, socket, guest).await;
    });
    let mut response = StatusCode::SWITCHING_PROTOCOLS.into_response();
    let answer = response.headers_mut();
    answer.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    answer.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    answer.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(PROTOCOL));
    if let Ok(accept) = accept.parse() {
        answer.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    }
    response
}
