//! Meters the resources of an operation up to limits, and the memory held by all responses.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use entities::{audit_entry, comment, issue, issue_report, meeting, public_request, reception, registration};
use tokio::sync::Mutex;

use crate::{
    domain::receptions::{Entry, Queue},
    graphql::error::{ApiError, ApiResult},
};

/// Maximum number of database statements per operation.
pub const MAX_STATEMENTS: usize = 100;
/// Maximum size of a response.
pub const MAX_RESPONSE_BYTES: usize = 2 << 20;
/// Maximum size of the rows that an operation reads.
pub const MAX_ROW_BYTES: usize = 8 << 20;
/// Maximum memory held by the responses of a replica: those in progress, and those not yet sent.
pub const MAX_HELD_BYTES: usize = 64 << 20;

/// Approximate size of a row beside its texts.
const ROW_OVERHEAD_BYTES: usize = 500;

/// The memory held by the responses of a replica.
#[derive(Clone, Debug, Default)]
pub struct ResponseMemory(Arc<AtomicUsize>);

impl ResponseMemory {
    /// Fails if the responses hold too much memory.
    ///
    /// # Errors
    /// `RATE_LIMITED` if they do.
    pub fn check(&self) -> ApiResult<()> {
        if self.held() > MAX_HELD_BYTES { Err(ApiError::overloaded()) } else { Ok(()) }
    }

    /// Returns the number of bytes held.
    #[must_use]
    pub fn held(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Counts the bytes until the last clone is dropped.
    #[must_use]
    pub fn hold(&self, bytes: Vec<u8>) -> Bytes {
        let reservation = MemoryReservation::new(self);
        reservation.grow(bytes.len());
        Bytes::from_owner(HeldBytes { bytes, _reservation: reservation })
    }
}

/// A reservation of memory, released on drop.
#[derive(Debug)]
struct MemoryReservation {
    memory: ResponseMemory,
    bytes: AtomicUsize,
}

impl MemoryReservation {
    fn new(memory: &ResponseMemory) -> Self {
        Self { memory: memory.clone(), bytes: AtomicUsize::new(0) }
    }

    fn grow(&self, bytes: usize) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.memory.0.fetch_add(bytes, Ordering::Relaxed);
    }
}

