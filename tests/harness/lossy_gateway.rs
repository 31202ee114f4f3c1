//! A gateway that loses events of a slow client, between clients and the service.

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

/// What goes when a client's buffer is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropPolicy {
    /// What has waited longest.
    Oldest,
    /// What has come last.
    Newest,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    /// Whether clients take nothing just now.
    slow: bool,
    /// How many events came while they took nothing.
    came: usize,
}

/// A relay of `graphql-transport-ws` with a buffer for each client, which tells nobody what it loses.
pub struct LossyGateway {
    /// Where clients find it.
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
    /// Stands before the service at `host`, and keeps `room` events for a client that is slow.
    pub async fn before(host: &str, room: usize, loses: DropPolicy) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(watch::Sender::new(State::default()));
        let (host, shared) = (host.to_owned(), state.clone());
        let relay = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(pass(near, host.clone(), shared.clone(), (room, loses)));
            }
        });
        Self { host: address.to_string(), state, relay }
    }

    /// Lets clients take nothing from now on.
    pub fn slow_down(&self) {
        self.state.send_modify(|state| *state = State { slow: true, came: 0 });
    }

    /// Waits until so many events have come for slow clients.
    pub async fn came(&self, events: usize) {
        let mut state = self.state.subscribe();
        let came = state.wait_for(|state| state.came >= events);
        let came = tokio::time::timeout(crate::TIMEOUT, came).await.expect("the events come");
        came.expect("the relay stands");
    }

    /// Lets clients take again what was kept for them.
    pub fn speed_up(&self) {
        self.state.send_modify(|state| state.slow = false);
    }
}

/// Carries one connection until either end is closed.
async fn pass(near: TcpStream, host: String, state: Arc<watch::Sender<State>>, (room, loses): (usize, DropPolicy)) {
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
            // What waits goes before what comes.
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
                if waiting.len() < room || loses == DropPolicy::Oldest {
                    waiting.push_back(message);
                }
                if waiting.len() > room {
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
