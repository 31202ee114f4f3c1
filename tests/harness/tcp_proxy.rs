//! A TCP proxy between the service and a server, which a test can disconnect, pause and restore.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
};

#[derive(Clone, Copy, Debug, Default)]
struct State {
    /// Number of disconnects so far. A connection ends when this differs from its value at accept.
    cuts: u64,
    /// Whether new connections are rejected.
    down: bool,
    /// Whether bytes are held back, as on an unresponsive network.
    held: bool,
    /// Number of bytes from the server after which a new connection ends.
    length: Option<usize>,
}

/// A TCP proxy on its own port.
pub struct TcpProxy {
    address: SocketAddr,
    state: watch::Sender<State>,
    relay: tokio::task::JoinHandle<()>,
}

impl Drop for TcpProxy {
    fn drop(&mut self) {
        self.relay.abort();
    }
}

impl TcpProxy {
    /// Starts a proxy to the server at `host:port`.
    pub async fn to(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let state = watch::Sender::new(State::default());
        let relay = tokio::spawn(relay(listener, server.to_owned(), state.subscribe()));
        Self { address, state, relay }
    }

    /// Starts a proxy to the server of a URL (`scheme://user@host:port/path`), and returns it with the URL through
    /// the proxy.
    pub async fn in_front_of(url: &str) -> (Self, String) {
        let rest = url.split("://").nth(1).expect("an address");
        let server = rest.split('/').next().and_then(|part| part.rsplit('@').next()).expect("a server");
        let wire = Self::to(server).await;
        let through = url.replace(server, &wire.address.to_string());
        (wire, through)
    }

    /// Returns the host and port of the proxy.
    #[must_use]
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// Ends every new connection after this many bytes from the server, even in the middle of a frame.
    pub fn limit_new_connections(&self, bytes: usize) {
        self.state.send_modify(|state| state.length = Some(bytes));
    }

    /// Ends every connection; new ones are accepted.
    pub fn disconnect_all(&self) {
        self.state.send_modify(|state| state.cuts += 1);
    }

    /// Ends every connection and rejects new ones.
    pub fn take_down(&self) {
        self.state.send_modify(|state| {
            state.cuts += 1;
            state.down = true;
        });
    }

    /// Holds back all bytes without ending connections.
    pub fn pause(&self) {
        self.state.send_modify(|state| state.held = true);
    }

    /// Accepts connections and forwards bytes again.
    pub fn restore(&self) {
        self.state.send_modify(|state| {
            state.down = false;
            state.held = false;
        });
    }
}

async fn relay(listener: TcpListener, server: String, state: watch::Receiver<State>) {
    while let Ok((near, _)) = listener.accept().await {
        let mut state = state.clone();
        let server = server.clone();
        tokio::spawn(async move {
            let born = *state.borrow_and_update();
            if born.down {
                return;
            }
            let Ok(far) = TcpStream::connect(server).await else { return };
            let (near_read, near_write) = near.into_split();
            let (far_read, far_write) = far.into_split();
            let mut ends = state.clone();
            // The first side to end closes the connection.
            tokio::select! {
                () = carry(near_read, far_write, state.clone(), None) => {}
                () = carry(far_read, near_write, state.clone(), born.length) => {}
                _ = ends.wait_for(|now| now.cuts != born.cuts) => {}
            }
        });
    }
}

async fn carry(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut state: watch::Receiver<State>,
    mut left: Option<usize>,
) {
    let mut bytes = vec![0; 16 << 10];
    loop {
        let Ok(count) = from.read(&mut bytes).await else { return };
        if count == 0 || state.wait_for(|now| !now.held).await.is_err() {
            return;
        }
        let count = left.map_or(count, |left| count.min(left));
        if to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
        left = left.map(|left| left - count);
        if left == Some(0) {
            return;
        }
    }
}

/// Polls `ask` until its result is `good`. `between` runs between two polls, for example to advance the clock.
pub async fn until<T, F>(mut ask: impl FnMut() -> F, mut between: impl FnMut(), good: impl Fn(&T) -> bool) -> T
where
    T: std::fmt::Debug,
    F: Future<Output = T>,
{
    let asked = async {
        loop {
            let answer = ask().await;
            if good(&answer) {
                return answer;
            }
            between();
            // Only paces the polling.
            let _ = tokio::time::timeout(Duration::from_millis(20), std::future::pending::<()>()).await;
        }
    };
    tokio::time::timeout(crate::TIMEOUT, asked).await.expect("the condition holds in time")
}
