//! The closing handshake: sends or answers a Close frame, then waits briefly for the peer.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::tungstenite::{Error, Message, error::ProtocolError, protocol::CloseFrame};

use crate::http::ws::{close::CloseReason, frames::Socket};

/// How long the whole closing handshake may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// Maximum number of frames read while waiting for the peer's Close.
const MAX_DRAINED_FRAMES: usize = 1_000;
/// Maximum number of bytes read afterwards, until the peer hangs up.
const MAX_DRAINED_BYTES: u64 = 1 << 20;

/// Why a session ends.
#[derive(Debug)]
pub(in crate::http) enum Disconnect {
    /// The server closes the socket.
    Close(CloseReason),
    /// The peer sent a Close. tungstenite has queued the reply.
    PeerClosed,
    /// The connection is unusable: the peer is gone, or a frame was only partly written.
    Lost,
}

impl Disconnect {
    /// Maps a read error to the way the session ends.
    pub(in crate::http) const fn from_read_error(error: &Error) -> Self {
        match error {
            Error::Capacity(_) => Self::Close(CloseReason::MessageTooLarge),
            Error::Utf8(_) => Self::Close(CloseReason::InvalidUtf8),
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => Self::Lost,
            Error::Protocol(_) => Self::Close(CloseReason::ProtocolError),
            _ => Self::Lost,
        }
    }
}

/// The frame that is still to be written.
#[derive(Debug)]
pub(in crate::http) enum ClosingHandshake {
    /// Our Close frame.
    Initiate(CloseFrame),
    /// The queued reply to the peer's Close.
    Reply,
}

impl ClosingHandshake {
    /// Writes the remaining frame and reads until the peer hangs up, for at most [`CLOSE_TIMEOUT`].
    pub(in crate::http) async fn run(self, mut socket: Socket) {
        let handshake = async {
            // Flush first: a queued pong must not follow the Close, which is the last frame.
            let mut sent = socket.flush().await;
            if let (Ok(()), Self::Initiate(close)) = (&sent, self) {
                sent = socket.send(Message::Close(Some(close))).await;
            }
            if sent.is_err() {
                return;
            }
            for _ in 0..MAX_DRAINED_FRAMES {
                if !matches!(socket.next().await, Some(Ok(_))) {
                    break;
                }
            }
            let bytes = socket.get_mut();
            if bytes.shutdown().await.is_ok() {
                // Closing with unread bytes resets the connection, and the peer may never see the Close.
                let _ = tokio::io::copy(&mut bytes.take(MAX_DRAINED_BYTES), &mut tokio::io::sink()).await;
            }
        };
        // Real time: closing must not depend on the injected clock.
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, handshake).await;
    }
}