impl Drop for MemoryReservation {
    fn drop(&mut self) {
        self.memory.0.fetch_sub(self.bytes.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}

struct HeldBytes {
    bytes: Vec<u8>,
    _reservation: MemoryReservation,
}

impl AsRef<[u8]> for HeldBytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// The resource usage of one operation.
#[derive(Debug)]
pub struct Meter {
    statements: AtomicUsize,
    row_bytes: AtomicUsize,
    text_bytes: AtomicUsize,
    reservation: MemoryReservation,
    cpu_work: Mutex<()>,
    stopped: OnceLock<ApiError>,
}

impl Meter {
    /// Creates a meter. What it counts is held memory until the meter is dropped.
    #[must_use]
    pub fn new(memory: &ResponseMemory) -> Self {
        Self {
            statements: AtomicUsize::new(0),
            row_bytes: AtomicUsize::new(0),
            text_bytes: AtomicUsize::new(0),
            reservation: MemoryReservation::new(memory),
            cpu_work: Mutex::new(()),
            stopped: OnceLock::new(),
        }
    }

    /// Counts a database statement before it is executed.
    ///
    /// # Errors
    /// `COST_EXCEEDED` if there were too many.
    pub fn statement(&self) -> ApiResult<()> {
        let before = self.statements.fetch_add(1, Ordering::Relaxed);
        if before >= MAX_STATEMENTS { Err(self.fail(ApiError::CostExceeded)) } else { Ok(()) }
    }

    /// Counts the bytes of rows that were read.
    ///
    /// # Errors
    /// `COST_EXCEEDED` if the operation has read too much, `RATE_LIMITED` if all responses hold too much
    /// memory.
    pub fn rows(&self, bytes: usize) -> ApiResult<()> {
        self.count(&self.row_bytes, bytes, MAX_ROW_BYTES)
    }

    /// Counts the bytes of a text in the response.
    ///
    /// # Errors
    /// `COST_EXCEEDED` if the response is too long, `RATE_LIMITED` if all responses hold too much memory.
    pub fn text(&self, bytes: usize) -> ApiResult<()> {
        self.count(&self.text_bytes, bytes, MAX_RESPONSE_BYTES)
    }

    fn count(&self, counter: &AtomicUsize, bytes: usize, max: usize) -> ApiResult<()> {
        let all = counter.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        self.reservation.grow(bytes);
        if all > max {
            return Err(self.fail(ApiError::CostExceeded));
        }
        self.reservation.memory.check().map_err(|busy| self.fail(busy))
    }

    fn fail(&self, error: ApiError) -> ApiError {
        self.stopped.get_or_init(|| error).clone()
    }

    /// Returns the error that stopped the operation, if any.
    #[must_use]
    pub fn stopped(&self) -> Option<ApiError> {
        self.stopped.get().cloned()
    }

    /// Runs CPU-bound work of a millisecond or so, then yields to other tasks.
    pub async fn run_cpu_work<T>(&self, work: impl FnOnce() -> T) -> T {
        // Fields of an operation are polled together: without the lock, all would work before one yield.
        let _permit = self.cpu_work.lock().await;
        let output = work();
        tokio::task::yield_now().await;
        output
    }
}

/// Returns the approximate size of a comment: its body is loaded twice, as shown and as searched.
#[must_use]
pub fn comment_bytes(row: &comment::Model) -> usize {
    let answer = row.answer.as_ref().map_or(0, String::len);
    ROW_OVERHEAD_BYTES + 2 * row.body.len() + row.author_name.len() + row.labels.len() + answer
}

/// Returns the approximate size of a meeting.
#[must_use]
pub fn meeting_bytes(row: &meeting::Model) -> usize {
    let optional = [&row.title_ru, &row.title_en, &row.venue_kk, &row.venue_ru, &row.venue_en];
    let texts: usize = optional.into_iter().flatten().map(String::len).sum();
    ROW_OVERHEAD_BYTES + 2 * (row.title_kk.len() + texts)
}

/// Returns the approximate size of a reception.
#[must_use]
pub fn reception_bytes(row: &reception::Model) -> usize {
    let optional = [&row.place_ru, &row.place_en, &row.cancel_reason];
    let texts: usize = optional.into_iter().flatten().map(String::len).sum();
    ROW_OVERHEAD_BYTES + row.place_kk.len() + texts
}

/// Returns the approximate size of a registration.
#[must_use]
pub fn registration_bytes(row: &registration::Model) -> usize {
    ROW_OVERHEAD_BYTES + row.topic.len() + row.outcome.as_ref().map_or(0, String::len)
}

/// Returns the approximate size of a reception's queue.
#[must_use]
pub fn queue_bytes(queue: &Queue) -> usize {
    size_of::<Entry>().saturating_mul(queue.entries().len())
}

/// Returns the approximate size of an entry of the audit log.
#[must_use]
pub fn audit_entry_bytes(row: &audit_entry::Model) -> usize {
    let detail = row.detail.as_ref().map_or(0, String::len);
    ROW_OVERHEAD_BYTES + row.actor.len() + row.action.len() + row.subject.len() + detail
}

/// Returns the approximate size of an issue: its texts are loaded as shown and as searched.
#[must_use]
pub fn issue_bytes(row: &issue::Model) -> usize {
    let optional = [&row.released_description, &row.resolution, &row.funding_source];
    let texts: usize = optional.into_iter().flatten().map(String::len).sum();
    ROW_OVERHEAD_BYTES + row.title.len() + row.description.len() + texts + row.search.len() + row.staff_search.len()
}

/// Returns the approximate size of a report on an issue.
#[must_use]
pub fn report_bytes(row: &issue_report::Model) -> usize {
    ROW_OVERHEAD_BYTES + row.text.len()
}

/// Returns the approximate size of a request: its text is loaded twice, as shown and as searched.
#[must_use]
pub fn request_bytes(row: &public_request::Model) -> usize {
    ROW_OVERHEAD_BYTES + row.text.len() + row.search.len()
}

/// Serialises a response as JSON, up to the maximum size.
///
/// # Errors
/// `COST_EXCEEDED` if it is longer.
pub fn serialize_bounded(response: &impl serde::Serialize) -> ApiResult<Vec<u8>> {
    let mut written = BoundedWriter(Vec::new());
    serde_json::to_writer(&mut written, response).map_err(|_| ApiError::CostExceeded)?;
    Ok(written.0)
}

struct BoundedWriter(Vec<u8>);

impl std::io::Write for BoundedWriter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.0.len().saturating_add(bytes.len()) > MAX_RESPONSE_BYTES {
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
    fn holds_memory_until_the_last_reader_drops_it() {
        let memory = ResponseMemory::default();
        let response = memory.hold(vec![0; 1000]);
        let second = response.clone();
        let meter = Meter::new(&memory);
        assert!(meter.text(500).is_ok() && meter.rows(500).is_ok());
        assert_eq!(memory.held(), 2000);
        drop((response, meter));
        assert_eq!(memory.held(), 1000);
        drop(second);
        assert_eq!(memory.held(), 0);
    }

    #[test]
    fn fails_an_operation_at_each_limit() {
        let memory = ResponseMemory::default();
        let meter = Meter::new(&memory);
        assert!((0..MAX_STATEMENTS).all(|_| meter.statement().is_ok()));
        assert!(matches!(meter.statement(), Err(ApiError::CostExceeded)));
        assert!(meter.text(MAX_RESPONSE_BYTES).is_ok());
        assert!(matches!(meter.text(1), Err(ApiError::CostExceeded)));
        assert!(meter.rows(MAX_ROW_BYTES).is_ok());
        assert!(matches!(meter.rows(1), Err(ApiError::CostExceeded)));
    }

    #[test]
    fn rejects_operations_while_responses_hold_too_much_memory() {
        let memory = ResponseMemory::default();
        let max = memory.hold(vec![0; MAX_HELD_BYTES]);
        assert!(memory.check().is_ok());
        let meter = Meter::new(&memory);
        assert!(matches!(meter.text(1), Err(ApiError::RateLimited { .. })));
        assert!(memory.check().is_err());
        drop(max);
        assert!(meter.text(1).is_ok() && memory.check().is_ok());
    }

    #[tokio::test]
    async fn another_task_runs_after_each_cpu_work_of_an_operation() {
        let turns = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&turns);
        let other = tokio::spawn(async move {
            loop {
                counted.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
            }
        });
        let meter = Meter::new(&ResponseMemory::default());
        // Polled together, like the fields of an operation.
        let works = (0..20).map(|_| meter.run_cpu_work(|| turns.load(Ordering::Relaxed)));
        let seen = futures_util::future::join_all(works).await;
        other.abort();
        assert!(
            seen.is_sorted_by(|earlier, later| earlier < later),
            "turns of the other task before each work: {seen:?}"
        );
        assert!(seen.last() < Some(&turns.load(Ordering::Relaxed)), "it runs after the last work too");
    }

    #[test]
    fn serializes_a_response_up_to_the_limit() {
        let max = "x".repeat(MAX_RESPONSE_BYTES - 2);
        assert_eq!(serialize_bounded(&max).map(|json| json.len()).ok(), Some(MAX_RESPONSE_BYTES));
        assert!(matches!(serialize_bounded(&format!("{max}x")), Err(ApiError::CostExceeded)));
    }
}
