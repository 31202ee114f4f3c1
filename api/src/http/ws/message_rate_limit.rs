//! Limits how fast a socket may send messages that cost the service an answer or nothing to their sender.

use chrono::{DateTime, TimeDelta, Utc};

/// How many such messages a second any socket may send for long.
const BASE_RATE: i64 = 100;
/// For how many seconds' worth of them they may come at once.
const BURST_SECONDS: i64 = 10;

/// A token bucket over the injected clock, kept as the moment when it will be full again.
#[derive(Debug)]
pub(in crate::http) struct MessageRateLimit {
    cost: TimeDelta,
    full_at: DateTime<Utc>,
}

impl MessageRateLimit {
    /// Returns the limit of a socket that may run `operations` at once: a gateway's sends for all who share it.
    pub(in crate::http) fn of(operations: usize) -> Self {
        let operations = i64::try_from(operations).unwrap_or(i64::MAX);
        let rate = BASE_RATE.saturating_add(operations);
        Self { cost: TimeDelta::nanoseconds(1_000_000_000 / rate), full_at: DateTime::UNIX_EPOCH }
    }

    /// Counts a message. Returns whether it may be answered.
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
    fn takes_a_burst_and_then_a_steady_rate() {
        let start: DateTime<Utc> = "2026-03-02T04:00:00Z".parse().unwrap();
        let mut limit = MessageRateLimit::of(20);
        assert_eq!((0..5_000).filter(|_| limit.count(start)).count(), 1_200);
        let later = start + TimeDelta::seconds(1);
        assert_eq!((0..5_000).filter(|_| limit.count(later)).count(), 120);
    }

    #[test]
    fn lets_a_gateway_end_every_operation_at_once() {
        let start: DateTime<Utc> = "2026-03-02T04:00:00Z".parse().unwrap();
        let mut gateway = MessageRateLimit::of(10_000);
        assert!((0..20_000).all(|_| gateway.count(start)), "each is begun and ended");
    }
}
