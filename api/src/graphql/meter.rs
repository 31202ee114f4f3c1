//! What one operation has used so far, each up to a cap; and how much memory all answers hold together.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use entities::{comment, meeting};
use tokio::sync::Mutex;

use crate::graphql::error::{ApiError, ApiResult};

/// How many statements one operation may put to the database.
pub const MOST_STATEMENTS: usize = 100;
/// How many bytes one answer may have.
pub const MOST_ANSWER_BYTES: usize = 2 << 20;
/// How many bytes of rows one operation may read.
pub const MOST_ROW_BYTES: usize = 8 << 20;
/// How many bytes all answers may hold at one replica: those being made, and those not yet taken by their peers.
pub const MOST_HELD_BYTES: usize = 64 << 20;

/// About how many bytes a row takes beside its texts.
const ROW: usize = 500;

/// The memory that the answers of one replica hold.
#[derive(Clone, Debug, Default)]
pub struct ResponseMemory(Arc<AtomicUsize>);

impl ResponseMemory {
    /// Refuses where the answers that are there hold too much already.
    ///
    /// # Errors
    /// `RATE_LIMITED` when they do.
    pub fn check(&self) -> ApiResult<()> {
        if self.held() > MOST_HELD_BYTES { Err(ApiError::overloaded()) } else { Ok(()) }
    }

    /// How many bytes are held.
    #[must_use]
    pub fn held(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Counts bytes for as long as anybody holds them.
    #[must_use]
    pub fn hold(&self, bytes: Vec<u8>) -> Bytes {
        let share = Share::new(self);
        share.grow(bytes.len());
        Bytes::from_owner(HeldBytes { bytes, _share: share })
    }
}

/// A part of the memory, given back when it is dropped.
#[derive(Debug)]
struct Share {
    memory: ResponseMemory,
    bytes: AtomicUsize,
}

impl Share {
    fn new(memory: &ResponseMemory) -> Self {
        Self { memory: memory.clone(), bytes: AtomicUsize::new(0) }
    }

    fn grow(&self, bytes: usize) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.memory.0.fetch_add(bytes, Ordering::Relaxed);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.memory.0.fetch_sub(self.bytes.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}

struct HeldBytes {
    bytes: Vec<u8>,
    _share: Share,
}

impl AsRef<[u8]> for HeldBytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// What one operation has used.
#[derive(Debug)]
pub struct Meter {
    statements: AtomicUsize,
    row_bytes: AtomicUsize,
    text_bytes: AtomicUsize,
    share: Share,
    turn: Mutex<()>,
    stopped: OnceLock<ApiError>,
}

impl Meter {
    /// Begins to count for one operation, whose texts and rows count as held memory until it is over.
    #[must_use]
    pub fn new(memory: &ResponseMemory) -> Self {
        Self {
            statements: AtomicUsize::new(0),
            row_bytes: AtomicUsize::new(0),
            text_bytes: AtomicUsize::new(0),
            share: Share::new(memory),
            turn: Mutex::new(()),
            stopped: OnceLock::new(),
        }
    }

    /// Counts a statement that is about to be put to the database.
    ///
    /// # Errors
    /// `COST_EXCEEDED` when there were too many.
    pub fn statement(&self) -> ApiResult<()> {
        let before = self.statements.fetch_add(1, Ordering::Relaxed);
        if before >= MOST_STATEMENTS { Err(self.stop(ApiError::TooCostly)) } else { Ok(()) }
    }

    /// Counts the bytes of rows that were read.
    ///
    /// # Errors
    /// `COST_EXCEEDED` when the operation has read too much, `RATE_LIMITED` when all hold too much together.
    pub fn rows(&self, bytes: usize) -> ApiResult<()> {
        self.count(&self.row_bytes, bytes, MOST_ROW_BYTES)
    }

    /// Counts the bytes of a text that goes into the answer.
    ///
    /// # Errors
    /// `COST_EXCEEDED` when the answer becomes too long, `RATE_LIMITED` when all hold too much together.
    pub fn text(&self, bytes: usize) -> ApiResult<()> {
        self.count(&self.text_bytes, bytes, MOST_ANSWER_BYTES)
    }

