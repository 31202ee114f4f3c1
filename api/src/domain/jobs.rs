//! Rules for running jobs: periods, pauses between retries, and parking.

use chrono::{DateTime, TimeDelta, Utc};

/// How long a lease lasts. Another replica takes the job over when it has expired.
pub const LEASE: TimeDelta = TimeDelta::seconds(5);
/// How long a holder waits before it renews its lease. The rest of the lease allows a second try.
pub const RENEWAL: TimeDelta = TimeDelta::seconds(3);

/// Pause after the first failure. Each further failure doubles it.
const FIRST_PAUSE: TimeDelta = TimeDelta::seconds(1);
/// Longest pause before a retry of a periodic job.
const LONGEST_PERIODIC_PAUSE: TimeDelta = TimeDelta::seconds(15);
/// Longest pause before a retry of a queued job.
const LONGEST_QUEUED_PAUSE: TimeDelta = TimeDelta::minutes(10);
/// Attempts after which a periodic job is parked.
const PERIODIC_ATTEMPTS: i32 = 5;
/// Attempts after which a queued job is parked.
const QUEUED_ATTEMPTS: i32 = 12;

/// When the jobs of a kind run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// One periodic job.
    Every(TimeDelta),
    /// Jobs that commands enqueue, each done once.
    Queued,
}

/// What happens to a job after a failed run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterFailure {
    /// It is retried at this time.
    Retry(DateTime<Utc>),
    /// It is parked. A periodic job runs again at this time; a queued one (`None`) waits for the operator.
    Park(Option<DateTime<Utc>>),
}

impl Schedule {
    /// Returns whether the holder keeps its lease between runs.
    ///
    /// A lease for each run of a frequent job would cost more than the run.
    #[must_use]
    pub fn keeps_lease(self) -> bool {
        matches!(self, Self::Every(period) if period < LEASE)
    }

    /// Returns whether a job that its holders never settled is parked instead of attempted again.
    ///
    /// Attempts are counted when they start, so that a job that crashes its replicas is parked too.
    #[must_use]
    pub const fn is_exhausted(self, attempts: i32) -> bool {
        matches!(self, Self::Queued) && attempts > QUEUED_ATTEMPTS
    }

    /// Decides what happens to a job whose last of `attempts` has failed.
    #[must_use]
    pub fn after_failure(self, attempts: i32, due: DateTime<Utc>, now: DateTime<Utc>) -> AfterFailure {
        match self {
            Self::Queued if attempts >= QUEUED_ATTEMPTS => AfterFailure::Park(None),
            Self::Queued => AfterFailure::Retry(now + pause(attempts, LONGEST_QUEUED_PAUSE)),
            Self::Every(period) if attempts >= PERIODIC_ATTEMPTS => {
                AfterFailure::Park(Some(next_run(due, period, now).max(now + LONGEST_PERIODIC_PAUSE)))
            }
            Self::Every(_) => AfterFailure::Retry(now + pause(attempts, LONGEST_PERIODIC_PAUSE)),
        }
    }

    /// Returns the latest time at which a job can be due. A later one was written by a wrong clock.
    #[must_use]
    pub fn horizon(self, now: DateTime<Utc>) -> DateTime<Utc> {
        match self {
            Self::Every(period) => now + period.max(LONGEST_PERIODIC_PAUSE),
            Self::Queued => DateTime::<Utc>::MAX_UTC,
        }
    }
}

/// Returns the first time after `now` that is a whole number of periods after `due`. Missed runs are skipped.
#[must_use]
pub fn next_run(due: DateTime<Utc>, period: TimeDelta, now: DateTime<Utc>) -> DateTime<Utc> {
    if due > now {
        return due;
    }
    let period = period.num_milliseconds().max(1);
    let since = (now - due).num_milliseconds();
    now + TimeDelta::milliseconds(period - since % period)
}

/// Returns the pause after a number of failures: exponential, up to `longest`.
fn pause(failures: i32, longest: TimeDelta) -> TimeDelta {
    let doublings = u32::try_from(failures.saturating_sub(1)).unwrap_or_default();
    let factor = 2_i32.checked_pow(doublings);
    factor.and_then(|factor| FIRST_PAUSE.checked_mul(factor)).map_or(longest, |pause| pause.min(longest))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: TimeDelta = TimeDelta::seconds(1);
    const MINUTE: TimeDelta = TimeDelta::minutes(1);

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    #[test]
    fn the_next_run_is_the_next_whole_period() {
        for (due, now, next) in
            [(0, 0, 60), (0, 59, 60), (0, 60, 120), (0, 61, 120), (0, 100_000, 100_020), (70, 60, 70)]
        {
            assert_eq!(next_run(at(due), MINUTE, at(now)), at(next), "due {due}, now {now}");
        }
    }

    #[test]
    fn pauses_double_up_to_the_longest() {
        let pauses = [1, 2, 3, 4, 5, 9, 31, 32, i32::MAX].map(|failures| pause(failures, MINUTE).num_seconds());
        assert_eq!(pauses, [1, 2, 4, 8, 16, 60, 60, 60, 60]);
        assert_eq!(pause(0, MINUTE), SECOND);
    }

    #[test]
    fn a_queued_job_is_retried_and_then_parked() {
        let after = |attempts| Schedule::Queued.after_failure(attempts, at(0), at(5));
        assert_eq!(after(1), AfterFailure::Retry(at(6)));
        assert_eq!(after(4), AfterFailure::Retry(at(13)));
        assert_eq!(after(QUEUED_ATTEMPTS - 1), AfterFailure::Retry(at(5 + 600)));
        assert_eq!(after(QUEUED_ATTEMPTS), AfterFailure::Park(None));
        assert!(!Schedule::Queued.is_exhausted(QUEUED_ATTEMPTS) && Schedule::Queued.is_exhausted(QUEUED_ATTEMPTS + 1));
    }

    #[test]
    fn a_parked_periodic_job_runs_at_its_next_period() {
        let hourly = Schedule::Every(TimeDelta::hours(1));
        assert_eq!(hourly.after_failure(1, at(0), at(5)), AfterFailure::Retry(at(6)));
        assert_eq!(hourly.after_failure(PERIODIC_ATTEMPTS, at(0), at(5)), AfterFailure::Park(Some(at(3_600))));
        let often = Schedule::Every(SECOND);
        assert_eq!(often.after_failure(PERIODIC_ATTEMPTS, at(0), at(5)), AfterFailure::Park(Some(at(20))));
        assert!(!often.is_exhausted(i32::MAX), "it never stops");
    }

    #[test]
    fn only_frequent_jobs_keep_their_lease() {
        let kept = [Schedule::Every(SECOND), Schedule::Every(MINUTE), Schedule::Queued].map(Schedule::keeps_lease);
        assert_eq!(kept, [true, false, false]);
        assert!(RENEWAL < LEASE);
    }
}
