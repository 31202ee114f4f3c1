//! Accepts connections on a listener and serves them until draining ends.

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
        ConnectionLimits, HttpLimits,
        connection::{ConnectionState, HeaderReadTimer, WriteTimeout},
        connection_limits::{ConnectionLimitReached, ConnectionPermit},
    },
    lifecycle::Lifecycle,
};

/// How long requests in flight may take to finish once draining starts.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(20);
/// Delay before accepting again when the system is out of file descriptors.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(50);
/// Maximum number of rejected connections that get a response at once. Each holds a file descriptor; further
/// ones are closed without a response.
const MAX_CONCURRENT_REJECTIONS: usize = 32;
/// How long sending that response may take.
const REJECTION_TIMEOUT: Duration = Duration::from_secs(1);

/// Configuration of a listener.
#[derive(Clone)]
pub struct ServerConfig {
    /// Tells when to drain.
    pub lifecycle: Lifecycle,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// HttpLimits of a single client.
    pub limits: HttpLimits,
    /// HttpLimits of open connections; `None` means no limits.
    pub connections: Option<Arc<ConnectionLimits>>,
}

/// Serves connections until draining starts, then finishes requests in flight.
pub async fn serve(listener: TcpListener, router: Router, config: ServerConfig) {
    let open = TaskTracker::new();
    let router: Router = router.with_state(());
    let rejections = Arc::new(Semaphore::new(MAX_CONCURRENT_REJECTIONS));
    let mut exhausted = false;
    loop {
        let accepted = tokio::select! {
            biased;
            () = config.lifecycle.draining() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                exhausted = back_off(&error, exhausted).await;
                continue;
            }
        };
        exhausted = false;
        match config.connections.as_ref().map(|connections| connections.acquire(peer.ip())).transpose() {
            Ok(permit) => {
                drop(open.spawn(serve_connection(
                    AcceptedConnection { stream, peer, permit },
                    router.clone(),
                    config.clone(),
                )));
            }
            Err(limit) => reject(stream, limit, &rejections),
        }
    }
    drop(listener);
    open.close();
    // Real time: the operating system does not wait on the injected clock.
    if tokio::time::timeout(DRAIN_TIMEOUT, open.wait()).await.is_err() {
        tracing::warn!("aborted requests that did not finish in time");
    }
}

/// Waits before the next accept if the system is out of file descriptors. Returns whether it is.
async fn back_off(error: &std::io::Error, exhausted: bool) -> bool {
    let by_peer = [ErrorKind::ConnectionRefused, ErrorKind::ConnectionAborted, ErrorKind::ConnectionReset];
    if by_peer.contains(&error.kind()) {
        return exhausted;
    }
    if !exhausted {
        tracing::error!(%error, "failed to accept a connection");
    }
    let _ = tokio::time::timeout(ACCEPT_RETRY_DELAY, std::future::pending::<()>()).await;
    true
}

/// Sends a response to a connection over the limit, and closes it.
fn reject(mut stream: TcpStream, limit: ConnectionLimitReached, rejections: &Arc<Semaphore>) {
    let Ok(permit) = Arc::clone(rejections).try_acquire_owned() else { return };
    let rejection = async move {
        if stream.write_all(&limit.raw_response()).await.is_ok() && stream.shutdown().await.is_ok() {
            // Closing with the request unread would reset the connection before the client reads the
            // response.
            let mut unread = [0; 512];
            while matches!(stream.read(&mut unread).await, Ok(1..)) {}
        }
        drop(permit);
    };
    // Real time: a rejection must not depend on the injected clock.
    tokio::spawn(tokio::time::timeout(REJECTION_TIMEOUT, rejection));
}

/// An accepted connection.
struct AcceptedConnection {
    stream: TcpStream,
    peer: SocketAddr,
    permit: Option<ConnectionPermit>,
}

