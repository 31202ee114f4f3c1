//! One WebSocket session: reads messages, runs operations, writes frames in batches, and ends for one reason.

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
    graphql::caller::Caller,
    http::{
        HttpState,
        access_log::{self, AccessLogEntry},
        gauge_guard::GaugeGuard,
        request,
        subscription_log::EndReason,
        ws::{
            close::CloseReason,
            closing::{ClosingHandshake, Disconnect},
            connection_writer::ConnectionWriter,
            frames::{FrameBuffer, Socket, write_frames},
            lazy_timer::LazyTimer,
            message_rate_limit::MessageRateLimit,
            operations::{
                ActiveOperations, MAX_MESSAGES_PER_WRITE, NewOperation, OperationHandle, ServerMessage, TRANSPORT,
                encode,
            },
            protocol::{ClientMessage, ProtocolState, SubscribeError},
        },
    },
    text,
};

struct Session {
    http: Arc<HttpState>,
    protocol: ProtocolState<OperationHandle>,
    operations: ActiveOperations,
    writer: Arc<ConnectionWriter>,
    caller: Caller,
    authorization: Option<String>,
    /// Fires when draining starts.
    drain: LazyTimer,
    /// First the deadline for `connection_init`, then the expiry of the caller's token.
    deadline: LazyTimer,
    ping: LazyTimer,
    /// Number of unanswered pings.
    unanswered: u8,
    /// Rate limit of messages that run no operation.
    message_rate: MessageRateLimit,
    /// Whether the next poll reads first; alternates for fairness.
    reads_first: bool,
}

/// What is known of the client before `connection_init`.
pub(in crate::http) struct Handshake {
    /// The `Authorization` header.
    pub(in crate::http) authorization: Option<String>,
    /// The language negotiated from the headers.
    pub(in crate::http) language: Language,
    /// The client's IP address.
    pub(in crate::http) address: Option<IpAddr>,
    /// Maximum number of concurrent operations.
    pub(in crate::http) operations: usize,
}

/// The next event for the session to handle.
enum SocketEvent {
    Drain,
    Deadline,
    Ping,
    Received(Option<Result<Message, Error>>),
    Ready(Vec<ServerMessage>),
    /// The peer has not accepted all that was delivered.
    Unsent,
}

/// Runs a session until it ends. Thousands wait at once, so the future is kept small: it holds the session once, and
/// the socket and what is rarely needed are boxed.
pub(in crate::http) async fn run(http: Arc<HttpState>, mut socket: Box<Socket>, handshake: Handshake) {
    let _open_sockets = GaugeGuard::new(metrics::gauge!("kezdesu_sockets"));
    let lifecycle = http.lifecycle.clone();
    let mut session = Session {
        protocol: ProtocolState::new(handshake.operations, Arc::clone(&http.persisted_queries)),
        operations: ActiveOperations::new(Arc::clone(socket.get_ref().writer())),
        writer: Arc::clone(socket.get_ref().writer()),
        caller: Caller { viewer: Viewer::Anonymous, language: handshake.language, address: handshake.address },
        authorization: handshake.authorization,
        drain: LazyTimer::new(Box::pin(async move { lifecycle.draining().await })),
        deadline: LazyTimer::new(sleep(http.clock.as_ref(), http.limits.init_timeout)),
        ping: LazyTimer::new(sleep(http.clock.as_ref(), http.limits.ping_interval)),
        unanswered: 0,
        message_rate: MessageRateLimit::of(handshake.operations),
        reads_first: false,
        http,
    };
    let closing = session.serve(&mut socket).await;
    drop(session);
    if let Some(closing) = closing {
        Box::pin(closing.run(*socket)).await;
    }
}

