//! One socket: reads messages, runs operations, writes whole batches, and ends for one reason.

use std::{
    future::poll_fn,
    net::IpAddr,
    sync::Arc,
    task::{Context, Poll},
};

use async_graphql::{ErrorExtensionValues, Request, ServerError};
use entities::enums::Language;
use futures_util::{FutureExt, StreamExt};
use serde_json::json;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::{
    clock::sleep,
    domain::viewer::Viewer,
    graphql::engine::Caller,
    http::{
        Door,
        following::Reason,
        lines::{self, Line},
        request,
        ws::{
            alarm::Alarm,
            close::Close,
            farewell::{End, Farewell},
            gate::{Gate, Refusal, Word},
            message_rate_limit::MessageRateLimit,
            running::{Asked, DOOR, Operation, Out, Running, batch},
            wire::{Batch, Socket, write},
        },
    },
    text,
};

struct Session {
    door: Door,
    gate: Gate<Operation>,
    running: Running,
    caller: Caller,
    authorization: Option<String>,
    /// The end of the service.
    drain: Alarm,
    /// First the time to introduce itself, then the time for which the caller is known.
    deadline: Alarm,
    ping: Alarm,
    /// Pings that were not answered.
    unanswered: u8,
    /// How fast the peer may send what makes work for nothing.
    message_rate: MessageRateLimit,
    /// Whose turn it is: what comes in, or what goes out.
    reads_first: bool,
}

/// What is known of a peer before it introduces itself.
pub(in crate::http) struct Guest {
    /// Its `Authorization` header.
    pub(in crate::http) authorization: Option<String>,
    /// The language of its headers.
    pub(in crate::http) language: Language,
    /// Its address.
    pub(in crate::http) address: Option<IpAddr>,
    /// How many operations it may run at once.
    pub(in crate::http) operations: usize,
}

/// What a socket has to do next.
enum Work {
    Drain,
    Deadline,
    Ping,
    Hear(Option<Result<Message, Error>>),
    Say(Vec<Out>),
}

/// Counts the open sockets.
struct Open;

impl Open {
    fn new() -> Self {
        metrics::gauge!("kezdesu_sockets").increment(1.0);
        Self
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        metrics::gauge!("kezdesu_sockets").decrement(1.0);
    }
}

/// Runs a socket to its end.
pub(in crate::http) async fn run(door: Door, mut socket: Socket, guest: Guest) {
    let _open = Open::new();
    let life = door.life.clone();
    let session = Session {
        gate: Gate::new(guest.operations, Arc::clone(&door.documents)),
        running: Running::default(),
        caller: Caller { viewer: Viewer::Anonymous, language: guest.language, address: guest.address },
        authorization: guest.authorization,
        drain: Alarm::new(Box::pin(async move { life.draining().await })),
        deadline: Alarm::new(sleep(door.clock.as_ref(), door.limits.init_timeout)),
        ping: Alarm::new(sleep(door.clock.as_ref(), door.limits.ping_every)),
        unanswered: 0,
        message_rate: MessageRateLimit::of(guest.operations),
        reads_first: false,
        door,
    };
    if let Some(farewell) = session.serve(&mut socket).await {
        farewell.part(socket).await;
    }
}

