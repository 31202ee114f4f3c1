//! A receiver of webhooks, whose behaviour a test chooses.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use chrono::DateTime;
use kezdesu::webhooks::{SignedMessage, SigningSecret};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// What a receiver does with a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// Responds with a status.
    Respond(u16),
    /// Responds that it has too much to do, and asks to send nothing for so many seconds.
    RetryAfter(u32),
    /// Redirects to a URL.
    Redirect(String),
    /// Takes the message, and closes the connection within the response.
    CloseMidway,
    /// Takes the message, and never responds.
    Hang,
}

/// A message that a receiver got.
#[derive(Clone, Debug)]
pub struct Received {
    /// The headers of Standard Webhooks.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: String,
    /// What the receiver did.
    pub behaviour: Behaviour,
}

impl Received {
    /// Returns the body as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }

    /// Returns the id of the message.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.headers["webhook-id"]
    }

    /// Returns the position of the event.
    #[must_use]
    pub fn seq(&self) -> i64 {
        self.json()["data"]["seq"].as_i64().expect("a position")
    }

    /// Returns whether these secrets, and no others, have signed the message.
    #[must_use]
    pub fn is_signed_with(&self, secrets: &[&str]) -> bool {
        let secrets: Vec<_> = secrets.iter().map(|secret| SigningSecret::parse(secret).expect("a secret")).collect();
        let seconds = self.headers["webhook-timestamp"].parse().expect("seconds");
        let sent_at = DateTime::from_timestamp(seconds, 0).expect("a time");
        let signed = SignedMessage::new(self.id().to_owned(), sent_at, self.body.clone().into_bytes(), &secrets);
        self.headers["webhook-signature"] == signed.signature
    }

    /// Returns the message with the secret that a verifying library needs.
    #[must_use]
    pub fn with_secret(&self, secret: &str) -> Value {
        json!({ "secret": secret, "headers": self.headers, "body": self.body })
    }
}

type Choice = Box<dyn FnMut(&Received) -> Behaviour + Send>;

struct State {
    received: Vec<Received>,
    choose: Choice,
    in_flight: usize,
    most_in_flight: usize,
}

/// A receiver of webhooks on the loopback address.
pub struct Receiver {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    server: JoinHandle<()>,
}

impl Receiver {
    /// Starts a receiver that takes every message.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
        let address = listener.local_addr().expect("an address");
        let choose: Choice = Box::new(|_| Behaviour::Respond(204));
        let state = State { received: Vec::new(), choose, in_flight: 0, most_in_flight: 0 };
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        let server = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(serve(connection, Arc::clone(&shared)));
            }
        });
        Self { address, state, server }
    }

    /// Returns its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// Returns its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Behaves like this from now on.
    pub fn behave(&self, behaviour: Behaviour) {
        self.choose(move |_| behaviour.clone());
    }

    /// Chooses what to do with each message from now on.
    pub fn choose(&self, choose: impl FnMut(&Received) -> Behaviour + Send + 'static) {
        self.state.lock().expect("no panic").choose = Box::new(choose);
    }

    /// Returns what it has received.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        self.state.lock().expect("no panic").received.clone()
    }

    /// Returns how many messages it has received.
    ///
    /// # Panics
    /// If the receiver has panicked.
    #[must_use]
    pub fn count(&self) -> usize {
        self.state.lock().expect("no panic").received.len()
    }

    /// Returns the positions of the messages that it has taken, in the order in which they came.
    #[must_use]
    pub fn taken(&self) -> Vec<i64> {
        let taken = |message: &&Received| matches!(message.behaviour, Behaviour::Respond(200..=299));
        self.received().iter().filter(taken).map(Received::seq).collect()
    }

    /// Returns the highest number of messages that were in flight at once.
    #[must_use]
    pub fn most_in_flight(&self) -> usize {
        self.state.lock().expect("no panic").most_in_flight
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Reads a request: its headers and its body.
async fn read(connection: &mut TcpStream) -> Option<(BTreeMap<String, String>, String)> {
    let mut bytes = Vec::new();
    let mut part = [0; 4096];
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let headers: BTreeMap<_, _> = head
                .lines()
                .filter_map(|line| line.split_once(": "))
                .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
                .collect();
            let length: usize = headers.get("content-length")?.parse().ok()?;
            if bytes.len() >= end + 4 + length {
                let body = String::from_utf8(bytes[end + 4..end + 4 + length].to_vec()).ok()?;
                return Some((headers, body));
            }
        }
        match connection.read(&mut part).await {
            Ok(0) | Err(_) => return None,
            Ok(count) => bytes.extend_from_slice(&part[..count]),
        }
    }
}

async fn serve(mut connection: TcpStream, state: Arc<Mutex<State>>) {
    while let Some((mut headers, body)) = read(&mut connection).await {
        headers.retain(|name, _| name.starts_with("webhook-"));
        let behaviour = {
            let mut state = state.lock().expect("no panic");
            let mut message = Received { headers, body, behaviour: Behaviour::Hang };
            message.behaviour = (state.choose)(&message);
            state.in_flight += 1;
            state.most_in_flight = state.most_in_flight.max(state.in_flight);
            state.received.push(message.clone());
            message.behaviour
        };
        let response = match &behaviour {
            Behaviour::Respond(status) => format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n"),
            Behaviour::RetryAfter(seconds) => {
                format!("HTTP/1.1 429 X\r\nretry-after: {seconds}\r\ncontent-length: 0\r\n\r\n")
            }
            Behaviour::Redirect(to) => format!("HTTP/1.1 307 X\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n"),
            Behaviour::CloseMidway => "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{".to_owned(),
            Behaviour::Hang => {
                // Ends when the sender gives up.
                let _ = connection.read(&mut [0; 1]).await;
                String::new()
            }
        };
        state.lock().expect("no panic").in_flight -= 1;
        // Status 204 has no body and no length.
        let response = response.replace("204 X\r\ncontent-length: 0\r\n", "204 X\r\n");
        let written = connection.write_all(response.as_bytes()).await;
        if written.is_err() || matches!(behaviour, Behaviour::CloseMidway | Behaviour::Hang) {
            return;
        }
    }
}
