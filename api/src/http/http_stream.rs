//! Subscriptions over plain HTTP, one a connection: server-sent events (graphql-sse, distinct connections
//! mode) and multipart (`multipart/mixed; subscriptionSpec=1.0`). Both resume like the WebSocket transport.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

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
        attached_follower::{EventSink, RenderedEvent},
        caller::Caller,
        meter::ResponseMemory,
        operation_response::{OperationResponse, errors_json},
        stream_item::StreamPosition,
    },
    http::{
        HttpState,
        bad_request::BadRequest,
        connection::ConnectionState,
        content_negotiation::ResponseFormat,
        execute::{self, error_code},
        gauge_guard::GaugeGuard,
        subscription_log::{EndReason, SubscriptionLog},
    },
};

/// Interval of keep-alive messages on a silent stream, so that proxies do not close it.
const KEEP_ALIVE_INTERVAL: TimeDelta = TimeDelta::seconds(12);
/// Upper bound of what a frame adds to its event, in bytes.
const FRAME_OVERHEAD: usize = 96;
/// Frames that wait for the client to take them: one of the stream itself, and one delivery.
const MAX_WAITING_FRAMES: usize = 2;
/// Maximum size of a delivery. The stream itself sends larger events, one by one.
const MAX_DELIVERY: usize = 64 << 10;
/// How long the final message may wait for a slow reader.
const FINAL_WRITE_TIMEOUT: Duration = Duration::from_secs(2);

/// The framing of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum StreamFraming {
    /// Server-sent events. Each carries its position as the event id, so that browsers resume by themselves.
    Sse,
    /// Parts of a multipart body.
    Multipart,
}

impl StreamFraming {
    const fn response_format(self) -> ResponseFormat {
        match self {
            Self::Sse => ResponseFormat::EventStream,
            Self::Multipart => ResponseFormat::Multipart,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Sse => "sse",
            Self::Multipart => "multipart",
        }
    }

    const fn opening(self) -> &'static [u8] {
        match self {
            Self::Sse => b"",
            Self::Multipart => b"--graphql",
        }
    }

    /// Appends an event. A part ends with the next boundary, because a client cannot parse it before.
    fn append(self, frames: &mut Vec<u8>, json: &[u8], position: Option<&StreamPosition>) {
        let id = |StreamPosition { epoch, seq }: &StreamPosition| format!("id: {epoch}.{seq}\n");
        let position = position.map_or_else(String::new, id);
        let parts: &[&[u8]] = match self {
            Self::Sse => &[b"event: next\ndata: ", json, b"\n", position.as_bytes(), b"\n"],
            Self::Multipart => &[b"\r\ncontent-type: application/json\r\n\r\n{\"payload\":", json, b"}\r\n--graphql"],
        };
        parts.iter().for_each(|part| frames.extend_from_slice(part));
    }

    fn next(self, json: &[u8], position: Option<&StreamPosition>) -> Vec<u8> {
        let mut frames = Vec::with_capacity(json.len() + FRAME_OVERHEAD);
        self.append(&mut frames, json, position);
        frames
    }

    const fn keep_alive(self) -> &'static [u8] {
        match self {
            Self::Sse => b":\n\n",
            Self::Multipart => b"\r\ncontent-type: application/json\r\n\r\n{}\r\n--graphql",
        }
    }

    const fn complete(self) -> &'static [u8] {
        match self {
            Self::Sse => b"event: complete\ndata:\n\n",
            Self::Multipart => b"--\r\n",
        }
    }
}

/// Parses `Last-Event-ID`: `epoch.position`, or the position alone as earlier versions sent it.
pub(in crate::http) fn last_event_id(headers: &HeaderMap) -> Result<Option<Resume>, BadRequest> {
    let Some(value) = headers.get(HeaderName::from_static("last-event-id")) else { return Ok(None) };
    let resume = value.to_str().ok().and_then(|text| {
        let (epoch, position) = text.rsplit_once('.').map_or((None, text), |(epoch, position)| (Some(epoch), position));
        let after = position.parse().ok().filter(|position| *position >= 0_i64)?;
        Some(Resume { after, epoch: epoch.map(str::to_owned) })
    });
    // Starting afresh instead would silently skip events.
    resume.map(Some).ok_or(BadRequest::new("request-last-event-id"))
}

/// A subscription to stream.
pub(in crate::http) struct StreamRequest {
    pub(in crate::http) request: Request,
    /// The operation's name, as it is logged.
    pub(in crate::http) name: Option<String>,
    pub(in crate::http) framing: StreamFraming,
    pub(in crate::http) resume: Option<Resume>,
    /// Completes when the caller's token expires or is revoked.
    pub(in crate::http) session_end: Sleep,
    /// The connection it is sent on.
    pub(in crate::http) connection: ConnectionState,
    /// The span of the request's trace.
    pub(in crate::http) span: Span,
}

/// Returns one response as an event stream, for clients that accept nothing else.
pub(in crate::http) fn single(json: &[u8]) -> Response {
    let event = StreamFraming::Sse.next(json, None);
    stream_response(StreamFraming::Sse, Body::from([&*event, StreamFraming::Sse.complete()].concat()))
}

