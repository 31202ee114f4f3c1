//! Limits how fast a socket may send control messages: those that run no operation.

use chrono::{DateTime, TimeDelta, Utc};

/// Sustained rate of control messages a second for any socket.
const BASE_RATE: i64 = 100;
/// Burst size, in seconds of the sustained rate.
const BURST_SECONDS: i64 = 10;

/// A token bucket over the injected clock, stored as the time when it will be full again.
#[derive(Debug)]
pub(in crate::http) struct MessageRateLimit {
    cost: TimeDelta,
    full_at: DateTime<Utc>,
}

impl MessageRateLimit {
    /// Returns the limit for a socket that may run `operations` at once. A gateway's socket serves many
    /// subscribers and gets more.
    pub(in crate::http) fn of(operations: usize) -> Self {
        let operations = i64::try_from(operations).unwrap_or(i64::MAX);
        let rate = BASE_RATE.saturating_add(operations);
        Self { cost: TimeDelta::nanoseconds(1_000_000_000 / rate), full_at: DateTime::UNIX_EPOCH }
    }

    /// Counts a message. Returns whether it is within the limit.
    pub(in crate::http) fn count(&mut self, now: DateTime<Utc>) -> bool {
        let full_at = self.full_at.max(now) + self.cost;
        if full_at - now > TimeDelta::seconds(BURST_SECONDS) {
            return false;
        }
        self.full_at = full_at;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allows_a_burst_and_then_a_steady_rate() {
        let start: DateTime<Utc> = "2026-03-02T04:00:00Z".parse().unwrap();
        let mut limit = MessageRateLimit::of(20);
        assert_eq!((0..5_000).filter(|_| limit.count(start)).count(), 1_200);
        let later = start + TimeDelta::seconds(1);
        assert_eq!((0..5_000).filter(|_| limit.count(later)).count(), 120);
    }

    #[test]
    fn lets_a_gateway_complete_every_operation_at_once() {
        let start: DateTime<Utc> = "2026-03-02T04:00:00Z".parse().unwrap();
        let mut gateway = MessageRateLimit::of(10_000);
        assert!((0..20_000).all(|_| gateway.count(start)), "each operation is started and completed");
    }
}
