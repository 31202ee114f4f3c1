//! One socket: reads messages, runs operations, writes whole batches, and ends for one reason.
//!
//! Every operation is a task that waits its turn for a place in one short queue; places are given in the order they were
//! asked for, so a stream that never pauses cannot starve its neighbour. Nothing queues behind a slow reader but that.

use std::time::Duration;

use async_graphql::{ErrorExtensionValues, Request, Response, ServerError, parser::types::OperationType};
use chrono::{DateTime, Utc};
use entities::enums::Language;
use futures_util::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json, value::RawValue};
use tokio::{sync::mpsc, task::AbortHandle};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Error, Message},
};

use crate::{
    clock::{Sleep, sleep},
    domain::viewer::Viewer,
    graphql::{Engine, engine::Caller},
    http::{
        Door,
        graphql::{errors_of, is_request_error, loggable},
        ws::{
            close::Close,
            gate::{Gate, Refusal, Word},
        },
    },
    text,
};

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// How many messages wait for the writer at most, over all operations.
const QUEUE: usize = 32;
/// How long a peer may take to answer a close.
const FAREWELL: Duration = Duration::from_secs(2);

/// A message of an operation: which run of which id, and whether it is the last.
struct Out {
    id: String,
    run: u64,
    text: String,
    last: bool,
}

struct Operation {
    run: u64,
    task: AbortHandle,
}

impl Drop for Operation {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Session {
    door: Door,
    gate: Gate<Operation>,
    caller: Caller,
    authorization: Option<String>,
    runs: u64,
    queue: mpsc::Sender<Out>,
    /// First the time to introduce itself, then the end of the token.
    deadline: Sleep,
    /// Pings that were not answered.
    unanswered: u8,
}

/// Runs a socket to its end.
pub(in crate::http) async fn run(door: Door, socket: Socket, authorization: Option<String>, language: Language) {
    metrics::gauge!("kezdesu_sockets").increment(1.0);
    let (sink, source) = socket.split();
    let (queue, waiting) = mpsc::channel(QUEUE);
    let deadline = sleep(door.clock.as_ref(), door.limits.init_timeout);
    let gate = Gate::new(door.limits.socket_operations);
    let caller = Caller { viewer: Viewer::Anonymous, language };
    let session = Session { door, gate, caller, authorization, runs: 0, queue, deadline, unanswered: 0 };
    session.serve(sink, source, waiting).await;
    metrics::gauge!("kezdesu_sockets").decrement(1.0);
}

impl Session {
    async fn serve(
        mut self,
        mut sink: SplitSink<Socket, Message>,
        mut source: SplitStream<Socket>,
        mut waiting: mpsc::Receiver<Out>,
    ) {
        let mut ping = sleep(self.door.clock.as_ref(), self.door.limits.ping_every);
        let life = self.door.life.clone();
        let close = loop {
            let wrote = tokio::select! {
                biased;
                () = life.draining() => break Some(self.restart()),
                () = &mut self.deadline => {
                    break Some(if self.gate.is_open() { Close::Forbidden } else { Close::InitTimeout });
                }
                frame = source.next() => match frame {
                    Some(Ok(frame)) => match self.hear(frame) {
                        Ok(replies) => self.write(&mut sink, replies).await,
                        Err(close) => break close,
                    },
                    Some(Err(Error::Capacity(_))) => break Some(Close::TooLarge),
                    // The peer is gone, or sent what is no WebSocket.
                    Some(Err(_)) | None => break None,
                },
                Some(out) = waiting.recv() => {
                    let batch = self.batch(out, &mut waiting);
                    self.write(&mut sink, batch).await
                }
                () = &mut ping => {
                    if self.unanswered >= 2 {
                        break Some(Close::Gone);
                    }
                    self.unanswered += 1;
                    ping = sleep(self.door.clock.as_ref(), self.door.limits.ping_every);
                    self.write(&mut sink, vec![Message::Ping(bytes::Bytes::new())]).await
                }
            };
            if let Err(end) = wrote {
                break end;
            }
        };
        drop(self);
        farewell(sink, source, close).await;
    }

    /// Writes messages with one flush. A peer that takes no byte for too long is given up.
    async fn write(
        &mut self,
        sink: &mut SplitSink<Socket, Message>,
        messages: Vec<Message>,
    ) -> Result<(), Option<Close>> {
        if messages.is_empty() {
            return Ok(());
        }
        let stall = sleep(self.door.clock.as_ref(), self.door.limits.stall);
        let written = async {
            for message in messages {
                sink.feed(message).await?;
            }
            sink.flush().await
        };
        tokio::select! {
            result = written => result.map_err(|_| None),
            () = stall => Err(Some(Close::SlowReader)),
        }
    }

    /// Everything that waits, without what belongs to operations that were stopped.
    fn batch(&mut self, first: Out, waiting: &mut mpsc::Receiver<Out>) -> Vec<Message> {
        let mut batch = Vec::new();
        let mut next = Some(first);
        while let Some(out) = next {
            if self.gate.running(&out.id).is_some_and(|operation| operation.run == out.run) {
                if out.last {
                    self.gate.end(&out.id);
                }
                batch.push(Message::text(out.text));
            }
            next = if batch.len() < QUEUE { waiting.try_recv().ok() } else { None };
        }
        batch
    }

    fn hear(&mut self, frame: Message) -> Result<Vec<Message>, Option<Close>> {
        self.unanswered = 0;
        match frame {
            Message::Text(text) => self.obey(&text).map_err(Some),
            Message::Binary(_) => Err(Some(Close::BadMessage)),
            Message::Close(_) => Err(None),
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => Ok(Vec::new()),
        }
    }

