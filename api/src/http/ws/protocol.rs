//! The `graphql-transport-ws` protocol as a state machine without I/O.

use std::{collections::HashMap, sync::Arc};

use async_graphql::Request;
use serde_json::{Map, Value};

use crate::http::{
    PersistedQueries,
    bad_request::BadRequest,
    request::from_fields,
    ws::{
        close::CloseReason,
        slots::{Slot, Slots},
    },
};

/// A message from the client, validated against the protocol state.
#[derive(Debug)]
pub(in crate::http) enum ClientMessage {
    /// `connection_init`.
    Init {
        /// `authorization` from the payload.
        authorization: Option<String>,
        /// `language` from the payload.
        language: Option<String>,
    },
    /// `subscribe`: run an operation.
    Subscribe(String, Box<Request>),
    /// `subscribe` with an operation that cannot be run.
    InvalidSubscribe(String, SubscribeError),
    /// `complete`: stop an operation.
    Complete(String),
    /// `ping`: answer with a pong and the same payload.
    Ping(Option<Value>),
    /// `pong`: nothing to do.
    Pong,
}

/// Why a `subscribe` message is answered with an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum SubscribeError {
    /// The payload is malformed, or names an unknown persisted document.
    Invalid(BadRequest),
    /// The operation is not on the safelist.
    NotListed,
    /// The socket runs too many operations.
    TooManyOperations,
}

/// Maximum length of an operation id, in bytes.
const MAX_ID_LENGTH: usize = 128;

/// The protocol state of a socket.
pub(in crate::http) struct ProtocolState<T> {
    init_received: bool,
    acknowledged: bool,
    max_operations: usize,
    documents: Arc<PersistedQueries>,
    /// Handles of operations by id. A client may reuse an id as soon as it has completed it.
    active: HashMap<String, T>,
    /// Counts operations whose work has not ended, including those the client has completed.
    slots: Slots,
}

impl<T> ProtocolState<T> {
    pub(in crate::http) fn new(max_operations: usize, documents: Arc<PersistedQueries>) -> Self {
        Self {
            init_received: false,
            acknowledged: false,
            max_operations,
            documents,
            active: HashMap::new(),
            slots: Slots::default(),
        }
    }

    /// Marks the connection as acknowledged: operations are accepted from now on.
    pub(in crate::http) const fn acknowledge(&mut self) {
        self.acknowledged = true;
    }

    pub(in crate::http) const fn is_acknowledged(&self) -> bool {
        self.acknowledged
    }

    /// Takes a slot for an operation, to be held until its work ends.
    pub(in crate::http) fn slot(&self) -> Slot {
        self.slots.take()
    }

    pub(in crate::http) fn insert(&mut self, id: String, operation: T) {
        self.active.insert(id, operation);
    }

    pub(in crate::http) fn remove(&mut self, id: &str) -> Option<T> {
        self.active.remove(id)
    }

    /// Parses a message and checks it against the state.
    pub(in crate::http) fn handle(&mut self, text: &str) -> Result<ClientMessage, CloseReason> {
        let Ok(Value::Object(mut message)) = serde_json::from_str(text) else { return Err(CloseReason::BadMessage) };
        let Some(Value::String(message_type)) = message.remove("type") else { return Err(CloseReason::BadMessage) };
        match message_type.as_str() {
            "connection_init" if self.init_received => Err(CloseReason::TooManyInits),
            "connection_init" => {
                self.init_received = true;
                init(message)
            }
            "ping" => Ok(ClientMessage::Ping(message.remove("payload"))),
            "pong" => Ok(ClientMessage::Pong),
            "subscribe" if !self.acknowledged => Err(CloseReason::Unauthorized),
            "subscribe" => self.subscribe(message),
            "complete" => Ok(ClientMessage::Complete(take_id(&mut message)?)),
            _ => Err(CloseReason::BadMessage),
        }
    }

    fn subscribe(&self, mut message: Map<String, Value>) -> Result<ClientMessage, CloseReason> {
        let id = take_id(&mut message)?;
        let Some(Value::Object(payload)) = message.remove("payload") else { return Err(CloseReason::BadMessage) };
        if self.active.contains_key(&id) {
            return Err(CloseReason::DuplicateId);
        }
        if self.active.len().max(self.slots.taken()) >= self.max_operations {
            return Ok(ClientMessage::InvalidSubscribe(id, SubscribeError::TooManyOperations));
        }
        Ok(match from_fields(payload, &self.documents) {
            Ok(request) => ClientMessage::Subscribe(id, Box::new(request)),
            Err(bad) => ClientMessage::InvalidSubscribe(id, SubscribeError::Invalid(bad)),
        })
    }
}

fn init(mut message: Map<String, Value>) -> Result<ClientMessage, CloseReason> {
    let mut payload = match message.remove("payload") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(payload)) => payload,
        Some(_) => return Err(CloseReason::BadMessage),
    };
    let language = match payload.remove("language") {
        Some(Value::String(language)) => Some(language),
        _ => None,
    };
    Ok(ClientMessage::Init { authorization: authorization(payload)?, language })
}

/// Returns the authorization of the payload, matching the key case-insensitively; null counts as absent.
///
/// Rejects a value that is not a string, and duplicates that differ: such a client must not be served as
/// anonymous.
fn authorization(payload: Map<String, Value>) -> Result<Option<String>, CloseReason> {
    let mut found = None;
    let given = payload.into_iter().filter(|(name, _)| name.eq_ignore_ascii_case("authorization"));
    for (_, value) in given {
        match value {
            Value::Null => {}
            Value::String(text) if found.as_ref().is_none_or(|before| *before == text) => found = Some(text),
            _ => return Err(CloseReason::Forbidden),
        }
    }
    Ok(found)
}