async fn serve_connection(accepted: AcceptedConnection, router: Router, config: ServerConfig) {
    let AcceptedConnection { stream, peer, permit } = accepted;
    let ServerConfig { lifecycle, clock, limits, .. } = config;
    let connection = ConnectionState::default();
    let bytes =
        WriteTimeout::new(TokioIo::new(stream), connection.clone(), clock, limits.write_timeout).with_permit(permit);
    let (router, request_connection) = (TowerToHyperService::new(router), connection.clone());
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        request.extensions_mut().insert(request_connection.clone());
        router.call(request.map(Body::new))
    });
    let mut http = http1::Builder::new();
    let timer = HeaderReadTimer {
        connection: connection.clone(),
        header_timeout: limits.header_timeout,
        idle_timeout: limits.idle_timeout,
    };
    http.timer(timer).header_read_timeout(limits.header_timeout);
    let mut serving = pin!(http.serve_connection(bytes, service).with_upgrades());
    tokio::select! {
        // The peer disconnected, timed out, or does not speak HTTP.
        _ = serving.as_mut() => return,
        () = connection.aborted() => return,
        () = lifecycle.draining() => {}
    }
    serving.as_mut().graceful_shutdown();
    tokio::select! {
        _ = serving => {}
        () = connection.aborted() => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;
    use axum::routing::get;

    const TIMEOUT: Duration = Duration::from_secs(30);
    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";
    const PARTIAL_REQUEST: &[u8] = b"GET / HTTP/1.1\r\nho";

    /// Starts a listener that responds `ok`.
    async fn serve_ok(limits: HttpLimits) -> (SocketAddr, Lifecycle) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, lifecycle) = (listener.local_addr().unwrap(), Lifecycle::default());
        let router = Router::new().route("/", get(|| async { "ok" }));
        let clock = SystemClock::start();
        tokio::spawn(serve(
            listener,
            router,
            ServerConfig { lifecycle: lifecycle.clone(), clock, limits, connections: None },
        ));
        (address, lifecycle)
    }

    async fn connect(address: SocketAddr) -> TcpStream {
        TcpStream::connect(address).await.unwrap()
    }

    /// Sends a request and reads the whole response.
    async fn request(peer: &mut TcpStream, bytes: &[u8]) {
        peer.write_all(bytes).await.unwrap();
        let mut text = Vec::new();
        while !text.ends_with(b"\r\n\r\nok") {
            assert_ne!(tokio::time::timeout(TIMEOUT, peer.read_buf(&mut text)).await.unwrap().unwrap(), 0);
        }
    }

    /// Expects that the connection closes without a response.
    async fn expect_closed(peer: &mut TcpStream) {
        let mut rest = Vec::new();
        // The connection may be reset.
        let _ = tokio::time::timeout(TIMEOUT, peer.read_to_end(&mut rest)).await.expect("it is closed");
        assert_eq!(rest, b"");
    }

    #[tokio::test]
    async fn closes_a_connection_whose_header_is_late() {
        let limits = HttpLimits { header_timeout: Duration::from_millis(100), ..HttpLimits::default() };
        let (address, _lifecycle) = serve_ok(limits).await;
        let (mut waiting, mut silent, mut half) =
            (connect(address).await, connect(address).await, connect(address).await);
        request(&mut waiting, REQUEST).await;
        half.write_all(PARTIAL_REQUEST).await.unwrap();
        expect_closed(&mut silent).await;
        expect_closed(&mut half).await;
        let mut later = connect(address).await;
        expect_closed(&mut later).await;
        request(&mut waiting, REQUEST).await;
        waiting.write_all(PARTIAL_REQUEST).await.unwrap();
        expect_closed(&mut waiting).await;
    }

    #[tokio::test]
    async fn closes_an_idle_connection_after_its_timeout() {
        let limits = HttpLimits { idle_timeout: Duration::from_millis(100), ..HttpLimits::default() };
        let (address, _lifecycle) = serve_ok(limits).await;
        let mut idle = connect(address).await;
        request(&mut idle, REQUEST).await;
        expect_closed(&mut idle).await;
    }

    #[tokio::test]
    async fn draining_closes_idle_connections_and_accepts_no_new_ones() {
        let (address, lifecycle) = serve_ok(HttpLimits::default()).await;
        let mut idle = connect(address).await;
        request(&mut idle, REQUEST).await;
        lifecycle.begin_drain();
        expect_closed(&mut idle).await;
        assert!(TcpStream::connect(address).await.is_err());
    }
}