/// Streams a subscription until it completes, the caller's session ends, or draining starts.
pub(in crate::http) fn stream(state: &Arc<HttpState>, stream_request: StreamRequest, caller: Caller) -> Response {
    let StreamRequest { request, name, framing, resume, session_end, connection, span } = stream_request;
    let log = SubscriptionLog::start(state, framing.name(), name, &caller.viewer, connection.connection_end());
    let (sender, receiver) = mpsc::channel(MAX_WAITING_FRAMES);
    let memory = state.engine.memory();
    let sink = StreamSink { framing, sender: sender.clone(), memory: memory.clone(), events: Arc::clone(log.events()) };
    let started = execute::subscribe(Arc::clone(state), request, caller, resume, Some(Arc::new(sink)));
    let started = started.instrument(span);
    let lifecycle = state.lifecycle.clone();
    let producer = StreamProducer {
        framing,
        responses: started.flatten_stream().boxed(),
        session_end,
        drain: Box::pin(async move { lifecycle.draining().await }),
        clock: Arc::clone(&state.clock),
        memory: memory.clone(),
        log,
        _gauge: GaugeGuard::new(metrics::gauge!("kezdesu_streams", "door" => framing.name())),
    };
    let (work, handle) = abortable(producer.run(sender, connection));
    // A task of its own, which observes the end also while the body waits for its reader.
    state.lifecycle.track(async move {
        // An error means that the client disconnected.
        let _ = work.await;
    });
    let body_state = StreamBody { receiver, _work: AbortOnDrop(handle) };
    let body = stream::unfold(body_state, |mut body_state| async move {
        let bytes = body_state.receiver.recv().await?;
        Some((bytes, body_state))
    });
    let body = stream::iter([Bytes::from_static(framing.opening())]).chain(body).map(Ok::<_, Infallible>);
    stream_response(framing, Body::from_stream(body))
}

fn stream_response(framing: StreamFraming, body: Body) -> Response {
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(framing.response_format().content_type()));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Proxies such as nginx buffer responses unless told not to.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// State of the response body. Dropping it aborts the producer.
struct StreamBody {
    receiver: mpsc::Receiver<Bytes>,
    _work: AbortOnDrop,
}

/// Aborts a task when dropped.
struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Takes the events that are delivered to a stream directly. It has one of the places in the channel; the producer
/// keeps the other, so that its own frames follow those that were delivered before.
struct StreamSink {
    framing: StreamFraming,
    sender: mpsc::Sender<Bytes>,
    memory: ResponseMemory,
    events: Arc<AtomicU64>,
}

impl EventSink for StreamSink {
    fn try_send(&self, events: &[RenderedEvent], _: &mut Vec<u8>) -> bool {
        let size = events.iter().map(|event| event.json.len() + FRAME_OVERHEAD).sum();
        if size > MAX_DELIVERY {
            return false;
        }
        let Ok(permit) = self.sender.try_reserve() else { return false };
        let mut frames = Vec::with_capacity(size);
        for RenderedEvent { json, position } in events {
            self.framing.append(&mut frames, json, Some(position));
        }
        permit.send(self.memory.hold(frames));
        self.events.fetch_add(u64::try_from(events.len()).unwrap_or_default(), Ordering::Relaxed);
        true
    }
}

/// Produces the frames of a stream.
struct StreamProducer {
    framing: StreamFraming,
    responses: stream::BoxStream<'static, OperationResponse>,
    session_end: Sleep,
    drain: Sleep,
    clock: Arc<dyn Clock>,
    memory: ResponseMemory,
    log: SubscriptionLog,
    _gauge: GaugeGuard,
}

impl StreamProducer {
    async fn run(mut self, sender: mpsc::Sender<Bytes>, connection: ConnectionState) {
        let ended = self.pump(&sender).await;
        // Nothing is delivered after the last frame.
        self.responses = stream::empty().boxed();
        if let Some(reason) = ended {
            self.log.end(reason);
        }
        // A client that reads takes this at once. Real time, as when a WebSocket closes.
        let final_write = sender.send(Bytes::from_static(self.framing.complete()));
        if tokio::time::timeout(FINAL_WRITE_TIMEOUT, final_write).await.is_err() {
            connection.abort();
        }
    }

    /// Sends one frame after the other, each rendered only once the client has taken the last but one. Returns why
    /// the stream ended, or `None` if the client disconnected.
    async fn pump(&mut self, sender: &mpsc::Sender<Bytes>) -> Option<EndReason> {
        loop {
            let permit = tokio::select! {
                biased;
                () = &mut self.session_end => return Some(EndReason::TokenEnded),
                () = &mut self.drain => return Some(EndReason::Draining),
                permit = sender.reserve() => permit,
            };
            let permit = permit.ok()?;
            let keep_alive = sleep(self.clock.as_ref(), KEEP_ALIVE_INTERVAL);
            let response = tokio::select! {
                biased;
                () = &mut self.session_end => return Some(EndReason::TokenEnded),
                () = &mut self.drain => return Some(EndReason::Draining),
                response = self.responses.next() => response,
                () = keep_alive => {
                    permit.send(Bytes::from_static(self.framing.keep_alive()));
                    continue;
                }
            };
            match response {
                None => return Some(EndReason::Complete),
                Some(OperationResponse::EventsExpired) => return Some(EndReason::EventsExpired),
                Some(OperationResponse::Serialized { json, position }) => {
                    self.log.count_event();
                    metrics::counter!("kezdesu_deliveries_total", "by" => "subscriber").increment(1);
                    permit.send(self.memory.hold(self.framing.next(&json, position.as_ref())));
                }
                Some(OperationResponse::Rejected(response)) => {
                    self.log.reject(error_code(&response.errors));
                    permit.send(self.framing.next(&errors_json(&response), None).into());
                }
            }
        }
    }
}
