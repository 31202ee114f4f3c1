//! Connection state and timeouts: a request must arrive in time, and the peer must accept what is sent.

use std::{
    future::Future,
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use chrono::TimeDelta;
use futures_util::FutureExt;
use hyper::rt::{Read, ReadBufCursor, Sleep as Wait, Timer, Write};
use hyper_util::rt::TokioTimer;
use tokio::sync::Notify;

use crate::{
    clock::{Clock, Sleep, sleep},
    http::{
        connection_limits::{AddressPermit, ConnectionPermit},
        subscription_log::{ConnectionEnd, EndReason},
    },
};

/// The state of a connection, shared with the handlers of its requests.
#[derive(Clone, Default)]
pub(in crate::http) struct ConnectionState {
    shared: Arc<Shared>,
    /// The permit of a request that came through a proxy.
    _permit: Option<Arc<AddressPermit>>,
}

#[derive(Default)]
struct Shared {
    /// Whether bytes arrived since the server last began to wait for a request.
    received: AtomicBool,
    /// Whether the server has waited for a request before.
    past_first_request: AtomicBool,
    /// Whether the connection became a WebSocket, which has timeouts of its own.
    upgraded: AtomicBool,
    /// The end reason of streams that end with the connection.
    connection_end: ConnectionEnd,
    abort: Notify,
}

impl ConnectionState {
    /// Returns the state for a request that holds a permit as long as any clone of this state exists.
    pub(in crate::http) fn with_permit(self, permit: AddressPermit) -> Self {
        Self { _permit: Some(Arc::new(permit)), ..self }
    }

    /// Closes the connection at once, discarding unsent bytes.
    pub(in crate::http) fn abort(&self) {
        self.shared.abort.notify_one();
    }

    /// Completes when the connection is aborted.
    pub(in crate::http) async fn aborted(&self) {
        self.shared.abort.notified().await;
    }

    /// Turns off the write timeout: a WebSocket session has one of its own.
    pub(in crate::http) fn mark_upgraded(&self) {
        self.shared.upgraded.store(true, Ordering::Relaxed);
    }

    pub(in crate::http) fn connection_end(&self) -> ConnectionEnd {
        self.shared.connection_end.clone()
    }
}

/// Wraps a byte stream and fails it when the peer accepts no bytes for too long.
pub(in crate::http) struct WriteTimeout<T> {
    io: T,
    connection: ConnectionState,
    clock: Arc<dyn Clock>,
    timeout: TimeDelta,
    deadline: Option<Sleep>,
    /// The permit of the connection.
    permit: Option<ConnectionPermit>,
}

impl<T> WriteTimeout<T> {
    pub(in crate::http) fn new(io: T, connection: ConnectionState, clock: Arc<dyn Clock>, timeout: TimeDelta) -> Self {
        Self { io, connection, clock, timeout, deadline: None, permit: None }
    }

    /// Holds the permit until the stream is dropped, also after an upgrade to WebSocket.
    pub(in crate::http) fn with_permit(self, permit: Option<ConnectionPermit>) -> Self {
        Self { permit, ..self }
    }

    /// Returns the stream and its permit.
    pub(in crate::http) fn into_parts(self) -> (T, Option<ConnectionPermit>) {
        (self.io, self.permit)
    }

    fn check_timeout(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if written.is_ready() || self.connection.shared.upgraded.load(Ordering::Relaxed) {
            self.deadline = None;
            return written;
        }
        let deadline = self.deadline.get_or_insert_with(|| sleep(self.clock.as_ref(), self.timeout));
        ready!(deadline.poll_unpin(cx));
        self.connection.shared.connection_end.set(EndReason::SlowReader);
        metrics::counter!("kezdesu_slow_readers_total").increment(1);
        tracing::info!("closed a connection: slow reader");
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<T: Read + Unpin> Read for WriteTimeout<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.io).poll_read(cx, buffer))?;
        self.connection.shared.received.store(true, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl<T: Write + Unpin> Write for WriteTimeout<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(cx, bytes);
        self.check_timeout(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write_vectored(cx, buffers);
        self.check_timeout(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// Header timeout of requests, and idle timeout between them.
///
/// hyper has one limit for both. A proxy keeps idle connections for a minute and must not find them closed.
pub(in crate::http) struct HeaderReadTimer {
    pub(in crate::http) connection: ConnectionState,
    /// How long a header may take; for the first request, counted from the connection.
    pub(in crate::http) header_timeout: Duration,
    /// How long the connection may be idle between requests.
    pub(in crate::http) idle_timeout: Duration,
}

impl Timer for HeaderReadTimer {
    fn sleep(&self, span: Duration) -> Pin<Box<dyn Wait>> {
        TokioTimer::new().sleep(span)
    }

    fn sleep_until(&self, at: Instant) -> Pin<Box<dyn Wait>> {
        let first = !self.connection.shared.past_first_request.swap(true, Ordering::Relaxed);
        if first {
            return TokioTimer::new().sleep_until(at);
        }
        self.connection.shared.received.store(false, Ordering::Relaxed);
        let wait = TokioTimer::new().sleep(self.idle_timeout);
        Box::pin(HeaderReadSleep {
            connection: self.connection.clone(),
            wait,
            header_timeout: Some(self.header_timeout),
        })
    }
}

/// The timer of a later request: the idle timeout until its first byte, then the header timeout.
struct HeaderReadSleep {
    connection: ConnectionState,
    wait: Pin<Box<dyn Wait>>,
    /// The header timeout; `None` once the header has begun.
    header_timeout: Option<Duration>,
}

impl Wait for HeaderReadSleep {}

impl Future for HeaderReadSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.connection.shared.received.load(Ordering::Relaxed)
            && let Some(timeout) = self.header_timeout.take()
        {
            self.wait = TokioTimer::new().sleep(timeout);
        }
        self.wait.as_mut().poll(cx)
    }
}
