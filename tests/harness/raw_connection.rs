//! A TCP client that sends and reads only what a test tells it to.

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

use crate::{Actor, TIMEOUT};

/// Size of the receive buffer.
const WINDOW: u32 = 32 << 10;

/// A bare connection.
#[derive(Debug)]
pub struct RawConnection {
    connection: TcpStream,
    heard: Vec<u8>,
}

impl RawConnection {
    /// Connects.
    pub async fn to(host: &str) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(WINDOW).expect("a receive buffer size");
        let connection = socket.connect(host.parse().expect("an address")).await.expect("the connection is accepted");
        Self { connection, heard: Vec::new() }
    }

    /// Posts an operation, and reads nothing of the response.
    pub async fn post(actor: &Actor, accept: &str, body: &Value) -> Self {
        let (mut raw, body) = (Self::to(&actor.host).await, body.to_string());
        let token = actor.token.as_ref().map_or_else(String::new, |token| format!("authorization: Bearer {token}\r\n"));
        let head = format!(
            "POST /graphql HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\naccept: {accept}\r\n{token}\
             content-length: {}\r\n\r\n",
            actor.host,
            body.len()
        );
        raw.send(&[head.as_bytes(), body.as_bytes()].concat()).await;
        raw
    }

    /// Sends bytes.
    pub async fn send(&mut self, bytes: &[u8]) {
        self.connection.write_all(bytes).await.expect("the bytes are sent");
    }

    /// Sends bytes on a connection that may be closed.
    ///
    /// # Errors
    /// If it is closed.
    pub async fn try_send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.connection.write_all(bytes).await
    }

    /// Reads up to and including `end`, and returns everything read.
    pub async fn receive_until(&mut self, end: &[u8]) -> Vec<u8> {
        let mut looked_at = 0;
        let found = async {
            loop {
                let from = usize::saturating_sub(looked_at, end.len());
                if let Some(at) = self.heard[from..].windows(end.len()).position(|bytes| bytes == end) {
                    return self.heard.drain(..from + at + end.len()).collect();
                }
                looked_at = self.heard.len();
                let count = self.connection.read_buf(&mut self.heard).await.expect("the output continues");
                assert_ne!(count, 0, "closed after {:?}", String::from_utf8_lossy(&self.heard));
            }
        };
        if let Ok(found) = tokio::time::timeout(TIMEOUT, found).await {
            return found;
        }
        let tail = &self.heard[self.heard.len().saturating_sub(200)..];
        panic!("{} bytes arrived, ending in: {:?}", self.heard.len(), String::from_utf8_lossy(tail));
    }

    /// Reads this many bytes.
    pub async fn receive(&mut self, count: usize) -> Vec<u8> {
        while self.heard.len() < count {
            let read = tokio::time::timeout(TIMEOUT, self.connection.read_buf(&mut self.heard)).await;
            assert_ne!(read.expect("data arrives in time").expect("the output continues"), 0, "closed");
        }
        self.heard.drain(..count).collect()
    }

    /// Reads this many bytes, or returns `None` if the connection ends or breaks before.
    pub async fn try_receive(&mut self, count: usize) -> Option<Vec<u8>> {
        while self.heard.len() < count {
            let read = tokio::time::timeout(TIMEOUT, self.connection.read_buf(&mut self.heard)).await;
            if !matches!(read.expect("data arrives in time, or the stream ends"), Ok(1..)) {
                return None;
            }
        }
        Some(self.heard.drain(..count).collect())
    }

    /// Sends the same bytes repeatedly, without reading, until the connection ends or breaks. Returns the number of
    /// bytes sent.
    pub async fn flood(&mut self, bytes: &[u8]) -> usize {
        let mut taken = 0;
        while let Ok(count @ 1..) = self.connection.write(&bytes[taken % bytes.len()..]).await {
            taken += count;
        }
        taken
    }

    /// Reads until the connection ends or breaks.
    pub async fn rest(&mut self) -> Vec<u8> {
        let mut rest = std::mem::take(&mut self.heard);
        // Bytes received before an error are kept.
        let _ = tokio::time::timeout(TIMEOUT, self.connection.read_to_end(&mut rest))
            .await
            .expect("the connection closes in time");
        rest
    }
}
