//! GraphQL over WebSocket (`graphql-transport-ws`). We do not use async-graphql's implementation because it
//! accepts too much (see `docs/decisions`).

mod close;
mod closing;
mod connection_writer;
mod frames;
mod lazy_timer;
mod message_rate_limit;
mod operations;
mod protocol;
mod session;
mod slots;

#[cfg(any(test, fuzzing))]
pub(in crate::http) use {
    close::CloseReason,
    frames::FrameBuffer,
    protocol::{ClientMessage, ProtocolState, SubscribeError},
};

use std::sync::Arc;

use axum::{
    body::Body,
    http::{HeaderValue, Request, StatusCode, header},
    response::{IntoResponse, Response},
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        handshake::derive_accept_key,
        protocol::{Role, WebSocketConfig},
    },
};

use crate::{
    http::{
        HttpState,
        client_ip::{self, ClientIp},
        connection::{ConnectionState, WriteTimeout},
        headers::{has_token, language},
        origin,
        rejected_request::RejectedRequest,
        ws::connection_writer::SharedConnection,
    },
    text,
};

/// The only supported subprotocol.
const SUBPROTOCOL: &str = "graphql-transport-ws";
/// Read buffer size. tungstenite's default costs over 100 KB a connection; larger messages are read in parts. After
/// its subscription a client sends only pongs.
const READ_BUFFER: usize = 512;
/// Limit of tungstenite's own write queue. It holds at most a pong and a Close, because we flush before each
/// read.
const MAX_WRITE_BUFFER: usize = 1 << 10;

/// Validates the upgrade request and starts the session.
pub(in crate::http) fn upgrade(state: Arc<HttpState>, mut request: Request<Body>) -> Response {
    let headers = request.headers();
    let language = language(headers);
    let reject = |status, code, message| {
        let mut response = (status, format!("{}\n", text::message(language, message, &[]))).into_response();
        response.extensions_mut().insert(RejectedRequest { code, viewer: None });
        response
    };
    if !origin::is_allowed(headers, &state.allowed_origins) {
        return reject(StatusCode::FORBIDDEN, "FORBIDDEN", "request-origin");
    }
    if state.lifecycle.is_draining() {
        return reject(StatusCode::SERVICE_UNAVAILABLE, "INTERNAL", "error-draining");
    }
    let version = headers.get(header::SEC_WEBSOCKET_VERSION).is_some_and(|version| version == "13");
    if !version || !has_token(headers, header::CONNECTION, "upgrade") {
        let mut response = reject(StatusCode::UPGRADE_REQUIRED, "BAD_USER_INPUT", "socket-version");
        response.headers_mut().insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        return response;
    }
    if !has_token(headers, header::SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL) {
        return reject(StatusCode::BAD_REQUEST, "BAD_USER_INPUT", "socket-protocol");
    }
    let Some(key) = headers.get(header::SEC_WEBSOCKET_KEY) else {
        return reject(StatusCode::BAD_REQUEST, "BAD_USER_INPUT", "socket-key");
    };
    let accept = derive_accept_key(key.as_bytes());
    let authorization = headers.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap_or("?").to_owned());
    let client: ClientIp = request.extensions().get().copied().unwrap_or_default();
    let limits = &state.limits;
    let is_gateway = client_ip::passes_through(request.extensions(), headers, &state.trusted_proxies, &state.gateways);
    let operations = if is_gateway { limits.gateway_operations } else { limits.socket_operations };
    let handshake = session::Handshake { authorization, language, address: client.address, operations };
    let connection: ConnectionState = request.extensions().get().cloned().unwrap_or_default();
    let upgraded = hyper::upgrade::on(&mut request);
    let lifecycle = state.lifecycle.clone();
    lifecycle.track(async move {
        let Ok(upgraded) = upgraded.await else { return };
        connection.mark_upgraded();
        // Every connection is accepted by `serve`, which wraps it so.
        let Ok(parts) = upgraded.downcast::<WriteTimeout<TokioIo<TcpStream>>>() else { return };
        let (stream, permit) = parts.io.into_parts();
        let stream = SharedConnection::new(stream.into_inner(), (permit, connection));
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(0)
            .max_write_buffer_size(MAX_WRITE_BUFFER)
            .max_message_size(Some(state.limits.max_message_bytes))
            .max_frame_size(Some(state.limits.max_message_bytes));
        let received = parts.read_buf.to_vec();
        let socket = WebSocketStream::from_partially_read(stream, received, Role::Server, Some(config)).await;
        // A task of its own, because this one is larger.
        state.lifecycle.clone().track(session::run(state, Box::new(socket), handshake));
    });
    let mut response = StatusCode::SWITCHING_PROTOCOLS.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    if let Ok(accept) = accept.parse() {
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    }
    response
}
