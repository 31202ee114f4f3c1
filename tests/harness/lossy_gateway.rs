//! A WebSocket relay that drops events of slow clients.

use std::{collections::VecDeque, sync::Arc};

use futures_util::{SinkExt, StreamExt};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tokio_tungstenite::{
    accept_hdr_async, connect_async,
    tungstenite::{
        Message,
        client::IntoClientRequest,
        handshake::server::{Request, Response},
        http::HeaderValue,
    },
};

const PROTOCOL: &str = "sec-websocket-protocol";

/// Which event is dropped when a client's buffer is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropPolicy {
    /// The oldest event.
    Oldest,
    /// The newest event.
    Newest,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    /// Whether clients are slow: nothing is delivered to them.
    slow: bool,
    /// Events received from the service while clients were slow.
    came: usize,
}

/// A relay of `graphql-transport-ws` with a bounded buffer for each client, which drops events silently.
pub struct LossyGateway {
    /// Host and port that clients connect to.
    pub host: String,
    state: Arc<watch::Sender<State>>,
    relay: tokio::task::JoinHandle<()>,
}

impl Drop for LossyGateway {
    fn drop(&mut self) {
        self.relay.abort();
    }
}

impl LossyGateway {
    /// Starts a relay to the service at `host` that buffers `capacity` events for a slow client.
    pub async fn before(host: &str, capacity: usize, loses: DropPolicy) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(watch::Sender::new(State::default()));
        let (host, shared) = (host.to_owned(), state.clone());
        let relay = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(pass(near, host.clone(), shared.clone(), (capacity, loses)));
            }
        });
        Self { host: address.to_string(), state, relay }
    }

    /// Stops delivering to clients.
    pub fn slow_down(&self) {
        self.state.send_modify(|state| *state = State { slow: true, came: 0 });
    }

    /// Waits until this many events have arrived for slow clients.
    pub async fn came(&self, events: usize) {
        let mut state = self.state.subscribe();
        let came = state.wait_for(|state| state.came >= events);
        let came = tokio::time::timeout(crate::TIMEOUT, came).await.expect("the events arrive");
        came.expect("the relay runs");
    }

    /// Delivers the buffered events, and everything after them.
    pub fn speed_up(&self) {
        self.state.send_modify(|state| state.slow = false);
    }
}

/// Relays one connection until either end closes.
async fn pass(near: TcpStream, host: String, state: Arc<watch::Sender<State>>, (capacity, loses): (usize, DropPolicy)) {
    #[expect(clippy::result_large_err, reason = "the library's")]
    let agree = |_: &Request, mut response: Response| {
        response.headers_mut().insert(PROTOCOL, HeaderValue::from_static("graphql-transport-ws"));
        Ok(response)
    };
    let Ok(near) = accept_hdr_async(near, agree).await else { return };
    let mut request = format!("ws://{host}/graphql").into_client_request().expect("an address");
    request.headers_mut().insert(PROTOCOL, HeaderValue::from_static("graphql-transport-ws"));
    let Ok((far, _)) = connect_async(request).await else { return };
    let ((mut to_client, mut of_client), (mut to_service, mut of_service)) = (near.split(), far.split());
    let (mut waiting, mut changes) = (VecDeque::new(), state.subscribe());
    loop {
        tokio::select! {
            // Buffered events go before new ones.
            biased;
            () = fast(&mut changes), if !waiting.is_empty() => {
                while let Some(message) = waiting.pop_front() {
                    if to_client.send(message).await.is_err() {
                        return;
                    }
                }
            }
            message = of_client.next() => {
                let Some(Ok(message)) = message else { return };
                if to_service.send(message).await.is_err() {
                    return;
                }
            }
            message = of_service.next() => {
                let Some(Ok(message)) = message else { return };
                if !is_event(&message) {
                    if to_client.send(message).await.is_err() {
                        return;
                    }
                    continue;
                }
                if waiting.len() < capacity || loses == DropPolicy::Oldest {
                    waiting.push_back(message);
                }
                if waiting.len() > capacity {
                    waiting.pop_front();
                }
                state.send_modify(|state| state.came += 1);
            }
        }
    }
}

async fn fast(changes: &mut watch::Receiver<State>) {
    if changes.wait_for(|state| !state.slow).await.is_err() {
        std::future::pending::<()>().await;
    }
}

fn is_event(message: &Message) -> bool {
    let Message::Text(text) = message else { return false };
    let message: serde_json::Value = serde_json::from_str(text).expect("JSON");
    message["type"] == "next" && message["payload"]["data"]["comments"]["kind"].is_string()
}
