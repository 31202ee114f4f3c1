//! Why a socket is closed, as the protocol numbers it.

use tokio_tungstenite::tungstenite::protocol::{CloseFrame, frame::coding::CloseCode};

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
    Duplicate(String),
    /// A second introduction.
    TooManyInits,
    /// A message larger than is allowed.
    TooLarge,
    /// The peer is not there any more.
    Gone,
    /// The service restarts. Clients come back, spread out.
    Restart {
        /// How long to wait, in milliseconds.
        retry_after_ms: u16,
    },
}

impl Close {
    pub(in crate::http) fn frame(&self) -> CloseFrame {
        let (code, reason) = match self {
            Self::BadMessage => (4400, "Bad message".to_owned()),
            Self::Unauthorized => (4401, "Unauthorized".to_owned()),
            Self::Forbidden => (4403, "Forbidden".to_owned()),
            Self::InitTimeout => (4408, "Connection initialisation timeout".to_owned()),
            Self::Duplicate(id) => {
                (4409, format!("Subscriber for {} already exists", id.chars().take(20).collect::<String>()))
            }
            Self::TooManyInits => (4429, "Too many initialisation requests".to_owned()),
            Self::TooLarge => (1009, "The message is too large".to_owned()),
            Self::Gone => (1001, "No answer".to_owned()),
            Self::Restart { retry_after_ms } => (1012, format!("{{\"retryAfterMs\":{retry_after_ms}}}")),
        };
        CloseFrame { code: CloseCode::from(code), reason: reason.into() }
    }
}
