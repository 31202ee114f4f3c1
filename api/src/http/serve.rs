//! Serving a listener until the end.

use std::{io::ErrorKind, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::{Router, body::Body, extract::ConnectInfo};
use hyper::{
    Request,
    body::Incoming,
    server::conn::http1,
    service::{Service as _, service_fn},
};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_util::task::TaskTracker;

use crate::{
    clock::Clock,
    http::{
        Connections, Limits,
        connections::{Counted, Full},
        link::{HeadTimer, Link, Watched},
    },
    lifecycle::Lifecycle,
};

/// How long requests that are under way may take to finish once the end has begun.
const GRACE: Duration = Duration::from_secs(20);
/// How long nothing is accepted when the machine has no more connections to give.
const EXHAUSTED: Duration = Duration::from_millis(50);
/// How many refused connections are told why at once. Those beyond are closed without a word: each takes a file while it is told.
const TOLD_AT_ONCE: usize = 32;
/// How long a refused connection may take to hear why.
const TOLD_WITHIN: Duration = Duration::from_secs(1);

/// To what the connections of a listener are held.
#[derive(Clone)]
pub struct Terms {
    /// When to stop.
    pub life: Lifecycle,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// How much a peer may ask for.
    pub limits: Limits,
    /// How many connections there may be; `None` is any number.
    pub connections: Option<Arc<Connections>>,
}

/// Serves until the end begins, then finishes what is under way.
pub async fn serve(listener: TcpListener, router: Router, terms: Terms) {
    let open = TaskTracker::new();
    let router: Router = router.with_state(());
    let told = Arc::new(Semaphore::new(TOLD_AT_ONCE));
    let mut exhausted = false;
    loop {
        let accepted = tokio::select! {
            biased;
            () = terms.life.draining() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                exhausted = pause(&error, exhausted).await;
                continue;
            }
        };
        exhausted = false;
        match terms.connections.as_ref().map(|connections| connections.admit(peer.ip())).transpose() {
            Ok(counted) => {
                drop(open.spawn(connection(Accepted { stream, peer, counted }, router.clone(), terms.clone())));
            }
            Err(full) => refuse(stream, full, &told),
        }
    }
    drop(listener);
    open.close();
    // Real time: the operating system that asked us to stop does not wait on our clock.
    if tokio::time::timeout(GRACE, open.wait()).await.is_err() {
        tracing::warn!("requests were cut off at the end");
    }
}

/// Waits where the machine has no connections to give: to ask again at once would only keep it busy. Returns whether it has none.
async fn pause(error: &std::io::Error, exhausted: bool) -> bool {
    let by_peer = [ErrorKind::ConnectionRefused, ErrorKind::ConnectionAborted, ErrorKind::ConnectionReset];
    if by_peer.contains(&error.kind()) {
        return exhausted;
    }
    if !exhausted {
        tracing::error!(%error, "a connection cannot be accepted");
    }
    let _ = tokio::time::timeout(EXHAUSTED, std::future::pending::<()>()).await;
    true
}

/// Tells a connection that there is no room for it, and closes it.
fn refuse(mut stream: TcpStream, full: Full, told: &Arc<Semaphore>) {
    let Ok(permit) = Arc::clone(told).try_acquire_owned() else { return };
    let telling = async move {
        if stream.write_all(&full.unasked()).await.is_ok() && stream.shutdown().await.is_ok() {
            // Closed with its request unread, it would be reset before it has heard why.
            let mut unread = [0; 512];
            while matches!(stream.read(&mut unread).await, Ok(1..)) {}
        }
        drop(permit);
    };
    // Real time: it must not wait on the injected clock.
    tokio::spawn(tokio::time::timeout(TOLD_WITHIN, telling));
}

/// A connection that is let in.
struct Accepted {
    stream: TcpStream,
    peer: SocketAddr,
    counted: Option<Counted>,
}

