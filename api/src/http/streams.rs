//! Streams over plain HTTP, one operation a connection: server-sent events (graphql-sse, distinct connections) and multipart
//! (`multipart/mixed; subscriptionSpec=1.0`). Both resume as the WebSocket door does.

use std::{convert::Infallible, sync::Arc, time::Duration};

use async_graphql::Request;
use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};
use chrono::TimeDelta;
use futures_util::{
    FutureExt, StreamExt,
    future::abortable,
    stream::{self, AbortHandle},
};
use tokio::sync::mpsc;
use tracing::{Instrument as _, Span};

use crate::{
    clock::{Clock, Sleep, sleep},
    feed::Resume,
    graphql::{
        engine::{Answer, Caller, errors_json},
        live::Position,
        meter::AnswerMemory,
    },
    http::{
        Door,
        answering::code,
        following::{Following, Reason},
        link::Link,
        negotiate::Form,
        request::BadRequest,
    },
};

/// How often a silent stream says that it is alive, so that no proxy takes it for dead.
const ALIVE: TimeDelta = TimeDelta::seconds(12);
/// How long the last word may wait for its reader.
const FAREWELL: Duration = Duration::from_secs(2);

/// How the answers of a stream are framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum Framing {
    /// As server-sent events. Each says its position, so that a browser resumes by itself.
    Events,
    /// As the parts of a multipart body.
    Parts,
}

impl Framing {
    const fn form(self) -> Form {
        match self {
            Self::Events => Form::Events,
            Self::Parts => Form::Parts,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Events => "sse",
            Self::Parts => "multipart",
        }
    }

    const fn opening(self) -> &'static [u8] {
        match self {
            Self::Events => b"",
            Self::Parts => b"--graphql",
        }
    }

    /// A part ends with the boundary of the next: only then does a reader know that it is whole.
    fn next(self, json: &[u8], position: Option<&Position>) -> Vec<u8> {
        let id = |Position { epoch, seq }: &Position| format!("id: {epoch}.{seq}\n");
        let position = position.map_or_else(String::new, id);
        let parts: &[&[u8]] = match self {
            Self::Events => &[b"event: next\ndata: ", json, b"\n", position.as_bytes(), b"\n"],
            Self::Parts => &[b"\r\ncontent-type: application/json\r\n\r\n{\"payload\":", json, b"}\r\n--graphql"],
        };
        parts.concat()
    }

    const fn alive(self) -> &'static [u8] {
        match self {
            Self::Events => b":\n\n",
            Self::Parts => b"\r\ncontent-type: application/json\r\n\r\n{}\r\n--graphql",
        }
    }

    const fn complete(self) -> &'static [u8] {
        match self {
            Self::Events => b"event: complete\ndata:\n\n",
            Self::Parts => b"--\r\n",
        }
    }
}

/// What a browser has seen last, as it says when it comes back: `epoch.position`, or the position alone as earlier versions told it.
pub(in crate::http) fn last_event_id(headers: &HeaderMap) -> Result<Option<Resume>, BadRequest> {
    let Some(value) = headers.get(HeaderName::from_static("last-event-id")) else { return Ok(None) };
    let resume = value.to_str().ok().and_then(|text| {
        let (epoch, position) = text.rsplit_once('.').map_or((None, text), |(epoch, position)| (Some(epoch), position));
        let after = position.parse().ok().filter(|position| *position >= 0_i64)?;
        Some(Resume { after, epoch: epoch.map(str::to_owned) })
    });
    // To begin anew instead would be a hole that nobody sees.
    resume.map(Some).ok_or(BadRequest::new("request-last-event-id"))
}

/// What is streamed, and from where on.
pub(in crate::http) struct Streamed {
    pub(in crate::http) request: Request,
    /// The operation's name, as it is logged.
    pub(in crate::http) name: Option<String>,
    pub(in crate::http) framing: Framing,
    pub(in crate::http) resume: Option<Resume>,
    /// When the caller is no longer known.
    pub(in crate::http) end: Sleep,
    /// The connection it goes over.
    pub(in crate::http) link: Link,
    /// The trace it belongs to.
    pub(in crate::http) span: Span,
}

/// One answer as a stream of one event, as whoever asks for nothing but events must be told it.
pub(in crate::http) fn single(json: &[u8]) -> Response {
    let event = Framing::Events.next(json, None);
    answered(Framing::Events, Body::from([&*event, Framing::Events.complete()].concat()))
}

