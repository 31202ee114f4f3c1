//! Writing to a socket: whole batches, in one call, from a buffer that lives no longer than the call.
//!
//! The library would copy each message into a buffer of the connection, which grows to the largest burst and stays. Frames
//! of a server are a few bytes of header and the text, so they are put together here; reading, pings and closing remain the
//! library's.

use futures_util::SinkExt;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt;
use tokio_tungstenite::{WebSocketStream, tungstenite::Error};

pub(in crate::http) type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// Whole messages, ready to be written.
#[derive(Debug, Default)]
pub(in crate::http) struct Batch(Vec<u8>);

impl Batch {
    pub(in crate::http) fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    /// Adds a text message, given in parts.
    pub(in crate::http) fn text(&mut self, parts: &[&[u8]]) {
        self.frame(0x81, parts);
    }

    /// Adds a ping.
    pub(in crate::http) fn ping(&mut self) {
        self.frame(0x89, &[]);
    }

    /// The messages as they go over the wire.
    #[cfg(any(test, fuzzing))]
    pub(in crate::http) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn frame(&mut self, first: u8, parts: &[&[u8]]) {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        self.0.push(first);
        match (u8::try_from(length), u16::try_from(length)) {
            (Ok(short @ 0..126), _) => self.0.push(short),
            (_, Ok(medium)) => {
                self.0.push(126);
                self.0.extend(medium.to_be_bytes());
            }
            _ => {
                self.0.push(127);
                self.0.extend(u64::try_from(length).unwrap_or(u64::MAX).to_be_bytes());
            }
        }
        for part in parts {
            self.0.extend_from_slice(part);
        }
    }
}

/// Writes a batch. Not to be given up halfway on a socket that is to be used again: the rest of a frame would be missing.
pub(in crate::http) async fn write(socket: &mut Socket, batch: &Batch) -> Result<(), Error> {
    // What the library itself has to say, such as a pong, goes out first.
    socket.flush().await?;
    socket.get_mut().write_all(&batch.0).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_written_as_the_protocol_says() {
        for (length, header) in [
            (0_usize, vec![0x81, 0]),
            (125, vec![0x81, 125]),
            (126, vec![0x81, 126, 0, 126]),
            (255, vec![0x81, 126, 0, 255]),
            (65_535, vec![0x81, 126, 255, 255]),
            (65_536, vec![0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let mut batch = Batch::default();
            batch.text(&[&vec![b'a'; length / 2], &vec![b'a'; length - length / 2]]);
            assert_eq!(batch.0.get(..header.len()), Some(header.as_slice()));
            assert_eq!(batch.0.len(), header.len() + length);
        }
    }
}