impl Session {
    /// Serves to the end, and returns what is then still to be written.
    async fn serve(mut self, socket: &mut Socket) -> Option<Farewell> {
        loop {
            let done = match poll_fn(|cx| self.poll_work(socket, cx)).await {
                Work::Drain => {
                    self.running.fate.decide(Reason::Draining);
                    Err(End::Said(self.restart()))
                }
                Work::Deadline => {
                    self.running.fate.decide(Reason::Token);
                    Err(End::Said(if self.gate.is_open() { Close::Forbidden } else { Close::InitTimeout }))
                }
                Work::Ping if self.unanswered >= 2 => Err(End::Said(Close::Gone)),
                Work::Ping => {
                    self.unanswered += 1;
                    self.ping = Alarm::new(sleep(self.door.clock.as_ref(), self.door.limits.ping_every));
                    let mut ping = Batch::default();
                    ping.ping();
                    self.write(socket, &ping).await
                }
                // Nothing more is read until the reply is written, so a peer that reads nothing makes nothing pile up.
                Work::Hear(Some(Ok(frame))) => match self.hear(frame) {
                    Ok(Some(reply)) => self.write(socket, &reply).await,
                    Ok(None) => Ok(()),
                    Err(end) => Err(end),
                },
                Work::Hear(Some(Err(error))) => Err(End::of(&error)),
                Work::Hear(None) => Err(End::Silent),
                Work::Say(outs) => self.say(socket, &outs).await,
            };
            match done {
                Ok(()) => {}
                Err(End::Said(close)) => return Some(Farewell::Say(close.frame(self.caller.language))),
                Err(End::Answered) => return Some(Farewell::Answer),
                Err(End::Silent) => return None,
            }
        }
    }

    fn poll_work(&mut self, socket: &mut Socket, cx: &mut Context<'_>) -> Poll<Work> {
        if self.drain.poll(cx).is_ready() {
            return Poll::Ready(Work::Drain);
        }
        if self.deadline.poll(cx).is_ready() {
            return Poll::Ready(Work::Deadline);
        }
        // In turns, so that neither a peer that never stops talking nor a stream that never pauses shuts out the other.
        self.reads_first = !self.reads_first;
        for reads in [self.reads_first, !self.reads_first] {
            if reads {
                if let Poll::Ready(frame) = socket.poll_next_unpin(cx) {
                    return Poll::Ready(Work::Hear(frame));
                }
            } else if let Poll::Ready(outs) = self.running.poll_ready(cx) {
                return Poll::Ready(Work::Say(outs));
            }
        }
        self.ping.poll(cx).map(|()| Work::Ping)
    }

    /// Writes a batch. A peer that takes no byte for too long is given up, and so is one to whom nothing more may be said.
    async fn write(&mut self, socket: &mut Socket, batch: &Batch) -> Result<(), End> {
        let mut written = std::pin::pin!(write(socket, batch));
        if let Some(result) = written.as_mut().now_or_never() {
            return result.map_err(|_| End::Silent);
        }
        let stall = sleep(self.door.clock.as_ref(), self.door.limits.stall);
        tokio::select! {
            biased;
            result = written => result.map_err(|_| End::Silent),
            () = stall => {
                self.running.fate.decide(Reason::SlowReader);
                metrics::counter!("kezdesu_slow_readers_total").increment(1);
                tracing::info!("a socket was closed: its reader is too slow");
                Err(End::Silent)
            }
            () = poll_fn(|cx| self.deadline.poll(cx)) => {
                self.running.fate.decide(Reason::Token);
                Err(End::Silent)
            }
            () = poll_fn(|cx| self.drain.poll(cx)) => {
                self.running.fate.decide(Reason::Draining);
                Err(End::Silent)
            }
        }
    }

    async fn say(&mut self, socket: &mut Socket, outs: &[Out]) -> Result<(), End> {
        for out in outs.iter().filter(|out| out.is_last()) {
            self.gate.end(&out.id.plain);
            if out.is_error() {
                self.count()?;
            }
        }
        self.write(socket, &batch(outs)).await
    }

    /// Acts on a frame, and returns what is to be written for it. An empty batch flushes what the library has queued.
    fn hear(&mut self, frame: Message) -> Result<Option<Batch>, End> {
        self.unanswered = 0;
        match frame {
            Message::Text(text) => self.obey(&text),
            Message::Binary(_) => Err(End::Said(Close::BadMessage)),
            Message::Close(_) => Err(End::Answered),
            Message::Ping(_) => self.count().map(|()| Some(Batch::default())),
            Message::Pong(_) | Message::Frame(_) => self.count().map(|()| None),
        }
    }