    fn count(&self, counter: &AtomicUsize, bytes: usize, most: usize) -> ApiResult<()> {
        let all = counter.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        self.share.grow(bytes);
        if all > most {
            return Err(self.stop(ApiError::TooCostly));
        }
        self.share.memory.check().map_err(|busy| self.stop(busy))
    }

    fn stop(&self, why: ApiError) -> ApiError {
        self.stopped.get_or_init(|| why).clone()
    }

    /// Why the operation was stopped, if it was.
    #[must_use]
    pub fn stopped(&self) -> Option<ApiError> {
        self.stopped.get().cloned()
    }

    /// Does work that takes a part of a millisecond or more, and lets other tasks run before the operation's next such work.
    pub async fn slice<T>(&self, work: impl FnOnce() -> T) -> T {
        // The fields of an operation are polled together: without a turn each would let others run, and then all would work.
        let _turn = self.turn.lock().await;
        let done = work();
        tokio::task::yield_now().await;
        done
    }
}

/// About how many bytes a comment takes: its body is there as it is shown, and once more as it is searched.
#[must_use]
pub fn comment_bytes(row: &comment::Model) -> usize {
    let answer = row.answer.as_ref().map_or(0, String::len);
    ROW + 2 * row.body.len() + row.author_name.len() + row.labels.len() + answer
}

/// About how many bytes a meeting takes.
#[must_use]
pub fn meeting_bytes(row: &meeting::Model) -> usize {
    let optional = [&row.title_ru, &row.title_en, &row.venue_kk, &row.venue_ru, &row.venue_en];
    let texts: usize = optional.into_iter().flatten().map(String::len).sum();
    ROW + 2 * (row.title_kk.len() + texts)
}

/// Serialises an answer as JSON, up to the most bytes it may have.
///
/// # Errors
/// `COST_EXCEEDED` when it is longer.
pub fn serialise(answer: &impl serde::Serialize) -> ApiResult<Vec<u8>> {
    let mut written = Bounded(Vec::new());
    serde_json::to_writer(&mut written, answer).map_err(|_| ApiError::TooCostly)?;
    Ok(written.0)
}

struct Bounded(Vec<u8>);

impl std::io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.0.len().saturating_add(bytes.len()) > MOST_ANSWER_BYTES {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_held_until_the_last_reader_has_taken_it() {
        let memory = ResponseMemory::default();
        let answer = memory.hold(vec![0; 1000]);
        let second = answer.clone();
        let meter = Meter::new(&memory);
        assert!(meter.text(500).is_ok() && meter.rows(500).is_ok());
        assert_eq!(memory.held(), 2000);
        drop((answer, meter));
        assert_eq!(memory.held(), 1000);
        drop(second);
        assert_eq!(memory.held(), 0);
    }

    #[test]
    fn an_operation_is_stopped_at_each_of_its_caps() {
        let memory = ResponseMemory::default();
        let meter = Meter::new(&memory);
        assert!((0..MOST_STATEMENTS).all(|_| meter.statement().is_ok()));
        assert!(matches!(meter.statement(), Err(ApiError::TooCostly)));
        assert!(meter.text(MOST_ANSWER_BYTES).is_ok());
        assert!(matches!(meter.text(1), Err(ApiError::TooCostly)));
        assert!(meter.rows(MOST_ROW_BYTES).is_ok());
        assert!(matches!(meter.rows(1), Err(ApiError::TooCostly)));
    }

    #[test]
    fn whoever_asks_is_refused_while_all_answers_hold_too_much() {
        let memory = ResponseMemory::default();
        let most = memory.hold(vec![0; MOST_HELD_BYTES]);
        assert!(memory.check().is_ok());
        let meter = Meter::new(&memory);
        assert!(matches!(meter.text(1), Err(ApiError::RateLimited { .. })));
        assert!(memory.check().is_err());
        drop(most);
        assert!(meter.text(1).is_ok() && memory.check().is_ok());
    }

    #[test]
    fn an_answer_is_written_up_to_its_most_bytes() {
        let most = "x".repeat(MOST_ANSWER_BYTES - 2);
        assert_eq!(serialise(&most).map(|json| json.len()).ok(), Some(MOST_ANSWER_BYTES));
        assert!(matches!(serialise(&format!("{most}x")), Err(ApiError::TooCostly)));
    }
}