fn take_id(message: &mut Map<String, Value>) -> Result<String, CloseReason> {
    match message.remove("id") {
        Some(Value::String(id)) if !id.is_empty() && id.len() <= MAX_ID_LENGTH => Ok(id),
        _ => Err(CloseReason::BadMessage),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acknowledged() -> ProtocolState<()> {
        let mut state = ProtocolState::new(2, Arc::default());
        assert!(matches!(state.handle(r#"{"type":"connection_init"}"#), Ok(ClientMessage::Init { .. })));
        state.acknowledge();
        state
    }

    const SUBSCRIBE: &str = r#"{"id":"1","type":"subscribe","payload":{"query":"{ viewer { subject } }"}}"#;

    #[test]
    fn requires_one_connection_init_before_anything_else() {
        let mut state = ProtocolState::<()>::new(2, Arc::default());
        assert_eq!(state.handle(SUBSCRIBE).unwrap_err(), CloseReason::Unauthorized);
        let mut state = acknowledged();
        assert_eq!(state.handle(r#"{"type":"connection_init"}"#).unwrap_err(), CloseReason::TooManyInits);
    }

    #[test]
    fn rejects_an_authorization_that_is_not_a_string_or_ambiguous() {
        let handle = |payload: &str| {
            let mut state = ProtocolState::<()>::new(2, Arc::default());
            state.handle(&format!(r#"{{"type":"connection_init","payload":{payload}}}"#))
        };
        for payload in [
            r#"{"authorization":7}"#,
            r#"{"authorization":true}"#,
            r#"{"authorization":["Bearer x"]}"#,
            r#"{"authorization":{"token":"x"}}"#,
            r#"{"Authorization":7}"#,
            r#"{"AUTHORIZATION":["Bearer x"]}"#,
            r#"{"authorization":"Bearer x","Authorization":"Bearer y"}"#,
            r#"{"authorization":"Bearer x","Authorization":7}"#,
        ] {
            assert_eq!(handle(payload).unwrap_err(), CloseReason::Forbidden, "{payload}");
        }
        let authorization_of = |payload: &str| match handle(payload) {
            Ok(ClientMessage::Init { authorization, .. }) => authorization,
            other => panic!("{payload}: {other:?}"),
        };
        for payload in ["null", "{}", r#"{"authorization":null}"#, r#"{"authorization":null,"language":7}"#] {
            assert_eq!(authorization_of(payload), None, "{payload}");
        }
        for payload in [
            r#"{"authorization":"Bearer x"}"#,
            r#"{"AuthoriZation":"Bearer x"}"#,
            r#"{"authorization":"Bearer x","Authorization":"Bearer x"}"#,
            r#"{"authorization":null,"Authorization":"Bearer x"}"#,
        ] {
            assert_eq!(authorization_of(payload).as_deref(), Some("Bearer x"), "{payload}");
        }
    }

    #[test]
    fn counts_an_operation_until_its_work_ends() {
        let mut state = acknowledged();
        let work = state.slot();
        state.insert("1".to_owned(), ());
        state.remove("1");
        let more = state.slot();
        assert!(
            matches!(
                state.handle(SUBSCRIBE),
                Ok(ClientMessage::InvalidSubscribe(_, SubscribeError::TooManyOperations))
            ),
            "the first is still running"
        );
        drop(work);
        assert!(matches!(state.handle(SUBSCRIBE), Ok(ClientMessage::Subscribe(..))), "its id is free again");
        drop(more);
    }

    #[test]
    fn closes_the_socket_on_an_unknown_message() {
        for text in [
            "",
            "{",
            "[]",
            "{}",
            r#"{"type":"start"}"#,
            r#"{"type":1}"#,
            r#"{"type":"subscribe","payload":{"query":"{a}"}}"#,
            r#"{"type":"subscribe","id":"1"}"#,
            r#"{"type":"subscribe","id":"","payload":{}}"#,
            r#"{"type":"complete"}"#,
        ] {
            assert_eq!(acknowledged().handle(text).unwrap_err(), CloseReason::BadMessage, "{text}");
        }
    }

    #[test]
    fn rejects_duplicate_ids_and_too_many_operations() {
        let mut state = acknowledged();
        assert!(matches!(state.handle(SUBSCRIBE), Ok(ClientMessage::Subscribe(..))));
        state.insert("1".to_owned(), ());
        assert_eq!(state.handle(SUBSCRIBE).unwrap_err(), CloseReason::DuplicateId);
        state.insert("2".to_owned(), ());
        let third = SUBSCRIBE.replace("\"1\"", "\"3\"");
        assert!(matches!(
            state.handle(&third),
            Ok(ClientMessage::InvalidSubscribe(_, SubscribeError::TooManyOperations))
        ));
        state.remove("1");
        assert!(matches!(state.handle(SUBSCRIBE), Ok(ClientMessage::Subscribe(..))));
        let bad = r#"{"id":"4","type":"subscribe","payload":{"query":1}}"#;
        assert!(matches!(state.handle(bad), Ok(ClientMessage::InvalidSubscribe(_, SubscribeError::Invalid(_)))));
    }
}
