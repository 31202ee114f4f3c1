//! Streams over plain HTTP, one operation a connection: server-sent events (graphql-sse, distinct connections) and multipart
//! (`multipart/mixed; subscriptionSpec=1.0`). Both resume as the WebSocket door does.

use std::{convert::Infallible, sync::Arc};

use async_graphql::Request;
use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};
use chrono::TimeDelta;
use futures_util::{FutureExt, StreamExt, stream};
use tracing::{Instrument as _, Span};

use crate::{
    clock::{Clock, Sleep, sleep},
    graphql::engine::{Answer, Caller},
    http::{Door, following::Following, graphql::json_of, negotiate::Form, request::BadRequest},
};

/// How often a silent stream says that it is alive, so that no proxy takes it for dead.
const ALIVE: TimeDelta = TimeDelta::seconds(12);

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
    fn next(self, answer: &Answer) -> Bytes {
        let (json, position) = match answer {
            Answer::Plain(response) => (json_of(response).into(), None),
            Answer::Rendered { json, position } => (json.clone(), *position),
        };
        let position = position.map_or_else(String::new, |position| format!("id: {position}\n"));
        let parts: &[&[u8]] = match self {
            Self::Events => &[b"event: next\ndata: ", &json, b"\n", position.as_bytes(), b"\n"],
            Self::Parts => &[b"\r\ncontent-type: application/json\r\n\r\n{\"payload\":", &json, b"}\r\n--graphql"],
        };
        parts.concat().into()
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

/// The position that a browser has seen last, as it says when it comes back.
pub(in crate::http) fn last_event_id(headers: &HeaderMap) -> Result<Option<i64>, BadRequest> {
    let Some(value) = headers.get(HeaderName::from_static("last-event-id")) else { return Ok(None) };
    let position = value.to_str().ok().and_then(|text| text.parse().ok()).filter(|position| *position >= 0_i64);
    // To begin anew instead would be a hole that nobody sees.
    position.map(Some).ok_or(BadRequest::new("\"Last-Event-ID\" must be the id of an event of this stream"))
}

/// What is streamed, and from where on.
pub(in crate::http) struct Streamed {
    pub(in crate::http) request: Request,
    pub(in crate::http) framing: Framing,
    pub(in crate::http) resume: Option<i64>,
    /// When the caller is no longer known.
    pub(in crate::http) end: Sleep,
    /// The trace it belongs to.
    pub(in crate::http) span: Span,
}

/// One answer as a stream of one event, as whoever asks for nothing but events must be told it.
pub(in crate::http) fn single(answer: async_graphql::Response) -> Response {
    let event = Framing::Events.next(&Answer::Plain(Box::new(answer)));
    answered(Framing::Events, Body::from([&*event, Framing::Events.complete()].concat()))
}

/// Streams the answers of an operation until it ends, its caller is no longer known, or the service stops.
pub(in crate::http) fn stream(door: &Door, streamed: Streamed, caller: Caller) -> Response {
    let Streamed { request, framing, resume, end, span } = streamed;
    let following = Following::begin(door, request.operation_name.as_deref(), &caller);
    let engine = door.engine.clone();
    let begun = async move { engine.answers(request, &caller, resume).await }.instrument(span);
    let answers = begun.flatten_stream().boxed();
    let life = door.life.clone();
    let state = State {
        framing,
        answers,
        end,
        clock: Arc::clone(&door.clock),
        drain: Box::pin(async move { life.draining().await }),
        following,
        done: false,
        _open: Open::new(framing),
    };
    let body = stream::unfold(state, |mut state| async move {
        let bytes = state.next().await?;
        Some((bytes, state))
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

struct State {
    framing: Framing,
    answers: stream::BoxStream<'static, Answer>,
    end: Sleep,
    drain: Sleep,
    clock: Arc<dyn Clock>,
    following: Following,
    done: bool,
    _open: Open,
}

impl State {
    async fn next(&mut self) -> Option<Bytes> {
        if self.done {
            return None;
        }
        let alive = sleep(self.clock.as_ref(), ALIVE);
        let answer = tokio::select! {
            biased;
            () = &mut self.end => None,
            () = &mut self.drain => None,
            answer = self.answers.next() => answer,
            () = alive => return Some(Bytes::from_static(self.framing.alive())),
        };
        Some(match answer {
            Some(answer) => {
                self.following.events += 1;
                self.framing.next(&answer)
            }
            None => {
                self.done = true;
                self.following.reason = "complete";
                Bytes::from_static(self.framing.complete())
            }
        })
    }
}
