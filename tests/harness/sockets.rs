//! A client of `graphql-transport-ws`.

use chrono::TimeDelta;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Error, Message, client::IntoClientRequest, http::HeaderValue},
};

use crate::{TIMEOUT, TestEnv};

/// A socket.
pub struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    /// Opens a socket, without `connection_init`.
    pub async fn open(host: &str) -> Self {
        Self::try_open(host, &[("sec-websocket-protocol", "graphql-transport-ws")])
            .await
            .expect("the handshake succeeds")
    }

    /// Opens a socket with these headers, or returns the HTTP status of the rejection.
    pub async fn try_open(host: &str, headers: &[(&'static str, &str)]) -> Result<Self, u16> {
        let mut request = format!("ws://{host}/graphql").into_client_request().expect("an address");
        for (name, value) in headers {
            request.headers_mut().insert(*name, HeaderValue::from_str(value).expect("a header"));
        }
        match connect_async(request).await {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            // The listener is shutting down.
            Err(Error::Io(_) | Error::Protocol(_)) => Err(0),
            Err(error) => panic!("{error}"),
        }
    }

    /// Sends a message.
    pub async fn send(&mut self, message: &Value) {
        self.send_text(&message.to_string()).await;
    }

    /// Sends a text frame.
    pub async fn send_text(&mut self, text: &str) {
        // If the socket is already closed, the next read reports it.
        let _ = self.0.send(Message::text(text)).await;
    }

    /// Sends a binary frame.
    pub async fn send_bytes(&mut self, bytes: Vec<u8>) {
        let _ = self.0.send(Message::binary(bytes)).await;
    }

    /// Returns the next message of any kind, and answers pings on the way. `None` if the connection broke.
    async fn frame(&mut self) -> Option<Message> {
        loop {
            let frame = tokio::time::timeout(TIMEOUT, self.0.next()).await.expect("data arrives in time");
            match frame {
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(frame)) => return Some(frame),
                Some(Err(_)) | None => return None,
            }
        }
    }

    /// Returns the next message, or `None` if the socket ends.
    pub async fn try_receive(&mut self) -> Option<Value> {
        self.try_receive_text().await.map(|text| serde_json::from_str(&text).expect("JSON"))
    }

    /// Returns the text of the next message, or `None` if the socket is closed.
    pub async fn try_receive_text(&mut self) -> Option<String> {
        match self.frame().await? {
            Message::Text(text) => Some(text.to_string()),
            _ => None,
        }
    }

    /// Returns the next message.
    pub async fn receive(&mut self) -> Value {
        match self.frame().await {
            Some(Message::Text(text)) => serde_json::from_str(&text).expect("JSON"),
            other => panic!("expected a message, got {other:?}"),
        }
    }

    /// Skips messages until the Close frame, and returns its code.
    pub async fn close_code(&mut self) -> u16 {
        self.close_frame().await.0
    }

    /// Skips messages until the Close frame, and returns its code and reason: 1005 if it has none, 1006 if the
    /// connection broke.
    pub async fn close_frame(&mut self) -> (u16, String) {
        loop {
            match self.frame().await {
                Some(Message::Close(Some(frame))) => return (frame.code.into(), frame.reason.to_string()),
                Some(Message::Close(None)) => return (1005, String::new()),
                Some(_) => {}
                None => return (1006, String::new()),
            }
        }
    }

    /// Starts a subscription on a new socket without a token, or returns `None` if the connection breaks before it is acknowledged.
    pub async fn try_follow(host: &str, query: &str, variables: Value) -> Option<Subscription> {
        let mut socket = Self::try_open(host, &[("sec-websocket-protocol", "graphql-transport-ws")]).await.ok()?;
        socket.send(&json!({ "type": "connection_init" })).await;
        socket.try_receive().await?;
        Some(socket.follow(query, variables).await)
    }

    /// Starts a subscription that owns the socket.
    pub async fn follow(mut self, query: &str, variables: Value) -> Subscription {
        let payload = json!({ "query": query, "variables": variables });
        self.send(&json!({ "id": "1", "type": "subscribe", "payload": payload })).await;
        Subscription { socket: self }
    }
}

/// A subscription that owns its socket.
pub struct Subscription {
    /// The socket.
    pub socket: Socket,
}

impl Subscription {
    /// Returns the only field of the next event's data.
    pub async fn next(&mut self) -> Value {
        let message = self.socket.receive().await;
        assert_eq!(message["type"], "next", "{message}");
        assert!(message["payload"].get("errors").is_none(), "{message}");
        let data = message["payload"]["data"].as_object().expect("data");
        data.values().next().expect("a field").clone()
    }

    /// Returns the only field of the next event's data, or `None` if the connection ends or breaks.
    pub async fn try_next(&mut self) -> Option<Value> {
        match self.socket.frame().await? {
            Message::Text(text) => {
                let message: Value = serde_json::from_str(&text).expect("JSON");
                assert_eq!(message["type"], "next", "{message}");
                assert!(message["payload"].get("errors").is_none(), "{message}");
                message["payload"]["data"].as_object().expect("data").values().next().cloned()
            }
            _ => None,
        }
    }

    /// Returns the next event, and advances the clock by a second at a time while waiting.
    pub async fn next_in(&mut self, env: &TestEnv) -> Value {
        let mut event = std::pin::pin!(self.next());
        for _ in 0..600 {
            // Only paces the clock.
            if let Ok(event) = tokio::time::timeout(std::time::Duration::from_millis(25), &mut event).await {
                return event;
            }
            env.advance(TimeDelta::seconds(1));
        }
        panic!("no event in ten minutes of test time");
    }

    /// Returns the next event except heartbeats, and advances the clock while waiting.
    pub async fn next_event_in(&mut self, env: &TestEnv) -> Value {
        loop {
            let event = self.next_in(env).await;
            if event["kind"] != "HEARTBEAT" {
                return event;
            }
        }
    }

    /// Returns the close code, and advances the clock by a second at a time while waiting.
    pub async fn close_code_in(&mut self, env: &TestEnv) -> u16 {
        let mut code = std::pin::pin!(self.socket.close_code());
        for _ in 0..600 {
            // Only paces the clock.
            if let Ok(code) = tokio::time::timeout(std::time::Duration::from_millis(25), &mut code).await {
                return code;
            }
            env.advance(TimeDelta::seconds(1));
        }
        panic!("the socket stayed open for ten minutes of test time");
    }

    /// Returns the error code with which the subscription was rejected.
    pub async fn refused(&mut self) -> String {
        let message = self.socket.receive().await;
        assert_eq!(message["type"], "error", "{message}");
        message["payload"][0]["extensions"]["code"].as_str().expect("a code").to_owned()
    }

    /// Drops the connection without a Close frame.
    pub fn disconnect(self) {
        drop(self);
    }
}