impl Session {
    /// Serves until the session ends. Returns the closing handshake that is still to be done.
    async fn serve(&mut self, socket: &mut Socket) -> Option<ClosingHandshake> {
        loop {
            let done = match poll_fn(|cx| self.poll_event(socket, cx)).await {
                SocketEvent::Drain => {
                    self.operations.connection_end.set(EndReason::Draining);
                    Err(Disconnect::Close(self.restart_reason()))
                }
                SocketEvent::Deadline => {
                    self.operations.connection_end.set(EndReason::TokenEnded);
                    Err(Disconnect::Close(if self.protocol.is_acknowledged() {
                        CloseReason::Forbidden
                    } else {
                        CloseReason::InitTimeout
                    }))
                }
                SocketEvent::Ping if self.unanswered >= 2 => Err(Disconnect::Close(CloseReason::PingTimeout)),
                SocketEvent::Ping => {
                    self.unanswered += 1;
                    self.ping = LazyTimer::new(sleep(self.http.clock.as_ref(), self.http.limits.ping_interval));
                    let mut frames = FrameBuffer::default();
                    frames.ping();
                    self.write(socket, &frames).await
                }
                // The reply is written before the next read, so a client that does not read cannot make
                // replies pile up.
                SocketEvent::Received(Some(Ok(frame))) => match self.receive(frame) {
                    Ok(Some(reply)) => self.write(socket, &reply).await,
                    Ok(None) => Ok(()),
                    Err(end) => Err(end),
                },
                SocketEvent::Received(Some(Err(error))) => Err(Disconnect::from_read_error(&error)),
                SocketEvent::Received(None) => Err(Disconnect::Lost),
                SocketEvent::Ready(messages) => self.send(socket, &messages).await,
                SocketEvent::Unsent => self.write(socket, &FrameBuffer::default()).await,
            };
            match done {
                Ok(()) => {}
                Err(Disconnect::Close(close)) => {
                    return Some(ClosingHandshake::Initiate(close.frame(self.caller.language)));
                }
                Err(Disconnect::PeerClosed) => return Some(ClosingHandshake::Reply),
                Err(Disconnect::Lost) => return None,
            }
        }
    }

    fn poll_event(&mut self, socket: &mut Socket, cx: &mut Context<'_>) -> Poll<SocketEvent> {
        if self.drain.poll(cx).is_ready() {
            return Poll::Ready(SocketEvent::Drain);
        }
        if self.deadline.poll(cx).is_ready() {
            return Poll::Ready(SocketEvent::Deadline);
        }
        if self.writer.poll_unsent(cx) {
            return Poll::Ready(SocketEvent::Unsent);
        }
        // Alternate, so that neither a chatty client nor a busy subscription starves the other.
        self.reads_first = !self.reads_first;
        for reads in [self.reads_first, !self.reads_first] {
            if reads {
                if let Poll::Ready(frame) = socket.poll_next_unpin(cx) {
                    return Poll::Ready(SocketEvent::Received(frame));
                }
            } else if let Poll::Ready(messages) = self.operations.poll_ready(cx) {
                return Poll::Ready(SocketEvent::Ready(messages));
            }
        }
        self.ping.poll(cx).map(|()| SocketEvent::Ping)
    }

    /// Writes frames. Gives up if the peer accepts no bytes for too long, or when the session must end.
    async fn write(&mut self, socket: &mut Socket, frames: &FrameBuffer) -> Result<(), Disconnect> {
        let mut written = std::pin::pin!(write_frames(socket, frames));
        if let Some(result) = written.as_mut().now_or_never() {
            return result.map_err(|_| Disconnect::Lost);
        }
        let stall = sleep(self.http.clock.as_ref(), self.http.limits.write_timeout);
        tokio::select! {
            biased;
            result = written => result.map_err(|_| Disconnect::Lost),
            () = stall => {
                self.operations.connection_end.set(EndReason::SlowReader);
                metrics::counter!("kezdesu_slow_readers_total").increment(1);
                tracing::info!("closed a WebSocket: slow reader");
                Err(Disconnect::Lost)
            }
            () = poll_fn(|cx| self.deadline.poll(cx)) => {
                self.operations.connection_end.set(EndReason::TokenEnded);
                Err(Disconnect::Lost)
            }
            () = poll_fn(|cx| self.drain.poll(cx)) => {
                self.operations.connection_end.set(EndReason::Draining);
                Err(Disconnect::Lost)
            }
        }
    }

    async fn send(&mut self, socket: &mut Socket, messages: &[ServerMessage]) -> Result<(), Disconnect> {
        for message in messages.iter().filter(|message| message.is_last()) {
            self.protocol.remove(&message.id.plain);
            if message.is_error() {
                self.count_message()?;
            }
        }
        let written = self.write(socket, &encode(messages)).await;
        self.writer.release();
        if messages.len() >= MAX_MESSAGES_PER_WRITE {
            // There is more to write: let the operations of others run first.
            tokio::task::yield_now().await;
        }
        written
    }

    /// Handles a frame and returns the reply. An empty buffer only flushes what tungstenite has queued.
    fn receive(&mut self, frame: Message) -> Result<Option<FrameBuffer>, Disconnect> {
        self.unanswered = 0;
        match frame {
            Message::Text(text) => self.dispatch(&text),
            Message::Binary(_) => Err(Disconnect::Close(CloseReason::BadMessage)),
            Message::Close(_) => Err(Disconnect::PeerClosed),
            Message::Ping(_) => self.count_message().map(|()| Some(FrameBuffer::default())),
            Message::Pong(_) | Message::Frame(_) => self.count_message().map(|()| None),
        }
    }

