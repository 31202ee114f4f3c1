//! The writing half of a WebSocket's connection, shared by its session and by whoever delivers events to it.
//!
//! Both write whole frames under a lock. What the peer does not accept at once is kept, and the session writes it
//! before anything else; meanwhile no events are delivered.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    task::coop::poll_proceed,
};

/// Maximum size of a delivery. The session writes larger ones.
const MAX_DELIVERY: usize = 64 << 10;

/// The writing half of a connection.
pub(in crate::http) struct ConnectionWriter {
    state: Mutex<WriterState>,
    session: AtomicWaker,
}

struct WriterState {
    half: OwnedWriteHalf,
    /// What the peer has not accepted yet: it starts within a frame, and ends at the end of one.
    unsent: Vec<u8>,
    /// Whether the session has messages that are not in `unsent` yet.
    is_held: bool,
}

impl ConnectionWriter {
    /// Keeps deliveries out until [`Self::release`], because the session has messages to write.
    pub(in crate::http) fn hold(&self) {
        self.state.lock().is_held = true;
    }

    /// Lets deliveries in.
    pub(in crate::http) fn release(&self) {
        self.state.lock().is_held = false;
    }

    /// Writes frames that `encode` appends to the scratch buffer, all or none, without waiting. Returns whether they
    /// were taken. `encode` returns false if nothing may be written.
    pub(in crate::http) fn try_deliver(
        &self,
        scratch: &mut Vec<u8>,
        encode: impl FnOnce(&mut Vec<u8>) -> bool,
    ) -> bool {
        let mut state = self.state.lock();
        if state.is_held || !state.unsent.is_empty() {
            return false;
        }
        scratch.clear();
        if !encode(scratch) || scratch.len() > MAX_DELIVERY {
            return false;
        }
        match state.half.try_write(scratch) {
            Ok(written) if written == scratch.len() => true,
            Ok(written) => {
                state.unsent.extend_from_slice(scratch.get(written..).unwrap_or_default());
                self.session.wake();
                true
            }
            // The session sees a broken connection when it reads.
            Err(_) => false,
        }
    }

    /// Returns whether bytes wait for the peer, and wakes the task when there are some.
    pub(in crate::http) fn poll_unsent(&self, cx: &Context<'_>) -> bool {
        self.session.register(cx.waker());
        !self.state.lock().unsent.is_empty()
    }

    /// Writes bytes after those that wait, and keeps what the peer does not accept at once.
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.state.lock();
        let written = match state.unsent.is_empty() {
            true => match state.half.try_write(bytes) {
                Ok(written) => written,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
                Err(error) => return Err(error),
            },
            false => 0,
        };
        state.unsent.extend_from_slice(bytes.get(written..).unwrap_or_default());
        Ok(())
    }

    fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.state.lock();
        while !state.unsent.is_empty() {
            let WriterState { half, unsent, .. } = &mut *state;
            match Pin::new(half).poll_write(cx, unsent) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(written)) => drop(unsent.drain(..written)),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        // A burst must not cost its size for as long as the connection lives.
        state.unsent = Vec::new();
        Poll::Ready(Ok(()))
    }
}

/// The connection of a WebSocket. Its writes never wait: flushing does.
pub(in crate::http) struct SharedConnection<T> {
    reader: OwnedReadHalf,
    writer: Arc<ConnectionWriter>,
    /// Held as long as the connection.
    _held: T,
}

impl<T> SharedConnection<T> {
    /// Splits a stream. `held` is dropped with the connection.
    pub(in crate::http) fn new(stream: TcpStream, held: T) -> Self {
        let (reader, half) = stream.into_split();
        let state = Mutex::new(WriterState { half, unsent: Vec::new(), is_held: false });
        Self { reader, writer: Arc::new(ConnectionWriter { state, session: AtomicWaker::new() }), _held: held }
    }

    /// Returns the writing half.
    pub(in crate::http) const fn writer(&self) -> &Arc<ConnectionWriter> {
        &self.writer
    }
}

impl<T: Unpin> AsyncRead for SharedConnection<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.reader).poll_read(cx, buffer)
    }
}

impl<T: Unpin> AsyncWrite for SharedConnection<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        // Lets other tasks run now and then, as a write to a socket does.
        let progress = ready!(poll_proceed(cx));
        let written = self.writer.append(bytes).map(|()| bytes.len());
        progress.made_progress();
        Poll::Ready(written)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.writer.poll_flush(cx))?;
        Pin::new(&mut self.writer.state.lock().half).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(30);

    /// Returns both ends of a connection.
    async fn connection() -> (SharedConnection<()>, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (SharedConnection::new(listener.accept().await.unwrap().0, ()), peer)
    }

    fn deliver(writer: &ConnectionWriter, bytes: &[u8]) -> bool {
        writer.try_deliver(&mut Vec::new(), |buffer| {
            buffer.extend_from_slice(bytes);
            true
        })
    }

    #[tokio::test]
    async fn delivers_only_while_the_session_holds_nothing_back() {
        let (ours, mut peer) = connection().await;
        let writer = Arc::clone(ours.writer());
        assert!(deliver(&writer, b"a"));
        writer.hold();
        assert!(!deliver(&writer, b"b"));
        writer.release();
        assert!(!writer.try_deliver(&mut Vec::new(), |_| false), "the operation is closed");
        assert!(!deliver(&writer, &vec![0; MAX_DELIVERY + 1]), "the session writes it in parts");
        assert!(deliver(&writer, b"c"));
        let mut read = [0; 2];
        peer.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"ac");
    }

    #[tokio::test]
    async fn keeps_what_the_peer_does_not_accept_and_continues_in_order() {
        let (mut ours, mut peer) = connection().await;
        let writer = Arc::clone(ours.writer());
        let mut expected = Vec::new();
        for n in 0_u32.. {
            let bytes: Vec<u8> = n.to_be_bytes().repeat(8 << 10);
            if !deliver(&writer, &bytes) {
                break;
            }
            expected.extend(bytes);
        }
        ours.write_all(b"the session's").await.unwrap();
        expected.extend(b"the session's");
        assert!(!deliver(&writer, b"never"), "it would overtake what waits");
        let reader = tokio::spawn(async move {
            let mut read = vec![0; expected.len()];
            peer.read_exact(&mut read).await.unwrap();
            (read == expected, peer)
        });
        tokio::time::timeout(TIMEOUT, ours.flush()).await.unwrap().unwrap();
        let (same, mut peer) = tokio::time::timeout(TIMEOUT, reader).await.unwrap().unwrap();
        assert!(same, "every byte once and in order");
        assert!(deliver(&writer, b"z"), "the peer has caught up");
        let mut read = [0; 1];
        peer.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"z");
    }
}
