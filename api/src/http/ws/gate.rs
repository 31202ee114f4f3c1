//! The protocol as a state machine without I/O: what a message means in the state the socket is in.

use std::{collections::HashMap, sync::Arc};

use async_graphql::Request;
use serde_json::{Map, Value};

use crate::http::{
    Documents,
    request::{BadRequest, from_fields},
    ws::{
        close::Close,
        slots::{Slot, Slots},
    },
};

/// What a message asks for.
#[derive(Debug)]
pub(in crate::http) enum Word {
    /// Introduce the caller.
    Init {
        /// `authorization` of the payload.
        authorization: Option<String>,
        /// `language` of the payload.
        language: Option<String>,
    },
    /// Run an operation.
    Subscribe(String, Box<Request>),
    /// Run an operation that cannot be run.
    Refuse(String, Refusal),
    /// Stop an operation.
    Complete(String),
    /// Say that we are there, with the same payload.
    Ping(Option<Value>),
    /// Nothing.
    Nothing,
}

/// Why an operation is not even begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum Refusal {
    /// Its payload is malformed, or names a document that is not known.
    Bad(BadRequest),
    /// It is not among the listed operations.
    NotListed,
    /// Too many are running.
    TooMany,
}

/// How long an operation's id may be.
const LONGEST_ID: usize = 128;

/// The state of a socket.
pub(in crate::http) struct Gate<T> {
    introduced: bool,
    ready: bool,
    most: usize,
    documents: Arc<Documents>,
    /// By the ids that are in use. A client may use an id again as soon as it has completed it.
    running: HashMap<String, T>,
    /// Of everything that was begun and has not ended, also of what was completed meanwhile.
    slots: Slots,
}

impl<T> Gate<T> {
    pub(in crate::http) fn new(most: usize, documents: Arc<Documents>) -> Self {
        Self { introduced: false, ready: false, most, documents, running: HashMap::new(), slots: Slots::default() }
    }

    /// The introduction has been answered.
    pub(in crate::http) const fn open(&mut self) {
        self.ready = true;
    }

    pub(in crate::http) const fn is_open(&self) -> bool {
        self.ready
    }

    /// Takes a slot for an operation, to be held until its work has ended.
    pub(in crate::http) fn slot(&self) -> Slot {
        self.slots.take()
    }

    pub(in crate::http) fn begin(&mut self, id: String, operation: T) {
        self.running.insert(id, operation);
    }

    pub(in crate::http) fn end(&mut self, id: &str) -> Option<T> {
        self.running.remove(id)
    }

    /// What a message means now.
    pub(in crate::http) fn hear(&mut self, text: &str) -> Result<Word, Close> {
        let Ok(Value::Object(mut message)) = serde_json::from_str(text) else { return Err(Close::BadMessage) };
        let Some(Value::String(kind)) = message.remove("type") else { return Err(Close::BadMessage) };
        match kind.as_str() {
            "connection_init" if self.introduced => Err(Close::TooManyInits),
            "connection_init" => {
                self.introduced = true;
                init(message)
            }
            "ping" => Ok(Word::Ping(message.remove("payload"))),
            "pong" => Ok(Word::Nothing),
            "subscribe" if !self.ready => Err(Close::Unauthorized),
            "subscribe" => self.subscribe(message),
            "complete" => Ok(Word::Complete(id(&mut message)?)),
            _ => Err(Close::BadMessage),
        }
    }

    fn subscribe(&self, mut message: Map<String, Value>) -> Result<Word, Close> {
        let id = id(&mut message)?;
        let Some(Value::Object(payload)) = message.remove("payload") else { return Err(Close::BadMessage) };
        if self.running.contains_key(&id) {
            return Err(Close::Duplicate);
        }
        if self.running.len().max(self.slots.taken()) >= self.most {
            return Ok(Word::Refuse(id, Refusal::TooMany));
        }
        Ok(match from_fields(payload, &self.documents) {
            Ok(request) => Word::Subscribe(id, Box::new(request)),
            Err(bad) => Word::Refuse(id, Refusal::Bad(bad)),
        })
    }
}

fn init(mut message: Map<String, Value>) -> Result<Word, Close> {
    let mut payload = match message.remove("payload") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(payload)) => payload,
        Some(_) => return Err(Close::BadMessage),
    };
    let language = match payload.remove("language") {
        Some(Value::String(language)) => Some(language),
        _ => None,
    };
    Ok(Word::Init { authorization: authorization(payload)?, language })
}

