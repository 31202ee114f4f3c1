//! The one place where time comes from.
//!
//! Above the domain time is a collaborator; inside the domain it is an argument. A use case reads [`Clock::now`] once,
//! at its start. The production clock reads the wall clock once, when the process starts, and from then on counts
//! monotonic time, so that a jump of the wall clock can neither reorder events nor bend the time split.

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

/// A wait for a moment of some clock.
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A source of time. All moments are whole milliseconds, as stored and as counted by the time split.
pub trait Clock: Send + Sync + 'static {
    /// The present moment.
    fn now(&self) -> DateTime<Utc>;
    /// Completes when [`Clock::now`] has reached `at`; at once if it already has.
    fn sleep_until(&self, at: DateTime<Utc>) -> Sleep;
    /// Follows the clock that all replicas share, of which this one was found to be `ahead` (behind, if negative).
    fn correct(&self, _ahead: TimeDelta) {}
}

/// Waits for `span` of the given clock's time.
pub fn sleep(clock: &dyn Clock, span: TimeDelta) -> Sleep {
    clock.sleep_until(clock.now() + span)
}

/// The calendar date in Asia/Almaty, by which the decree's duties are judged.
#[must_use]
pub fn almaty_date(at: DateTime<Utc>) -> NaiveDate {
    announcement::date(at)
}

/// Production time: the wall clock at the start of the process plus monotonic time since.
#[derive(Debug)]
pub struct SystemClock {
    wall: DateTime<Utc>,
    started: Instant,
    /// How far it was found to be ahead of the shared clock, in milliseconds.
    ahead: AtomicI64,
}

/// A difference of more than this is corrected at once; less is drift, and is followed in small steps.
const DRIFT: i64 = 1_000;
/// How much drift is corrected at a time, in milliseconds.
const STEP: i64 = 20;

impl SystemClock {
    /// Anchors the clock at the present wall time.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the clock itself")]
    pub fn start() -> Arc<Self> {
        Self::showing(Utc::now())
    }

    /// A clock that shows `wall` now, whatever the machine's shows.
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
        // One millisecond more, because `now` is cut down to whole ones.
        let span = (at - self.now()).to_std().map_or(Duration::ZERO, |span| span + Duration::from_millis(1));
        Box::pin(tokio::time::sleep(span))
    }

    fn correct(&self, ahead: TimeDelta) {
        let ahead = ahead.num_milliseconds();
        let step = if ahead.abs() > DRIFT { ahead } else { ahead.clamp(-STEP, STEP) };
        self.ahead.fetch_add(step, Ordering::Relaxed);
        if step.abs() > DRIFT {
            tracing::warn!(ahead_ms = ahead, "this machine's clock is wrong: the database's is followed");
        }
    }
}

/// A clock that stands still until it is told to move. For tests and demonstrations.
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
    /// A clock that shows `now`.
    #[must_use]
    pub fn at(now: DateTime<Utc>) -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(ManualState { now: now.trunc_subsecs(3), sleepers: BTreeMap::new() }) })
    }

    /// Moves time by `span` (back if negative) and wakes exactly those whose moment has come.
    pub fn advance(&self, span: TimeDelta) {
        let mut state = self.state.lock();
        state.now = (state.now + span).trunc_subsecs(3);
        let now = state.now;
        let later = state.sleepers.split_off(&(now + TimeDelta::milliseconds(1)));
        let due = std::mem::replace(&mut state.sleepers, later);
        drop(state);
        for waker in due.into_values().flatten() {
            // A sleeper that has gone away needs no waking.
            let _ = waker.send(());
        }
    }

    /// Moves time to `at`.
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
            // An error means that the clock is gone, and with it the wait.
            let _ = woken.await;
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_manual_clock_wakes_exactly_those_whose_time_has_come() {
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
