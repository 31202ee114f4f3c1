//! A WebSocket client that sends any frame, answers nothing automatically, and reads only on demand.

use crate::RawConnection;

/// A raw connection after the WebSocket handshake.
#[derive(Debug)]
pub struct RawWebSocket {
    /// The underlying connection.
    pub raw: RawConnection,
}

impl RawWebSocket {
    /// Opens a socket, without `connection_init`.
    pub async fn open(host: &str) -> Self {
        Self::try_open(host).await.expect("the handshake succeeds")
    }

    /// Opens a socket, or returns `None` if the handshake is rejected.
    pub async fn try_open(host: &str) -> Option<Self> {
        let mut raw = RawConnection::to(host).await;
        let head = format!(
            "GET /graphql HTTP/1.1\r\nhost: {host}\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
             sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-protocol: graphql-transport-ws\r\n\r\n"
        );
        // The connection may be rejected before the request is sent.
        let _ = raw.try_send(head.as_bytes()).await;
        let answer = raw.receive_until(b"\r\n\r\n").await;
        answer.starts_with(b"HTTP/1.1 101 ").then_some(Self { raw })
    }

    /// Opens a socket and completes `connection_init` without a token.
    pub async fn introduced(host: &str) -> Self {
        let mut frames = Self::open(host).await;
        frames.send(0x81, br#"{"type":"connection_init"}"#).await;
        assert_eq!(frames.next().await, Some((0x81, br#"{"type":"connection_ack"}"#.to_vec())));
        frames
    }

    /// Sends a masked frame with this first byte.
    pub async fn send(&mut self, first: u8, payload: &[u8]) {
        self.raw.send(&frame(first, payload)).await;
    }

    /// Reads the first byte and the payload of the next frame, or returns `None` if the connection ends.
    pub async fn next(&mut self) -> Option<(u8, Vec<u8>)> {
        let head = self.raw.try_receive(2).await?;
        assert!(head[1] < 0x80, "a server frame must not be masked");
        let length = match head[1] {
            126 => self.raw.try_receive(2).await?.into_iter().fold(0, |length, byte| length << 8 | usize::from(byte)),
            127 => self.raw.try_receive(8).await?.into_iter().fold(0, |length, byte| length << 8 | usize::from(byte)),
            short => usize::from(short),
        };
        Some((head[0], self.raw.try_receive(length).await?))
    }

    /// Reads until a Close frame and returns its code: 1005 if it has none, 1006 if the connection ends without
    /// one. Checks that nothing follows the Close.
    pub async fn close_code(&mut self) -> u16 {
        loop {
            match self.next().await {
                Some((0x88, payload)) => {
                    assert_eq!(self.next().await, None, "nothing follows a Close frame");
                    return payload.get(..2).map_or(1005, |code| u16::from_be_bytes([code[0], code[1]]));
                }
                Some(_) => {}
                None => return 1006,
            }
        }
    }
}

/// Encodes a masked client frame.
#[must_use]
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x12, 0x34, 0x56, 0x78];
    let length = match payload.len() {
        short @ 0..126 => vec![0x80 | short.to_be_bytes()[7]],
        medium @ 126..65_536 => [&[0x80 | 126], &medium.to_be_bytes()[6..]].concat(),
        long => [&[0x80 | 127], &long.to_be_bytes()[..]].concat(),
    };
    let masked: Vec<u8> = payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
    [&[first], &length[..], &MASK, &masked].concat()
}