/// Streams the answers of an operation until it ends, its caller is no longer known, or the service stops.
pub(in crate::http) fn stream(door: &Door, streamed: Streamed, caller: Caller) -> Response {
    let Streamed { request, name, framing, resume, end, link, span } = streamed;
    let following = Following::begin(door, framing.name(), name, &caller.viewer, link.fate());
    let engine = door.engine.clone();
    let begun = async move { engine.answers(request, &caller, resume).await }.instrument(span);
    let life = door.life.clone();
    let source = Source {
        framing,
        answers: begun.flatten_stream().boxed(),
        end,
        drain: Box::pin(async move { life.draining().await }),
        clock: Arc::clone(&door.clock),
        memory: door.engine.memory().clone(),
        following,
        _open: Open::new(framing),
    };
    let (room, filled) = mpsc::channel(1);
    let (work, handle) = abortable(source.run(room, link));
    // In a task of its own, which looks after the end also while the body waits for its reader.
    door.life.track(async move {
        // Where it was stopped the client has hung up.
        let _ = work.await;
    });
    let reading = Reading { filled, _work: Stopped(handle) };
    let body = stream::unfold(reading, |mut reading| async move {
        let bytes = reading.filled.recv().await?;
        Some((bytes, reading))
    });
    let body = stream::iter([Bytes::from_static(framing.opening())]).chain(body).map(Ok::<_, Infallible>);
    answered(framing, Body::from_stream(body))
}

fn answered(framing: Framing, body: Body) -> Response {
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(framing.form().content_type()));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Proxies such as nginx hold answers back unless told.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// Counts the open streams.
struct Open(Framing);

impl Open {
    fn new(framing: Framing) -> Self {
        metrics::gauge!("kezdesu_streams", "door" => framing.name()).increment(1.0);
        Self(framing)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        metrics::gauge!("kezdesu_streams", "door" => self.0.name()).decrement(1.0);
    }
}

/// What the body of the answer reads from. With it the work ends.
struct Reading {
    filled: mpsc::Receiver<Bytes>,
    _work: Stopped,
}

/// Stops a work when it is dropped.
struct Stopped(AbortHandle);

impl Drop for Stopped {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Where what is streamed comes from.
struct Source {
    framing: Framing,
    answers: stream::BoxStream<'static, Answer>,
    end: Sleep,
    drain: Sleep,
    clock: Arc<dyn Clock>,
    memory: AnswerMemory,
    following: Following,
    _open: Open,
}

impl Source {
    async fn run(mut self, room: mpsc::Sender<Bytes>, link: Link) {
        if let Some(reason) = self.fill(&room).await {
            self.following.end(reason);
        }
        // A reader that is there takes the last word at once. Real time, as at the end of a socket.
        let last = room.send(Bytes::from_static(self.framing.complete()));
        if tokio::time::timeout(FAREWELL, last).await.is_err() {
            link.cut();
        }
    }

    /// Fills the room with one thing after the other, each made only once there is room for it. Gives why that is over, unless the
    /// connection is.
    async fn fill(&mut self, room: &mpsc::Sender<Bytes>) -> Option<Reason> {
        loop {
            let place = tokio::select! {
                biased;
                () = &mut self.end => return Some(Reason::Token),
                () = &mut self.drain => return Some(Reason::Draining),
                place = room.reserve() => place,
            };
            let place = place.ok()?;
            let alive = sleep(self.clock.as_ref(), ALIVE);
            let answer = tokio::select! {
                biased;
                () = &mut self.end => return Some(Reason::Token),
                () = &mut self.drain => return Some(Reason::Draining),
                answer = self.answers.next() => answer,
                () = alive => {
                    place.send(Bytes::from_static(self.framing.alive()));
                    continue;
                }
            };
            match answer {
                None => return Some(Reason::Complete),
                Some(Answer::Behind) => return Some(Reason::Behind),
                Some(Answer::Rendered { json, position }) => {
                    self.following.events += 1;
                    place.send(self.memory.hold(self.framing.next(&json, position.as_ref())));
                }
                Some(Answer::Plain(refusal)) => {
                    self.following.refuse(code(&refusal.errors));
                    place.send(self.framing.next(&errors_json(&refusal), None).into());
                }
            }
        }
    }
}