/// Returns the authorization, in whatever case its name is written. Null is none. What is no text, or is given twice and differs, is
/// refused: its sender means to be somebody, and must not be served as nobody.
fn authorization(payload: Map<String, Value>) -> Result<Option<String>, Close> {
    let mut found = None;
    let given = payload.into_iter().filter(|(name, _)| name.eq_ignore_ascii_case("authorization"));
    for (_, value) in given {
        match value {
            Value::Null => {}
            Value::String(text) if found.as_ref().is_none_or(|before| *before == text) => found = Some(text),
            _ => return Err(Close::Forbidden),
        }
    }
    Ok(found)
}

fn id(message: &mut Map<String, Value>) -> Result<String, Close> {
    match message.remove("id") {
        Some(Value::String(id)) if !id.is_empty() && id.len() <= LONGEST_ID => Ok(id),
        _ => Err(Close::BadMessage),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open() -> Gate<()> {
        let mut gate = Gate::new(2, Arc::default());
        assert!(matches!(gate.hear(r#"{"type":"connection_init"}"#), Ok(Word::Init { .. })));
        gate.open();
        gate
    }

    const SUBSCRIBE: &str = r#"{"id":"1","type":"subscribe","payload":{"query":"{ viewer { subject } }"}}"#;

    #[test]
    fn a_socket_introduces_itself_once_and_first() {
        let mut gate = Gate::<()>::new(2, Arc::default());
        assert_eq!(gate.hear(SUBSCRIBE).unwrap_err(), Close::Unauthorized);
        let mut gate = open();
        assert_eq!(gate.hear(r#"{"type":"connection_init"}"#).unwrap_err(), Close::TooManyInits);
    }

    #[test]
    fn refuses_an_authorization_that_is_no_text_or_given_twice() {
        let hear = |payload: &str| {
            let mut gate = Gate::<()>::new(2, Arc::default());
            gate.hear(&format!(r#"{{"type":"connection_init","payload":{payload}}}"#))
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
            assert_eq!(hear(payload).unwrap_err(), Close::Forbidden, "{payload}");
        }
        let told = |payload: &str| match hear(payload) {
            Ok(Word::Init { authorization, .. }) => authorization,
            other => panic!("{payload}: {other:?}"),
        };
        for payload in ["null", "{}", r#"{"authorization":null}"#, r#"{"authorization":null,"language":7}"#] {
            assert_eq!(told(payload), None, "{payload}");
        }
        for payload in [
            r#"{"authorization":"Bearer x"}"#,
            r#"{"AuthoriZation":"Bearer x"}"#,
            r#"{"authorization":"Bearer x","Authorization":"Bearer x"}"#,
            r#"{"authorization":null,"Authorization":"Bearer x"}"#,
        ] {
            assert_eq!(told(payload).as_deref(), Some("Bearer x"), "{payload}");
        }
    }

    #[test]
    fn counts_an_operation_until_its_work_has_ended() {
        let mut gate = open();
        let work = gate.slot();
        gate.begin("1".to_owned(), ());
        gate.end("1");
        let more = gate.slot();
        assert!(matches!(gate.hear(SUBSCRIBE), Ok(Word::Refuse(_, Refusal::TooMany))), "the first goes on");
        drop(work);
        assert!(matches!(gate.hear(SUBSCRIBE), Ok(Word::Subscribe(..))), "its id is free too");
        drop(more);
    }

    #[test]
    fn what_the_protocol_does_not_know_closes_the_socket() {
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
            assert_eq!(open().hear(text).unwrap_err(), Close::BadMessage, "{text}");
        }
    }

    #[test]
    fn ids_are_unique_while_they_run_and_operations_are_counted() {
        let mut gate = open();
        assert!(matches!(gate.hear(SUBSCRIBE), Ok(Word::Subscribe(..))));
        gate.begin("1".to_owned(), ());
        assert_eq!(gate.hear(SUBSCRIBE).unwrap_err(), Close::Duplicate);
        gate.begin("2".to_owned(), ());
        let third = SUBSCRIBE.replace("\"1\"", "\"3\"");
        assert!(matches!(gate.hear(&third), Ok(Word::Refuse(_, Refusal::TooMany))));
        gate.end("1");
        assert!(matches!(gate.hear(SUBSCRIBE), Ok(Word::Subscribe(..))));
        let bad = r#"{"id":"4","type":"subscribe","payload":{"query":1}}"#;
        assert!(matches!(gate.hear(bad), Ok(Word::Refuse(_, Refusal::Bad(_)))));
    }
}
