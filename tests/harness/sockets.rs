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
    /// Opens a socket without introducing anybody.
    pub async fn open(host: &str) -> Self {
        Self::try_open(host, &[("sec-websocket-protocol", "graphql-transport-ws")]).await.expect("the door opens")
    }

    /// Tries to open a socket with these headers; gives the HTTP status where that fails.
    pub async fn try_open(host: &str, headers: &[(&'static str, &str)]) -> Result<Self, u16> {
        let mut request = format!("ws://{host}/graphql").into_client_request().expect("an address");
        for (name, value) in headers {
            request.headers_mut().insert(*name, HeaderValue::from_str(value).expect("a header"));
        }
        match connect_async(request).await {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            // Whoever listened there is going.
            Err(Error::Io(_) | Error::Protocol(_)) => Err(0),
            Err(error) => panic!("{error}"),
        }
    }

    /// Sends a message.
    pub async fn send(&mut self, message: &Value) {
        self.send_text(&message.to_string()).await;
    }

    /// Sends a text as it is.
    pub async fn send_text(&mut self, text: &str) {
        // Where the socket is closed already, what is heard next tells.
        let _ = self.0.send(Message::text(text)).await;
    }

    /// Sends bytes.
    pub async fn send_bytes(&mut self, bytes: Vec<u8>) {
        let _ = self.0.send(Message::binary(bytes)).await;
    }

    /// The next message, whatever it is; pings are answered on the way. None: the connection broke.
    async fn frame(&mut self) -> Option<Message> {
        loop {
            let frame = tokio::time::timeout(TIMEOUT, self.0.next()).await.expect("something comes");
            match frame {
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(frame)) => return Some(frame),
                Some(Err(_)) | None => return None,
            }
        }
    }

    /// The next message; none where the socket ends.
    pub async fn try_receive(&mut self) -> Option<Value> {
        match self.frame().await? {
            Message::Text(text) => Some(serde_json::from_str(&text).expect("JSON")),
            _ => None,
        }
    }

    /// The next message.
    pub async fn receive(&mut self) -> Value {
        match self.frame().await {
            Some(Message::Text(text)) => serde_json::from_str(&text).expect("JSON"),
            other => panic!("a message was expected, not {other:?}"),
        }
    }

    /// The code with which the socket is closed; messages on the way are passed over.
    pub async fn close_code(&mut self) -> u16 {
        self.close_frame().await.0
    }

    /// The code and the reason with which the socket is closed; messages on the way are passed over.
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

    /// Begins a subscription and keeps the socket for it.
    pub async fn follow(mut self, query: &str, variables: Value) -> Subscription {
        let payload = json!({ "query": query, "variables": variables });
        self.send(&json!({ "id": "1", "type": "subscribe", "payload": payload })).await;
        Subscription { socket: self }
    }
}

/// A subscription on a socket of its own.
pub struct Subscription {
    /// The socket.
    pub socket: Socket,
}

impl Subscription {
    /// The next event: the only field of its data.
    pub async fn next(&mut self) -> Value {
        let message = self.socket.receive().await;
        assert_eq!(message["type"], "next", "{message}");
        assert!(message["payload"].get("errors").is_none(), "{message}");
        let data = message["payload"]["data"].as_object().expect("data");
        data.values().next().expect("a field").clone()
    }

    /// The next event; none where the connection is closed or broken.
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

    /// The next event, while the environment's time passes second by second.
    pub async fn next_in(&mut self, env: &TestEnv) -> Value {
        let mut event = std::pin::pin!(self.next());
        for _ in 0..600 {
            // Not a wait for anything: it only paces the clock.
            if let Ok(event) = tokio::time::timeout(std::time::Duration::from_millis(25), &mut event).await {
                return event;
            }
            env.advance(TimeDelta::seconds(1));
        }
        panic!("nothing came in ten minutes of the test's time");
    }

    /// The next event that is no heartbeat, while the environment's time passes.
    pub async fn next_event_in(&mut self, env: &TestEnv) -> Value {
        loop {
            let event = self.next_in(env).await;
            if event["kind"] != "HEARTBEAT" {
                return event;
            }
        }
    }

    /// The code with which the connection is closed, while the environment's time passes second by second.
    pub async fn close_code_in(&mut self, env: &TestEnv) -> u16 {
        let mut code = std::pin::pin!(self.socket.close_code());
        for _ in 0..600 {
            // Not a wait for anything: it only paces the clock.
            if let Ok(code) = tokio::time::timeout(std::time::Duration::from_millis(25), &mut code).await {
                return code;
            }
            env.advance(TimeDelta::seconds(1));
        }
        panic!("it stayed open for ten minutes of the test's time");
    }

    /// The errors with which the subscription was refused.
    pub async fn refused(&mut self) -> String {
        let message = self.socket.receive().await;
        assert_eq!(message["type"], "error", "{message}");
        message["payload"][0]["extensions"]["code"].as_str().expect("a code").to_owned()
    }

    /// Cuts the connection without a word.
    pub fn disconnect(self) {
        drop(self);
    }
}
