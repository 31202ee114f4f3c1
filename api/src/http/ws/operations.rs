//! The operations of one socket, each a stream of messages. They are polled in turn, so a busy stream cannot
//! starve the others, and nothing queues behind a slow reader.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use async_graphql::{Request, Response, parser::types::OperationType};
use bytes::Bytes;
use futures_util::{
    FutureExt, Stream, StreamExt,
    future::BoxFuture,
    stream::{self, AbortHandle, BoxStream, SelectAll, abortable},
};
use serde_json::{Value, json};
use tracing::Instrument as _;

use crate::{
    graphql::{
        attached_follower::{EventSink, RenderedEvent},
        caller::Caller,
        operation_response::OperationResponse,
    },
    http::{
        HttpState, access_log,
        execute::{self, OperationRun, error_code},
        subscription_log::{ConnectionEnd, EndReason, SubscriptionLog},
        ws::{
            connection_writer::ConnectionWriter,
            frames::{FrameBuffer, append_text},
            slots::Slot,
        },
    },
    telemetry::SPANS,
};

/// The transport's name in the log.
pub(in crate::http) const TRANSPORT: &str = "websocket";
/// Maximum number of messages in one write.
pub(in crate::http) const MAX_MESSAGES_PER_WRITE: usize = 64;
/// Approximate maximum number of bytes in one write.
const MAX_BYTES_PER_WRITE: usize = 64 << 10;

/// Takes the events of an operation that are delivered to its socket directly.
struct OperationSink {
    writer: Arc<ConnectionWriter>,
    id: Arc<OperationId>,
    /// Whether the client still wants events under this id.
    is_open: Arc<AtomicBool>,
    events: Arc<AtomicU64>,
}

impl EventSink for OperationSink {
    fn try_send(&self, events: &[RenderedEvent], scratch: &mut Vec<u8>) -> bool {
        let has_sent = self.writer.try_deliver(scratch, |buffer| {
            for event in events {
                append_text(buffer, &self.id.next_parts(&event.json));
            }
            self.is_open.load(Ordering::Acquire)
        });
        if has_sent {
            self.events.fetch_add(u64::try_from(events.len()).unwrap_or_default(), Ordering::Relaxed);
        }
        has_sent
    }
}

/// A message of an operation to the client.
pub(in crate::http) struct ServerMessage {
    pub(in crate::http) id: Arc<OperationId>,
    payload: ServerPayload,
}

enum ServerPayload {
    Next(Bytes),
    Error(Value),
    Complete,
}

/// An operation id, plain and encoded as JSON.
pub(in crate::http) struct OperationId {
    pub(in crate::http) plain: String,
    json: String,
}

impl OperationId {
    /// Returns the parts of a `next` message.
    fn next_parts<'a>(&'a self, json: &'a [u8]) -> [&'a [u8]; 5] {
        [b"{\"id\":", self.json.as_bytes(), b",\"type\":\"next\",\"payload\":", json, b"}"]
    }
}

impl ServerMessage {
    /// Returns whether the operation was rejected before it ran.
    pub(in crate::http) const fn is_error(&self) -> bool {
        matches!(self.payload, ServerPayload::Error(_))
    }

    /// Returns whether this is the operation's last message.
    pub(in crate::http) const fn is_last(&self) -> bool {
        !matches!(self.payload, ServerPayload::Next(_))
    }

    fn size(&self) -> usize {
        match &self.payload {
            ServerPayload::Next(json) => json.len() + self.id.json.len() + 64,
            ServerPayload::Error(_) | ServerPayload::Complete => 256,
        }
    }

    fn write(&self, frames: &mut FrameBuffer) {
        match &self.payload {
            ServerPayload::Next(json) => frames.text(&self.id.next_parts(json)),
            ServerPayload::Error(errors) => {
                let text = json!({ "id": self.id.plain, "type": "error", "payload": errors }).to_string();
                frames.text(&[text.as_bytes()]);
            }
            ServerPayload::Complete => {
                frames.text(&[json!({ "id": self.id.plain, "type": "complete" }).to_string().as_bytes()]);
            }
        }
    }
}

/// Encodes messages into one buffer.
pub(in crate::http) fn encode(messages: &[ServerMessage]) -> FrameBuffer {
    let mut frames = FrameBuffer::with_capacity(messages.iter().map(ServerMessage::size).sum());
    for message in messages {
        message.write(&mut frames);
    }
    frames
}

/// Aborts the operation when dropped.
#[derive(Debug)]
pub(in crate::http) struct OperationHandle {
    handle: AbortHandle,
    /// Whether events may be delivered under the operation's id, which the client may use again.
    is_open: Arc<AtomicBool>,
    /// Held for a subscription, which ends at once. A query or mutation holds its slot until its work ends.
    _slot: Option<Slot>,
}

impl Drop for OperationHandle {
    fn drop(&mut self) {
        self.is_open.store(false, Ordering::Release);
        self.handle.abort();
    }
}

/// An operation to start.
pub(in crate::http) struct NewOperation {
    pub(in crate::http) id: String,
    pub(in crate::http) request: Request,
    pub(in crate::http) slot: Slot,
}

/// The running operations of a socket. Most sockets run one, so the first is stored without a `SelectAll`.
pub(in crate::http) struct ActiveOperations {
    /// The connection to which events are delivered directly.
    writer: Arc<ConnectionWriter>,
    /// The end reason that is logged for operations still running when the connection ends.
    pub(in crate::http) connection_end: ConnectionEnd,
    first: Option<BoxStream<'static, ServerMessage>>,
    others: SelectAll<BoxStream<'static, ServerMessage>>,
}

