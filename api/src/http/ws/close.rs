//! Why a socket is closed, as the protocol numbers it.

use entities::enums::Language;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, frame::coding::CloseCode};

use crate::text;

/// Why a socket is closed. Reasons stay under 123 bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::http) enum Close {
    /// A message that the protocol does not know.
    BadMessage,
    /// An operation before the introduction was answered.
    Unauthorized,
    /// The token is not accepted, or has ended.
    Forbidden,
    /// No introduction in time.
    InitTimeout,
    /// An id that is in use.
    Duplicate,
    /// A second introduction.
    TooManyInits,
    /// A message larger than is allowed.
    TooLarge,
    /// A frame that breaks the rules of WebSocket.
    BadFrame,
    /// A text that is not UTF-8.
    BadText,
    /// More messages than an honest client sends.
    TooFast,
    /// The peer is not there any more.
    Gone,
    /// The service restarts. Clients come back, spread out.
    Restart {
        /// How long to wait, in milliseconds.
        retry_after_ms: u16,
    },
}

impl Close {
    /// The close as it goes out: in English with the words of the protocol. An id in them would be what the client sent.
    pub(in crate::http) fn frame(&self, language: Language) -> CloseFrame {
        let (code, message) = match self {
            Self::BadMessage => (4400, "close-bad-message"),
            Self::Unauthorized => (4401, "close-unauthorized"),
            Self::Forbidden => (4403, "close-forbidden"),
            Self::InitTimeout => (4408, "close-init-timeout"),
            Self::Duplicate => (4409, "close-duplicate"),
            Self::TooManyInits => (4429, "close-too-many-inits"),
            Self::TooLarge => (1009, "close-too-large"),
            Self::BadFrame => (1002, "close-bad-frame"),
            Self::BadText => (1007, "close-bad-text"),
            Self::TooFast => (1008, "close-too-fast"),
            Self::Gone => (1001, "close-gone"),
            // For programs.
            Self::Restart { retry_after_ms } => {
                let reason = format!("{{\"retryAfterMs\":{retry_after_ms}}}");
                return CloseFrame { code: CloseCode::from(1012), reason: reason.into() };
            }
        };
        CloseFrame { code: CloseCode::from(code), reason: text::message(language, message, &[]).into() }
    }
}