    fn obey(&mut self, text: &str) -> Result<Option<Batch>, End> {
        let word = self.gate.hear(text).map_err(End::Said)?;
        // Operations are counted where they run; those that cannot be run, like everything else.
        if !matches!(word, Word::Init { .. } | Word::Subscribe(..)) {
            self.count()?;
        }
        let reply = match word {
            Word::Init { authorization, language } => {
                Some(self.introduce(authorization, language.as_deref()).map_err(End::Said)?)
            }
            Word::Subscribe(id, request) if !self.door.documents.may_run(&self.caller.viewer, &request.query) => {
                self.count()?;
                Some(self.refuse(&id, Refusal::NotListed))
            }
            Word::Subscribe(id, mut request) => {
                // The engine says what is wrong with one that cannot be run.
                let _ = request::operation(&mut request, &self.door.documents, &self.caller);
                self.begin(id, *request);
                None
            }
            Word::Refuse(id, refusal) => Some(self.refuse(&id, refusal)),
            Word::Complete(id) => {
                self.gate.end(&id);
                None
            }
            Word::Ping(None) => Some(json!({ "type": "pong" }).to_string()),
            Word::Ping(Some(payload)) => Some(json!({ "type": "pong", "payload": payload }).to_string()),
            Word::Nothing => None,
        };
        Ok(reply.map(|text| {
            let mut batch = Batch::default();
            batch.text(&[text.as_bytes()]);
            batch
        }))
    }

    /// Counts a message that makes work for nothing. A peer that sends more of them than an honest client does is closed.
    fn count(&mut self) -> Result<(), End> {
        if self.message_rate.count(self.door.clock.now()) {
            return Ok(());
        }
        metrics::counter!("kezdesu_socket_floods_total").increment(1);
        tracing::info!("a socket was closed: it sends too many messages");
        Err(End::Said(Close::TooFast))
    }

    fn introduce(&mut self, authorization: Option<String>, language: Option<&str>) -> Result<String, Close> {
        self.caller.language = language.and_then(text::preferred).unwrap_or(self.caller.language);
        let authorization = authorization.or_else(|| self.authorization.take());
        let known = self.door.auth.authenticate(authorization.as_deref()).map_err(|refused| {
            tracing::debug!(reason = %refused, "a token was refused");
            Close::Forbidden
        })?;
        self.deadline = Alarm::new(self.door.auth.end_of(&known));
        self.caller.viewer = known.viewer;
        self.gate.open();
        Ok(json!({ "type": "connection_ack" }).to_string())
    }

    fn refuse(&self, id: &str, refusal: Refusal) -> String {
        let language = self.caller.language;
        let (code, words) = match refusal {
            Refusal::Bad(bad) => (bad.code(), bad.words(language)),
            Refusal::NotListed => ("FORBIDDEN", text::message(language, "error-not-listed", &[])),
            Refusal::TooMany => ("COST_EXCEEDED", text::message(language, "error-cost-exceeded", &[])),
        };
        let viewer = lines::kind(&self.caller.viewer);
        let line = Line { door: DOOR, operation: None, name: None, viewer, code };
        lines::tell(&line, &self.door, self.door.clock.now());
        let mut error = ServerError::new(words, None);
        let mut extensions = ErrorExtensionValues::default();
        extensions.set("code", code);
        error.extensions = Some(extensions);
        json!({ "id": id, "type": "error", "payload": [error] }).to_string()
    }

    fn begin(&mut self, id: String, request: Request) {
        let asked = Asked { id: id.clone(), request, slot: self.gate.slot() };
        let operation = self.running.begin(asked, &self.caller, &self.door);
        self.gate.begin(id, operation);
    }

    /// A hint that spreads those who come back over five seconds.
    fn restart(&self) -> Close {
        let random = self.door.ids.next(self.door.clock.now()).as_u128();
        Close::Restart { retry_after_ms: u16::try_from(random % 5000).unwrap_or_default() }
    }
}
