//! Reads the protocols of meetings, and opens them to staff by tickets.

mod read;
mod ticket;

pub use read::{ProtocolError, ProtocolRequest, Protocols};

pub use crate::app::rate_limit::{LimitReached, LimitScope, Requester};
