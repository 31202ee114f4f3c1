//! Properties of the socket protocol and of request parsing that hold for any input.
#![expect(
    clippy::indexing_slicing,
    reason = "of JSON: what is missing reads as null, and is not equal to what must be there"
)]

use std::{
    collections::HashSet,
    io::{self, Read, Write},
    sync::Arc,
};

use async_graphql::Request;
use entities::enums::Language;
use serde_json::Value;
use tokio_tungstenite::tungstenite::{Message, WebSocket, protocol::Role};
use url::form_urlencoded::Serializer;

use crate::http::{
    PersistedQueries,
    request::{from_query_string, parse},
    ws::{ClientMessage, CloseReason, FrameBuffer, ProtocolState, SubscribeError},
};

/// Maximum number of concurrent operations.
const MAX_OPERATIONS: usize = 3;
/// Maximum length of a close reason (RFC 6455: 125 bytes, two of them the code).
const MAX_CLOSE_REASON_LENGTH: usize = 123;
/// The JSON around each message's payload.
const MESSAGE_FRAME: [&str; 2] = ["{\"id\":\"1\",\"type\":\"next\",\"payload\":\"", "\"}"];

/// Feeds each line to the parsers: as a client message, a request body, a query string and a payload. Returns
/// whether an operation was started.
pub fn frames(input: &[u8]) -> bool {
    let text = String::from_utf8_lossy(input);
    let documents = Arc::new(PersistedQueries::default());
    for line in text.lines() {
        let _ = from_query_string(line, &documents);
        if let Ok(request) = parse(line.as_bytes(), &documents) {
            check_parameters_round_trip(&request, &documents);
        }
    }
    frames_round_trip(&text);
    ModelClient { state: ProtocolState::new(MAX_OPERATIONS, documents), acknowledged: false, running: HashSet::new() }
        .run(&text)
}

fn check_parameters_round_trip(request: &Request, documents: &PersistedQueries) {
    let mut parameters = Serializer::new(String::new());
    parameters.append_pair("query", &request.query);
    parameters.append_pair("variables", &serde_json::to_string(&request.variables).unwrap_or_default());
    if let Some(name) = &request.operation_name {
        parameters.append_pair("operationName", name);
    }
    let again = from_query_string(&parameters.finish(), documents);
    assert!(again.is_ok(), "{:?}", again.err());
    if let Ok(again) = again {
        assert_eq!((&again.query, &again.operation_name), (&request.query, &request.operation_name));
        assert!(again.variables.keys().eq(request.variables.keys()));
    }
}

/// A second, simpler model of the protocol, to compare with.
struct ModelClient {
    state: ProtocolState<()>,
    acknowledged: bool,
    running: HashSet<String>,
}

impl ModelClient {
    /// Sends line after line until the socket is closed.
    fn run(mut self, text: &str) -> bool {
        let mut started = false;
        for line in text.lines() {
            match self.state.handle(line) {
                Ok(message) => started |= self.check_message(line, message),
                Err(close) => {
                    self.check_close(line, &close);
                    break;
                }
            }
            assert!(self.running.len() <= MAX_OPERATIONS && self.state.is_acknowledged() == self.acknowledged);
        }
        started
    }

    /// Checks one message against the model. Returns whether it started an operation.
    fn check_message(&mut self, line: &str, message: ClientMessage) -> bool {
        let sent_json: Value = serde_json::from_str(line).unwrap_or_default();
        let kind = match message {
            ClientMessage::Init { .. } => {
                assert!(!self.acknowledged, "connection_init twice");
                self.acknowledged = true;
                self.state.acknowledge();
                "connection_init"
            }
            ClientMessage::Subscribe(id, request) => {
                assert!(self.acknowledged && self.running.len() < MAX_OPERATIONS && sent_json["id"] == *id);
                assert!((1..=128).contains(&id.len()) && self.running.insert(id.clone()), "{id} is not free");
                assert!(sent_json["payload"].get("query").is_none_or(|query| *query == *request.query));
                self.state.insert(id, ());
                assert_eq!(sent_json["type"], "subscribe");
                return true;
            }
            ClientMessage::InvalidSubscribe(id, error) => {
                assert!(self.acknowledged && !self.running.contains(&id));
                assert!(error != SubscribeError::TooManyOperations || self.running.len() == MAX_OPERATIONS);
                "subscribe"
            }
            ClientMessage::Complete(id) => {
                assert_eq!(self.state.remove(&id).is_some(), self.running.remove(&id), "{id}");
                "complete"
            }
            ClientMessage::Ping(payload) => {
                assert_eq!(sent_json.get("payload"), payload.as_ref());
                "ping"
            }
            ClientMessage::Pong => "pong",
        };
        assert_eq!(sent_json["type"], kind);
        false
    }

    fn check_close(&self, line: &str, close: &CloseReason) {
        for language in Language::ALL {
            let frame = close.frame(*language);
            assert!(
                frame.reason.len() <= MAX_CLOSE_REASON_LENGTH && (4400..4500).contains(&u16::from(frame.code)),
                "{frame:?}"
            );
        }
        match close {
            CloseReason::Unauthorized | CloseReason::Forbidden => assert!(!self.acknowledged),
            CloseReason::TooManyInits => assert!(self.acknowledged),
            CloseReason::DuplicateId => {
                let sent_json: Value = serde_json::from_str(line).unwrap_or_default();
                assert!(sent_json["id"].as_str().is_some_and(|id| self.running.contains(id)));
            }
            other => assert_eq!(*other, CloseReason::BadMessage),
        }
    }
}

/// Checks that a client reads the encoded frames message by message, ending with a ping.
fn frames_round_trip(text: &str) {
    let mut frames = FrameBuffer::default();
    let mut sent = Vec::new();
    for (at, line) in text.lines().enumerate() {
        // Long enough to cover every encoding of the payload length.
        let middle = line.repeat(if at == 0 { 1 + 65_600 / line.len().max(1000) } else { 1 + at % 3 });
        let parts = [MESSAGE_FRAME[0], &middle, MESSAGE_FRAME[1]];
        frames.text(&parts.map(str::as_bytes));
        sent.push(Message::text(parts.concat()));
    }
    frames.ping();
    sent.push(Message::Ping(Vec::new().into()));
    let mut peer = WebSocket::from_raw_socket(ReadOnlyStream(frames.as_bytes()), Role::Client, None);
    for message in sent {
        let read = peer.read();
        assert!(read.as_ref().is_ok_and(|read| *read == message), "{read:?} is not {message:?}");
    }
    assert!(peer.read().is_err(), "trailing bytes after the last frame");
}

/// A stream that reads from a buffer and discards writes.
struct ReadOnlyStream<'a>(&'a [u8]);

impl Read for ReadOnlyStream<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for ReadOnlyStream<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
