//! What the server watches on a connection: that a request comes in time, and that the peer takes what it is sent.

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
        connections::{Counted, CountedAddress},
        following::{Fate, Reason},
    },
};

/// A connection, as those know it who answer on it.
#[derive(Clone, Default)]
pub(in crate::http) struct Link {
    state: Arc<State>,
    /// The place that a request holds which came through a proxy.
    _place: Option<Arc<CountedAddress>>,
}

#[derive(Default)]
struct State {
    /// Something has come since a request was last waited for.
    heard: AtomicBool,
    /// A request was waited for before.
    waited: AtomicBool,
    /// It has become a socket, which watches itself.
    upgraded: AtomicBool,
    /// Why what is streamed over it ends with it.
    fate: Fate,
    cut: Notify,
}

impl Link {
    /// Returns the link of a request that holds a place for as long as somebody has this link.
    pub(in crate::http) fn holding(self, place: CountedAddress) -> Self {
        Self { _place: Some(Arc::new(place)), ..self }
    }

    /// Ends the connection at once, whatever is still to be written.
    pub(in crate::http) fn cut(&self) {
        self.state.cut.notify_one();
    }

    /// Completes when the connection is to end.
    pub(in crate::http) async fn is_cut(&self) {
        self.state.cut.notified().await;
    }

    /// From now on the connection is watched by the session of its socket.
    pub(in crate::http) fn upgrade(&self) {
        self.state.upgraded.store(true, Ordering::Relaxed);
    }

    pub(in crate::http) fn fate(&self) -> Fate {
        self.state.fate.clone()
    }
}

/// A stream of bytes whose peer is given up when it takes none for too long.
pub(in crate::http) struct Watched<T> {
    bytes: T,
    link: Link,
    clock: Arc<dyn Clock>,
    stall: TimeDelta,
    stuck: Option<Sleep>,
    /// The connection's place among the open ones.
    _counted: Option<Counted>,
}

impl<T> Watched<T> {
    pub(in crate::http) fn new(bytes: T, link: Link, clock: Arc<dyn Clock>, stall: TimeDelta) -> Self {
        Self { bytes, link, clock, stall, stuck: None, _counted: None }
    }

    /// Counts the connection as open until its bytes are dropped, also once it has become a socket.
    pub(in crate::http) fn counted(self, counted: Option<Counted>) -> Self {
        Self { _counted: counted, ..self }
    }

    fn watch(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if written.is_ready() || self.link.state.upgraded.load(Ordering::Relaxed) {
            self.stuck = None;
            return written;
        }
        let stuck = self.stuck.get_or_insert_with(|| sleep(self.clock.as_ref(), self.stall));
        ready!(stuck.poll_unpin(cx));
        self.link.state.fate.decide(Reason::SlowReader);
        metrics::counter!("kezdesu_slow_readers_total").increment(1);
        tracing::info!("a connection was closed: its reader is too slow");
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<T: Read + Unpin> Read for Watched<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.bytes).poll_read(cx, buffer))?;
        self.link.state.heard.store(true, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl<T: Write + Unpin> Write for Watched<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.bytes).poll_write(cx, bytes);
        self.watch(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.bytes).poll_write_vectored(cx, parts);
        self.watch(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.bytes.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.bytes).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.bytes).poll_shutdown(cx)
    }
}

/// Times the heads of requests. The library has one limit for a peer that is halfway through and for one that has nothing to ask
/// just now; a proxy keeps connections of the second kind for a minute, and must not find them closed.
pub(in crate::http) struct HeadTimer {
    pub(in crate::http) link: Link,
    /// How long a head may take, and a peer that has only just connected to begin one.
    pub(in crate::http) head: Duration,
    /// How long a connection may wait for its next request.
    pub(in crate::http) idle: Duration,
}

impl Timer for HeadTimer {
    fn sleep(&self, span: Duration) -> Pin<Box<dyn Wait>> {
        TokioTimer::new().sleep(span)
    }

    fn sleep_until(&self, at: Instant) -> Pin<Box<dyn Wait>> {
        let first = !self.link.state.waited.swap(true, Ordering::Relaxed);
        if first {
            return TokioTimer::new().sleep_until(at);
        }
        self.link.state.heard.store(false, Ordering::Relaxed);
        let wait = TokioTimer::new().sleep(self.idle);
        Box::pin(HeadWait { link: self.link.clone(), wait, head: Some(self.head) })
    }
}

/// The wait for a later head: long until it begins, and then as for the first.
struct HeadWait {
    link: Link,
    wait: Pin<Box<dyn Wait>>,
    /// How long it may take once it has begun; none: it has.
    head: Option<Duration>,
}

impl Wait for HeadWait {}

impl Future for HeadWait {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.link.state.heard.load(Ordering::Relaxed)
            && let Some(head) = self.head.take()
        {
            self.wait = TokioTimer::new().sleep(head);
        }
        self.wait.as_mut().poll(cx)
    }
}
