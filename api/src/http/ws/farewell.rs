//! The end of a socket: sends or answers the Close, and gives the peer a moment to read it.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::tungstenite::{Error, Message, error::ProtocolError, protocol::CloseFrame};

use crate::http::ws::{close::Close, wire::Socket};

/// How long a peer may take to answer a close.
const FAREWELL: Duration = Duration::from_secs(2);
/// How many frames are read until the peer's Close.
const MOST_FRAMES: usize = 1_000;
/// How much is read after that, until the peer hangs up. Whoever goes on sending is cut off.
const MOST_BYTES: u64 = 1 << 20;

/// Why a socket ends.
#[derive(Debug)]
pub(in crate::http) enum End {
    /// The service closes it.
    Said(Close),
    /// The peer closed it. The library has queued the answer.
    Answered,
    /// Nothing can be sent any more: the peer is gone, or a message is stuck halfway.
    Silent,
}

impl End {
    /// Returns how a socket ends whose next frame could not be read.
    pub(in crate::http) const fn of(error: &Error) -> Self {
        match error {
            Error::Capacity(_) => Self::Said(Close::TooLarge),
            Error::Utf8(_) => Self::Said(Close::BadText),
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => Self::Silent,
            Error::Protocol(_) => Self::Said(Close::BadFrame),
            _ => Self::Silent,
        }
    }
}

/// What is still to be written to a socket.
#[derive(Debug)]
pub(in crate::http) enum Farewell {
    /// A Close of ours.
    Say(CloseFrame),
    /// The queued answer to the peer's Close.
    Answer,
}

impl Farewell {
    /// Writes what is left, and reads until the peer hangs up. A peer that takes longer than [`FAREWELL`], or goes on sending, is cut off.
    pub(in crate::http) async fn part(self, mut socket: Socket) {
        let part = async {
            // A queued pong would come after the Close, which must be the last frame.
            let mut sent = socket.flush().await;
            if let (Ok(()), Self::Say(close)) = (&sent, self) {
                sent = socket.send(Message::Close(Some(close))).await;
            }
            if sent.is_err() {
                return;
            }
            for _ in 0..MOST_FRAMES {
                if !matches!(socket.next().await, Some(Ok(_))) {
                    break;
                }
            }
            let bytes = socket.get_mut();
            if bytes.shutdown().await.is_ok() {
                // Closed with bytes unread, the connection would be reset, and the Close might never be seen.
                let _ = tokio::io::copy(&mut bytes.take(MOST_BYTES), &mut tokio::io::sink()).await;
            }
        };
        // Real time: an end must not wait on the injected clock.
        let _ = tokio::time::timeout(FAREWELL, part).await;
    }
}