impl ActiveOperations {
    /// Creates the operations of a socket, of which none runs.
    pub(in crate::http) fn new(writer: Arc<ConnectionWriter>) -> Self {
        Self { writer, connection_end: ConnectionEnd::default(), first: None, others: SelectAll::new() }
    }

    /// Starts an operation.
    pub(in crate::http) fn start(
        &mut self,
        new: NewOperation,
        caller: &Caller,
        state: &Arc<HttpState>,
    ) -> OperationHandle {
        let NewOperation { id, mut request, slot } = new;
        let mut slot = Some(slot);
        let json = Value::String(id.clone()).to_string();
        let id = Arc::new(OperationId { plain: id, json });
        let is_open = Arc::new(AtomicBool::new(true));
        // The engine reports documents that cannot be run.
        let operation = state.engine.operation(&mut request).unwrap_or(OperationType::Query);
        let name = access_log::operation_name(&mut request);
        let span = tracing::info_span!(target: SPANS, "graphql.socket", %operation, name);
        let caller = caller.clone();
        // Boxed, to free what only the start needs.
        let started: BoxFuture<'static, (OperationOutput, BoxStream<'static, OperationResponse>)> =
            if operation == OperationType::Subscription {
                let log = SubscriptionLog::start(state, TRANSPORT, name, &caller.viewer, self.connection_end.clone());
                let sink: Arc<dyn EventSink> = Arc::new(OperationSink {
                    writer: Arc::clone(&self.writer),
                    id: Arc::clone(&id),
                    is_open: Arc::clone(&is_open),
                    events: Arc::clone(log.events()),
                });
                let output = OperationOutput { id, log: Some(log) };
                let responses = execute::subscribe(Arc::clone(state), request, caller, None, Some(sink)).boxed();
                async move { (output, responses.await) }.instrument(span).boxed()
            } else {
                let transport = TRANSPORT;
                let single = OperationRun { request, operation, name, caller, transport, holds_rejection: true, span };
                let response = execute::execute_holding(state, single, slot.take());
                let output = OperationOutput { id, log: None };
                async move { (output, stream::iter([response.await.into_operation_response()]).boxed()) }.boxed()
            };
        let messages = started.map(|(output, responses)| output.messages(responses)).flatten_stream();
        let (messages, handle) = abortable(messages);
        match &mut self.first {
            Some(_) => self.others.push(messages.boxed()),
            none => *none = Some(messages.boxed()),
        }
        OperationHandle { handle, is_open, _slot: slot }
    }

    /// Polls all operations for messages, up to the limits of one write. Pending if there are none. Until messages
    /// are written, nothing is delivered to the connection that could overtake them.
    pub(in crate::http) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Vec<ServerMessage>> {
        self.writer.hold();
        let (mut ready, mut bytes) = (Vec::new(), 0);
        while ready.len() < MAX_MESSAGES_PER_WRITE && bytes < MAX_BYTES_PER_WRITE {
            let before = ready.len();
            if let Some(first) = &mut self.first {
                match first.poll_next_unpin(cx) {
                    Poll::Ready(Some(message)) => ready.push(message),
                    Poll::Ready(None) => self.first = None,
                    Poll::Pending => {}
                }
            }
            if let Poll::Ready(Some(message)) = self.others.poll_next_unpin(cx) {
                ready.push(message);
            }
            let Some(new) = ready.get(before..).filter(|new| !new.is_empty()) else { break };
            bytes += new.iter().map(ServerMessage::size).sum::<usize>();
        }
        if ready.is_empty() {
            self.writer.release();
            return Poll::Pending;
        }
        Poll::Ready(ready)
    }
}

/// The message stream of one operation.
struct OperationOutput {
    id: Arc<OperationId>,
    /// The log record of a subscription; `None` for a query or mutation.
    log: Option<SubscriptionLog>,
}

impl OperationOutput {
    fn messages(
        self,
        responses: BoxStream<'static, OperationResponse>,
    ) -> impl Stream<Item = ServerMessage> + Send + 'static {
        stream::unfold(Some((self, responses)), move |state| async move {
            let (mut output, mut responses) = state?;
            let payload = match responses.next().await {
                Some(OperationResponse::Serialized { json, .. }) => output.rendered(json),
                Some(OperationResponse::Rejected(response)) => output.rejected(&response),
                Some(OperationResponse::EventsExpired) => output.ended(EndReason::EventsExpired),
                None => output.ended(EndReason::Complete),
            };
            let message = ServerMessage { id: Arc::clone(&output.id), payload };
            let continues = !message.is_last();
            Some((message, continues.then_some((output, responses))))
        })
    }

    fn rendered(&mut self, json: Bytes) -> ServerPayload {
        if let Some(log) = &mut self.log {
            log.count_event();
            metrics::counter!("kezdesu_deliveries_total", "by" => "subscriber").increment(1);
        }
        ServerPayload::Next(json)
    }

    /// The operation was rejected before it ran.
    fn rejected(&mut self, response: &Response) -> ServerPayload {
        if let Some(log) = &mut self.log {
            log.reject(error_code(&response.errors));
        }
        ServerPayload::Error(serde_json::to_value(&response.errors).unwrap_or_default())
    }

    fn ended(&mut self, reason: EndReason) -> ServerPayload {
        if let Some(log) = &mut self.log {
            log.end(reason);
        }
        ServerPayload::Complete
    }
}
