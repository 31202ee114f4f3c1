//! WebSocket close codes of `graphql-transport-ws`, with their localised reasons.

use entities::enums::Language;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, frame::coding::CloseCode};

use crate::text;

/// Why the server closes a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::http) enum CloseReason {
    /// The message is not part of the protocol.
    BadMessage,
    /// An operation arrived before `connection_ack`.
    Unauthorized,
    /// The token is rejected, expired or revoked.
    Forbidden,
    /// `connection_init` did not arrive in time.
    InitTimeout,
    /// The operation id is already in use.
    DuplicateId,
    /// A second `connection_init`.
    TooManyInits,
    /// The message exceeds the size limit.
    MessageTooLarge,
    /// The frame violates RFC 6455.
    ProtocolError,
    /// A text frame is not valid UTF-8.
    InvalidUtf8,
    /// The client exceeded the message rate limit.
    RateLimited,
    /// The client did not answer two pings.
    PingTimeout,
    /// The service restarts; clients reconnect after a delay that spreads them out.
    Restart {
        /// Delay before reconnecting, in milliseconds.
        retry_after_ms: u16,
    },
}

impl CloseReason {
    /// Returns the close frame. Its reason stays under 123 bytes, and never echoes client input.
    pub(in crate::http) fn frame(&self, language: Language) -> CloseFrame {
        let (code, message) = match self {
            Self::BadMessage => (4400, "close-bad-message"),
            Self::Unauthorized => (4401, "close-unauthorized"),
            Self::Forbidden => (4403, "close-forbidden"),
            Self::InitTimeout => (4408, "close-init-timeout"),
            Self::DuplicateId => (4409, "close-duplicate"),
            Self::TooManyInits => (4429, "close-too-many-inits"),
            Self::MessageTooLarge => (1009, "close-too-large"),
            Self::ProtocolError => (1002, "close-bad-frame"),
            Self::InvalidUtf8 => (1007, "close-bad-text"),
            Self::RateLimited => (1008, "close-too-fast"),
            Self::PingTimeout => (1001, "close-gone"),
            // Machine-readable, so not localised.
            Self::Restart { retry_after_ms } => {
                let reason = format!("{{\"retryAfterMs\":{retry_after_ms}}}");
                return CloseFrame { code: CloseCode::from(1012), reason: reason.into() };
            }
        };
        CloseFrame { code: CloseCode::from(code), reason: text::message(language, message, &[]).into() }
    }
}
