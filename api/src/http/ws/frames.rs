//! Frame encoder: collects whole frames in a buffer and writes them in one call.
//!
//! tungstenite copies each message into a per-connection buffer that grows to the largest burst and stays.
//! Server frames are a short header and the payload, so we encode them here. Reading, pongs and closing stay
//! with tungstenite.

use futures_util::SinkExt;
use tokio::io::AsyncWriteExt;
use tokio_tungstenite::{WebSocketStream, tungstenite::Error};

use crate::http::{
    connection::ConnectionState, connection_limits::ConnectionPermit, ws::connection_writer::SharedConnection,
};

/// A socket. It holds the permits of its connection and of its request.
pub(in crate::http) type Socket = WebSocketStream<SharedConnection<(Option<ConnectionPermit>, ConnectionState)>>;

/// First byte of a text frame, and of a ping.
const TEXT: u8 = 0x81;
const PING: u8 = 0x89;

/// A buffer of complete frames, ready to be written.
#[derive(Debug, Default)]
pub(in crate::http) struct FrameBuffer(Vec<u8>);

impl FrameBuffer {
    pub(in crate::http) fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    /// Appends a text frame whose payload is the concatenation of `parts`.
    pub(in crate::http) fn text(&mut self, parts: &[&[u8]]) {
        append_text(&mut self.0, parts);
    }

    /// Appends a ping frame.
    pub(in crate::http) fn ping(&mut self) {
        append_frame(&mut self.0, PING, &[]);
    }

    /// Returns the encoded frames.
    #[cfg(any(test, fuzzing))]
    pub(in crate::http) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Appends a text frame to a buffer. Its payload is the concatenation of `parts`.
pub(in crate::http) fn append_text(buffer: &mut Vec<u8>, parts: &[&[u8]]) {
    append_frame(buffer, TEXT, parts);
}

fn append_frame(buffer: &mut Vec<u8>, opcode: u8, parts: &[&[u8]]) {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    buffer.push(opcode);
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short @ 0..126), _) => buffer.push(short),
        (_, Ok(medium)) => {
            buffer.push(126);
            buffer.extend(medium.to_be_bytes());
        }
        _ => {
            buffer.push(127);
            buffer.extend(u64::try_from(length).unwrap_or(u64::MAX).to_be_bytes());
        }
    }
    for part in parts {
        buffer.extend_from_slice(part);
    }
}

/// Writes the buffer. Not cancel-safe: a dropped future may leave half a frame on the wire.
pub(in crate::http) async fn write_frames(socket: &mut Socket, frames: &FrameBuffer) -> Result<(), Error> {
    // Frames that tungstenite has queued, such as a pong, go first.
    socket.flush().await?;
    socket.get_mut().write_all(&frames.0).await?;
    socket.get_mut().flush().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodes_payload_lengths_as_rfc_6455_says() {
        for (length, header) in [
            (0_usize, vec![0x81, 0]),
            (125, vec![0x81, 125]),
            (126, vec![0x81, 126, 0, 126]),
            (255, vec![0x81, 126, 0, 255]),
            (65_535, vec![0x81, 126, 255, 255]),
            (65_536, vec![0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let mut frames = FrameBuffer::default();
            frames.text(&[&vec![b'a'; length / 2], &vec![b'a'; length - length / 2]]);
            assert_eq!(frames.0.get(..header.len()), Some(header.as_slice()));
            assert_eq!(frames.0.len(), header.len() + length);
        }
    }
}
