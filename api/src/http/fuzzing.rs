//! What must hold for anything that is said on a socket, and for any request.
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
    Documents,
    request::{from_parameters, parse},
    ws::{Batch, Close, Gate, Refusal, Word},
};

/// How many operations may run at once.
const MOST: usize = 3;
/// How long a close reason may be (RFC 6455: 125 bytes, of which the code takes two).
const LONGEST_REASON: usize = 123;
/// What is written around each message.
const AROUND: [&str; 2] = ["{\"id\":\"1\",\"type\":\"next\",\"payload\":\"", "\"}"];

/// Takes each line as a message of one peer, as the body and as the parameters of a request, and as what is sent to a peer. Tells
/// whether an operation was begun.
pub fn frames(input: &[u8]) -> bool {
    let text = String::from_utf8_lossy(input);
    let documents = Arc::new(Documents::default());
    for line in text.lines() {
        let _ = from_parameters(line, &documents);
        if let Ok(request) = parse(line.as_bytes(), &documents) {
            means_the_same_as_parameters(&request, &documents);
        }
    }
    arrive_whole(&text);
    Peer { gate: Gate::new(MOST, documents), introduced: false, running: HashSet::new() }.talk(&text)
}

fn means_the_same_as_parameters(request: &Request, documents: &Documents) {
    let mut parameters = Serializer::new(String::new());
    parameters.append_pair("query", &request.query);
    parameters.append_pair("variables", &serde_json::to_string(&request.variables).unwrap_or_default());
    if let Some(name) = &request.operation_name {
        parameters.append_pair("operationName", name);
    }
    let again = from_parameters(&parameters.finish(), documents);
    assert!(again.is_ok(), "{:?}", again.err());
    if let Ok(again) = again {
        assert_eq!((&again.query, &again.operation_name), (&request.query, &request.operation_name));
        assert!(again.variables.keys().eq(request.variables.keys()));
    }
}

/// A peer, and what it may do by the protocol, written down once more.
struct Peer {
    gate: Gate<()>,
    introduced: bool,
    running: HashSet<String>,
}

impl Peer {
    /// Says line after line, as long as it is listened to.
    fn talk(mut self, text: &str) -> bool {
        let mut begun = false;
        for line in text.lines() {
            match self.gate.hear(line) {
                Ok(word) => begun |= self.heard(line, word),
                Err(close) => {
                    self.closed(line, &close);
                    break;
                }
            }
            assert!(self.running.len() <= MOST && self.gate.is_open() == self.introduced);
        }
        begun
    }

    /// What a message did. Tells whether it began an operation.
    fn heard(&mut self, line: &str, word: Word) -> bool {
        let said: Value = serde_json::from_str(line).unwrap_or_default();
        let kind = match word {
            Word::Init { .. } => {
                assert!(!self.introduced, "introduced twice");
                self.introduced = true;
                self.gate.open();
                "connection_init"
            }
            Word::Subscribe(id, request) => {
                assert!(self.introduced && self.running.len() < MOST && said["id"] == *id);
                assert!((1..=128).contains(&id.len()) && self.running.insert(id.clone()), "{id} is not free");
                assert!(said["payload"].get("query").is_none_or(|query| *query == *request.query));
                self.gate.begin(id, ());
                assert_eq!(said["type"], "subscribe");
                return true;
            }
            Word::Refuse(id, refusal) => {
                assert!(self.introduced && !self.running.contains(&id));
                assert!(refusal != Refusal::TooMany || self.running.len() == MOST);
                "subscribe"
            }
            Word::Complete(id) => {
                assert_eq!(self.gate.end(&id).is_some(), self.running.remove(&id), "{id}");
                "complete"
            }
            Word::Ping(payload) => {
                assert_eq!(said.get("payload"), payload.as_ref());
                "ping"
            }
            Word::Nothing => "pong",
        };
        assert_eq!(said["type"], kind);
        false
    }

    fn closed(&self, line: &str, close: &Close) {
        for language in Language::ALL {
            let frame = close.frame(*language);
            assert!(frame.reason.len() <= LONGEST_REASON && (4400..4500).contains(&u16::from(frame.code)), "{frame:?}");
        }
        match close {
            Close::Unauthorized | Close::Forbidden => assert!(!self.introduced),
            Close::TooManyInits => assert!(self.introduced),
            Close::Duplicate => {
                let said: Value = serde_json::from_str(line).unwrap_or_default();
                assert!(said["id"].as_str().is_some_and(|id| self.running.contains(id)));
            }
            other => assert_eq!(*other, Close::BadMessage),
        }
    }
}

/// What is written in one batch is read by a peer message by message, the last one a ping.
fn arrive_whole(text: &str) {
    let mut batch = Batch::default();
    let mut sent = Vec::new();
    for (at, line) in text.lines().enumerate() {
        // Long enough that each way of writing a length is met.
        let middle = line.repeat(if at == 0 { 1 + 65_600 / line.len().max(1000) } else { 1 + at % 3 });
        let parts = [AROUND[0], &middle, AROUND[1]];
        batch.text(&parts.map(str::as_bytes));
        sent.push(Message::text(parts.concat()));
    }
    batch.ping();
    sent.push(Message::Ping(Vec::new().into()));
    let mut peer = WebSocket::from_raw_socket(Wire(batch.as_bytes()), Role::Client, None);
    for message in sent {
        let read = peer.read();
        assert!(read.as_ref().is_ok_and(|read| *read == message), "{read:?} is not {message:?}");
    }
    assert!(peer.read().is_err(), "more was written than was said");
}

/// A wire on which something has come, and on which all that is answered is lost.
struct Wire<'a>(&'a [u8]);

impl Read for Wire<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Wire<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