async fn connection(accepted: Accepted, router: Router, terms: Terms) {
    let Accepted { stream, peer, counted } = accepted;
    let Terms { life, clock, limits, .. } = terms;
    let link = Link::default();
    let bytes = Watched::new(TokioIo::new(stream), link.clone(), clock, limits.stall).counted(counted);
    let (router, known) = (TowerToHyperService::new(router), link.clone());
    let answers = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        request.extensions_mut().insert(known.clone());
        router.call(request.map(Body::new))
    });
    let mut http = http1::Builder::new();
    let timer = HeadTimer { link: link.clone(), head: limits.head_timeout, idle: limits.idle_timeout };
    http.timer(timer).header_read_timeout(limits.head_timeout);
    let mut serving = pin!(http.serve_connection(bytes, answers).with_upgrades());
    tokio::select! {
        // The peer is gone, was given up, or speaks something else.
        _ = serving.as_mut() => return,
        () = link.is_cut() => return,
        () = life.draining() => {}
    }
    serving.as_mut().graceful_shutdown();
    tokio::select! {
        _ = serving => {}
        () = link.is_cut() => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;
    use axum::routing::get;

    const PATIENCE: Duration = Duration::from_secs(30);
    const ASK: &[u8] = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";
    const HALF: &[u8] = b"GET / HTTP/1.1\r\nho";

    /// A listener whose answers are `ok`.
    async fn listening(limits: Limits) -> (SocketAddr, Lifecycle) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, life) = (listener.local_addr().unwrap(), Lifecycle::default());
        let router = Router::new().route("/", get(|| async { "ok" }));
        let clock = SystemClock::start();
        tokio::spawn(serve(listener, router, Terms { life: life.clone(), clock, limits, connections: None }));
        (address, life)
    }

    async fn connect(address: SocketAddr) -> TcpStream {
        TcpStream::connect(address).await.unwrap()
    }

    /// Asks, and reads the whole answer.
    async fn ask(peer: &mut TcpStream, question: &[u8]) {
        peer.write_all(question).await.unwrap();
        let mut text = Vec::new();
        while !text.ends_with(b"\r\n\r\nok") {
            assert_ne!(tokio::time::timeout(PATIENCE, peer.read_buf(&mut text)).await.unwrap().unwrap(), 0);
        }
    }

    /// Waits until the peer finds its connection closed, without an answer.
    async fn closed(peer: &mut TcpStream) {
        let mut rest = Vec::new();
        // It may end with a reset.
        let _ = tokio::time::timeout(PATIENCE, peer.read_to_end(&mut rest)).await.expect("it is closed");
        assert_eq!(rest, b"");
    }

    #[tokio::test]
    async fn a_head_that_does_not_come_whole_closes_the_connection() {
        let limits = Limits { head_timeout: Duration::from_millis(100), ..Limits::default() };
        let (address, _life) = listening(limits).await;
        let (mut waiting, mut silent, mut half) =
            (connect(address).await, connect(address).await, connect(address).await);
        ask(&mut waiting, ASK).await;
        half.write_all(HALF).await.unwrap();
        closed(&mut silent).await;
        closed(&mut half).await;
        let mut later = connect(address).await;
        closed(&mut later).await;
        ask(&mut waiting, ASK).await;
        waiting.write_all(HALF).await.unwrap();
        closed(&mut waiting).await;
    }

    #[tokio::test]
    async fn a_connection_that_has_nothing_to_ask_is_closed_later() {
        let limits = Limits { idle_timeout: Duration::from_millis(100), ..Limits::default() };
        let (address, _life) = listening(limits).await;
        let mut idle = connect(address).await;
        ask(&mut idle, ASK).await;
        closed(&mut idle).await;
    }

    #[tokio::test]
    async fn the_end_closes_what_is_idle_and_takes_nothing_new() {
        let (address, life) = listening(Limits::default()).await;
        let mut idle = connect(address).await;
        ask(&mut idle, ASK).await;
        life.begin_drain();
        closed(&mut idle).await;
        assert!(TcpStream::connect(address).await.is_err());
    }
}