    fn obey(&mut self, text: &str) -> Result<Vec<Message>, Close> {
        let reply = match self.gate.hear(text)? {
            Word::Init { authorization, language } => Some(self.introduce(authorization, language.as_deref())?),
            Word::Subscribe(id, request) => {
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
        Ok(reply.map(Message::text).into_iter().collect())
    }

    fn introduce(&mut self, authorization: Option<String>, language: Option<&str>) -> Result<String, Close> {
        let authorization = authorization.or_else(|| self.authorization.take());
        let known = self.door.auth.authenticate(authorization.as_deref()).map_err(|refused| {
            tracing::debug!(reason = %refused, "a token was refused");
            Close::Forbidden
        })?;
        self.caller =
            Caller { viewer: known.viewer, language: language.and_then(text::named).unwrap_or(self.caller.language) };
        self.deadline = match known.expires_at {
            Some(at) => self.door.clock.sleep_until(at),
            None => Box::pin(std::future::pending()),
        };
        self.gate.open();
        Ok(json!({ "type": "connection_ack" }).to_string())
    }

    fn refuse(&self, id: &str, refusal: Refusal) -> String {
        let (code, words) = match refusal {
            Refusal::Malformed(why) => ("BAD_USER_INPUT", why.to_owned()),
            Refusal::TooMany => ("COST_EXCEEDED", text::message(self.caller.language, "error-cost-exceeded", &[])),
        };
        let mut error = ServerError::new(words, None);
        let mut extensions = ErrorExtensionValues::default();
        extensions.set("code", code);
        error.extensions = Some(extensions);
        message("error", id, &serde_json::to_value([error]).unwrap_or_default())
    }

    fn begin(&mut self, id: String, request: Request) {
        self.runs += 1;
        let run = Run {
            id: id.clone(),
            run: self.runs,
            queue: self.queue.clone(),
            name: loggable(request.operation_name.as_deref()),
            viewer: if self.caller.viewer.person().is_some() { "person" } else { "anonymous" },
            began: self.door.clock.now(),
        };
        let (engine, caller, clock) = (self.door.engine.clone(), self.caller.clone(), self.door.clock.clone());
        let task = tokio::spawn(async move {
            let mut log = RunLog { run: &run, clock: clock.as_ref(), events: 0, reason: "stopped" };
            run.answer(&engine, request, &caller, &mut log).await;
        });
        self.gate.begin(id, Operation { run: self.runs, task: task.abort_handle() });
    }

    /// A hint that spreads those who come back over five seconds.
    fn restart(&self) -> Close {
        let random = self.door.ids.next(self.door.clock.now()).as_u128();
        Close::Restart { retry_after_ms: u16::try_from(random % 5000).unwrap_or_default() }
    }
}

/// One run of an operation.
struct Run {
    id: String,
    run: u64,
    queue: mpsc::Sender<Out>,
    name: Option<String>,
    viewer: &'static str,
    began: DateTime<Utc>,
}

impl Run {
    async fn answer(&self, engine: &Engine, mut request: Request, caller: &Caller, log: &mut RunLog<'_>) {
        let streams = matches!(Engine::operation(&mut request), Ok(OperationType::Subscription));
        let mut answers = std::pin::pin!(engine.stream(request, caller));
        while let Some(answer) = answers.next().await {
            let refused = log.events == 0 && streams && answer.data == async_graphql::Value::Null && answer.is_err();
            if refused || is_request_error(&answer) {
                log.reason = "refused";
                self.say(message("error", &self.id, &errors_of(&answer)), true).await;
                return;
            }
            log.events += 1;
            if !self.say(next(&self.id, &answer), false).await {
                return;
            }
        }
        log.reason = "complete";
        let text = json!({ "id": self.id, "type": "complete" }).to_string();
        self.say(text, true).await;
    }

    async fn say(&self, text: String, last: bool) -> bool {
        self.queue.send(Out { id: self.id.clone(), run: self.run, text, last }).await.is_ok()
    }
}

/// Says how an operation ended, however it did.
struct RunLog<'a> {
    run: &'a Run,
    clock: &'a dyn crate::clock::Clock,
    events: u64,
    reason: &'static str,
}

impl Drop for RunLog<'_> {
    fn drop(&mut self) {
        let Run { name, viewer, began, .. } = self.run;
        let ms = (self.clock.now() - began).num_milliseconds();
        let (events, reason) = (self.events, self.reason);
        tracing::info!(name, viewer, events, ms, reason, "graphql.subscription");
    }
}

fn next(id: &str, answer: &Response) -> String {
    let payload = serde_json::to_string(answer).ok().and_then(|json| RawValue::from_string(json).ok());
    let id = serde_json::to_string(id).unwrap_or_default();
    format!("{{\"id\":{id},\"type\":\"next\",\"payload\":{}}}", payload.as_deref().map_or("null", RawValue::get))
}

fn message(kind: &str, id: &str, payload: &Value) -> String {
    json!({ "id": id, "type": kind, "payload": payload }).to_string()
}

/// Says why, and waits a moment for the peer to have heard it.
async fn farewell(mut sink: SplitSink<Socket, Message>, mut source: SplitStream<Socket>, close: Option<Close>) {
    let part = async {
        let frame = close.as_ref().map(Close::frame);
        if sink.send(Message::Close(frame)).await.is_ok() {
            while let Some(Ok(_)) = source.next().await {}
        }
    };
    // A peer that does not answer is gone.
    let _ = tokio::time::timeout(FAREWELL, part).await;
}
