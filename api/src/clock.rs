//! Time source. No other module reads the system time.
//!
//! Above the domain the clock is injected; inside the domain time is an argument. A use case reads
//! [`Clock::now`] once, at its start. The system clock reads wall time once, when the process starts, and
//! counts monotonic time from then on. A jump of the wall clock therefore neither reorders events nor
//! distorts the time split.

use std::{
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use chrono::{DateTime, NaiveDate, SubsecRound, TimeDelta, Utc};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::domain::announcement;

/// A future that completes at an instant of some clock.
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A source of time, with the millisecond precision of the database and the time split.
pub trait Clock: Send + Sync + 'static {
    /// Returns the current time.
    fn now(&self) -> DateTime<Utc>;
    /// Completes when [`Clock::now`] reaches `at`; immediately if it already has.
    fn sleep_until(&self, at: DateTime<Utc>) -> Sleep;
    /// Corrects the clock towards the one that all replicas share, of which it is `ahead` (behind, if
    /// negative).
    fn correct(&self, _ahead: TimeDelta) {}
}

/// Sleeps for `span` by the given clock.
pub fn sleep(clock: &dyn Clock, span: TimeDelta) -> Sleep {
    clock.sleep_until(clock.now() + span)
}

/// Returns the calendar date in Asia/Almaty, by which the decree's deadlines are judged.
#[must_use]
pub fn almaty_date(at: DateTime<Utc>) -> NaiveDate {
    announcement::date(at)
}

/// The system clock: wall time at process start plus monotonic time since.
#[derive(Debug)]
pub struct SystemClock {
    wall: DateTime<Utc>,
    started: Instant,
    /// The accumulated correction in milliseconds.
    ahead: AtomicI64,
}

/// Differences above this many milliseconds are corrected at once; smaller ones are drift and are corrected
/// gradually.
const MAX_DRIFT: i64 = 1_000;
/// Maximum correction of drift at a time, in milliseconds.
const MAX_STEP: i64 = 20;

impl SystemClock {
    /// Starts a clock at the current wall time.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the clock itself")]
    pub fn start() -> Arc<Self> {
        Self::showing(Utc::now())
    }

    /// Starts a clock at `wall`, whatever the machine's clock shows.
    #[must_use]
    pub fn showing(wall: DateTime<Utc>) -> Arc<Self> {
        Arc::new(Self { wall, started: Instant::now(), ahead: AtomicI64::new(0) })
    }
}

impl Clock for SystemClock {
    fn now(&self) -> DateTime<Utc> {
        let since = TimeDelta::from_std(self.started.elapsed()).unwrap_or(TimeDelta::MAX);
        let since = since - TimeDelta::milliseconds(self.ahead.load(Ordering::Relaxed));
        self.wall.checked_add_signed(since).unwrap_or(self.wall).trunc_subsecs(3)
    }

    #[expect(clippy::disallowed_methods, reason = "the clock itself")]
    fn sleep_until(&self, at: DateTime<Utc>) -> Sleep {
        // One millisecond more, because `now` truncates to milliseconds.
        let span = (at - self.now()).to_std().map_or(Duration::ZERO, |span| span + Duration::from_millis(1));
        Box::pin(tokio::time::sleep(span))
    }

    fn correct(&self, ahead: TimeDelta) {
        let ahead = ahead.num_milliseconds();
        let step = if ahead.abs() > MAX_DRIFT { ahead } else { ahead.clamp(-MAX_STEP, MAX_STEP) };
        self.ahead.fetch_add(step, Ordering::Relaxed);
        if step.abs() > MAX_DRIFT {
            tracing::warn!(ahead_ms = ahead, "the system clock is wrong: following the database's clock");
        }
    }
}

/// A clock that moves only when told to. For tests and demonstrations.
#[derive(Debug)]
pub struct ManualClock {
    state: Mutex<ManualState>,
}

#[derive(Debug)]
struct ManualState {
    now: DateTime<Utc>,
    sleepers: BTreeMap<DateTime<Utc>, Vec<oneshot::Sender<()>>>,
}

impl ManualClock {
    /// Creates a clock that shows `now`.
    #[must_use]
    pub fn at(now: DateTime<Utc>) -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(ManualState { now: now.trunc_subsecs(3), sleepers: BTreeMap::new() }) })
    }

    /// Advances time by `span` (back if negative) and wakes the sleepers whose time has come.
    pub fn advance(&self, span: TimeDelta) {
        let mut state = self.state.lock();
        state.now = (state.now + span).trunc_subsecs(3);
        let now = state.now;
        let later = state.sleepers.split_off(&(now + TimeDelta::milliseconds(1)));
        let due = std::mem::replace(&mut state.sleepers, later);
        drop(state);
        for waker in due.into_values().flatten() {
            // An error means that the sleeper is gone.
            let _ = waker.send(());
        }
    }

    /// Sets the time to `at`.
    pub fn set(&self, at: DateTime<Utc>) {
        let span = at - self.state.lock().now;
        self.advance(span);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> DateTime<Utc> {
        self.state.lock().now
    }

    fn sleep_until(&self, at: DateTime<Utc>) -> Sleep {
        let mut state = self.state.lock();
        if at <= state.now {
            return Box::pin(std::future::ready(()));
        }
        let (wake, woken) = oneshot::channel();
        state.sleepers.entry(at).or_default().push(wake);
        Box::pin(async move {
            // An error means that the clock is gone; then the sleep is over too.
            let _ = woken.await;
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_manual_clock_wakes_only_sleepers_that_are_due() {
        let start = DateTime::UNIX_EPOCH;
        let clock = ManualClock::at(start);
        let mut early = clock.sleep_until(start + TimeDelta::seconds(5));
        let mut late = clock.sleep_until(start + TimeDelta::seconds(6));
        clock.advance(TimeDelta::seconds(5));
        early.as_mut().await;
        assert!(futures_util::poll!(late.as_mut()).is_pending());
        clock.advance(TimeDelta::seconds(1));
        late.await;
    }
}