    fn dispatch(&mut self, text: &str) -> Result<Option<FrameBuffer>, Disconnect> {
        let message = self.protocol.handle(text).map_err(Disconnect::Close)?;
        // Valid operations have limits of their own; everything else counts as a control message.
        if !matches!(message, ClientMessage::Init { .. } | ClientMessage::Subscribe(..)) {
            self.count_message()?;
        }
        let reply = match message {
            ClientMessage::Init { authorization, language } => {
                Some(self.authenticate(authorization, language.as_deref()).map_err(Disconnect::Close)?)
            }
            ClientMessage::Subscribe(id, request)
                if !self.http.persisted_queries.allows(&self.caller.viewer, &request.query) =>
            {
                self.count_message()?;
                Some(self.error(&id, SubscribeError::NotListed))
            }
            ClientMessage::Subscribe(id, mut request) => {
                // The engine reports documents that cannot be run.
                let _ = request::operation_type(
                    &mut request,
                    &self.http.engine,
                    &self.http.persisted_queries,
                    &self.caller,
                );
                self.start(id, *request);
                None
            }
            ClientMessage::InvalidSubscribe(id, error) => Some(self.error(&id, error)),
            ClientMessage::Complete(id) => {
                self.protocol.remove(&id);
                None
            }
            ClientMessage::Ping(None) => Some(json!({ "type": "pong" }).to_string()),
            ClientMessage::Ping(Some(payload)) => Some(json!({ "type": "pong", "payload": payload }).to_string()),
            ClientMessage::Pong => None,
        };
        Ok(reply.map(|text| {
            let mut frames = FrameBuffer::default();
            frames.text(&[text.as_bytes()]);
            frames
        }))
    }

    /// Counts a control message, and closes the socket if the client exceeds the rate limit.
    fn count_message(&mut self) -> Result<(), Disconnect> {
        if self.message_rate.count(self.http.clock.now()) {
            return Ok(());
        }
        metrics::counter!("kezdesu_socket_floods_total").increment(1);
        tracing::info!("closed a WebSocket: message rate limit exceeded");
        Err(Disconnect::Close(CloseReason::RateLimited))
    }

    fn authenticate(&mut self, authorization: Option<String>, language: Option<&str>) -> Result<String, CloseReason> {
        self.caller.language = language.and_then(text::preferred).unwrap_or(self.caller.language);
        let authorization = authorization.or_else(|| self.authorization.take());
        let authenticated = self.http.auth.authenticate(authorization.as_deref()).map_err(|error| {
            tracing::debug!(reason = %error, "rejected a token");
            CloseReason::Forbidden
        })?;
        self.deadline = LazyTimer::new(self.http.auth.session_end(&authenticated));
        self.caller.viewer = authenticated.viewer;
        self.protocol.acknowledge();
        Ok(json!({ "type": "connection_ack" }).to_string())
    }

    fn error(&self, id: &str, error: SubscribeError) -> String {
        let language = self.caller.language;
        let (code, message) = match error {
            SubscribeError::Invalid(bad) => (bad.code(), bad.message(language)),
            SubscribeError::NotListed => ("FORBIDDEN", text::message(language, "error-not-listed", &[])),
            SubscribeError::TooManyOperations => ("COST_EXCEEDED", text::message(language, "error-cost-exceeded", &[])),
        };
        let viewer = access_log::viewer_kind(&self.caller.viewer);
        let entry = AccessLogEntry { transport: TRANSPORT, operation: None, name: None, viewer, code };
        access_log::log_request(&entry, &self.http, self.http.clock.now());
        let mut error = ServerError::new(message, None);
        let mut extensions = ErrorExtensionValues::default();
        extensions.set("code", code);
        error.extensions = Some(extensions);
        json!({ "id": id, "type": "error", "payload": [error] }).to_string()
    }

    fn start(&mut self, id: String, request: Request) {
        let new = NewOperation { id: id.clone(), request, slot: self.protocol.slot() };
        let operation = self.operations.start(new, &self.caller, &self.http);
        self.protocol.insert(id, operation);
    }

    /// Returns the close reason for a restart, with a random delay of up to five seconds.
    fn restart_reason(&self) -> CloseReason {
        let random = self.http.ids.next(self.http.clock.now()).as_u128();
        CloseReason::Restart { retry_after_ms: u16::try_from(random % 5000).unwrap_or_default() }
    }
}
