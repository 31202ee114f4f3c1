//! Rules of webhooks: in which order events are delivered, when a delivery is tried again, and when it is parked.
//!
//! Deliveries of one issue form a line. Only the first waiting one of a line, its head, has a time for its next attempt;
//! the others follow once it is delivered or parked. So a receiver gets the events of an issue in order, while another
//! issue's events pass those that wait. A parked delivery no longer holds up its line: it is for the operator to replay.

use chrono::{DateTime, TimeDelta, Utc};
use entities::enums::DeliveryState;
use sha2::{Digest as _, Sha256};

use crate::domain::text::is_longer_than;

/// Deliveries that are in flight to one receiver at once.
pub const MAX_IN_FLIGHT: usize = 8;
/// The most webhooks of one owner.
pub const MAX_WEBHOOKS: u64 = 20;
/// How long the former secret is valid after a rotation.
pub const SECRET_OVERLAP: TimeDelta = TimeDelta::hours(24);
/// How long a delivery is retried, from its creation or its replay.
pub const RETRY_SPAN: TimeDelta = TimeDelta::days(3);

/// The longest first pause.
const FIRST_PAUSE: TimeDelta = TimeDelta::seconds(5);
/// The longest pause.
const LONGEST_PAUSE: TimeDelta = TimeDelta::hours(1);
/// Attempts that every delivery gets, also one that has waited for an earlier one longer than [`RETRY_SPAN`].
const MIN_ATTEMPTS: i32 = 5;
/// The longest name of a kind of events, in characters.
const MAX_KIND_LENGTH: usize = 24;

/// Kinds that only streams have.
const OF_STREAMS: [&str; 2] = ["SUBSCRIBED", "HEARTBEAT"];

/// What one attempt to deliver has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// The receiver has taken the event.
    Delivered,
    /// The receiver wants no more events.
    Gone,
    /// Nothing says that the receiver has taken the event.
    Failed {
        /// How long the receiver asks to send nothing.
        wait: Option<TimeDelta>,
    },
}

impl Attempt {
    /// Returns whether the receiver wants nothing more now, so that no other event is sent to it either.
    #[must_use]
    pub const fn ends_round(self) -> bool {
        matches!(self, Self::Gone | Self::Failed { wait: Some(_) })
    }

    /// Returns until when nothing is sent because the receiver asks for it: an hour at most.
    #[must_use]
    pub fn not_before(self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self {
            Self::Failed { wait } => wait.map(|wait| now + wait.min(LONGEST_PAUSE)),
            Self::Delivered | Self::Gone => None,
        }
    }
}

/// How far a delivery is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The state.
    pub state: DeliveryState,
    /// Attempts so far.
    pub attempts: i32,
    /// When the next attempt is due. `None` unless it is the head of its line.
    pub next_attempt_at: Option<DateTime<Utc>>,
    /// Until when failed attempts are repeated.
    pub retry_until: DateTime<Utc>,
}

impl Progress {
    /// Returns the progress of a new or replayed delivery.
    #[must_use]
    pub fn new(is_head: bool, now: DateTime<Utc>) -> Self {
        let next_attempt_at = is_head.then_some(now);
        Self { state: DeliveryState::Waiting, attempts: 0, next_attempt_at, retry_until: now + RETRY_SPAN }
    }

    /// Returns the progress after an attempt. `random` spreads retries, so that a receiver that comes back is not
    /// flooded.
    #[must_use]
    pub fn after(self, attempt: Attempt, random: u32, now: DateTime<Utc>) -> Self {
        let attempts = self.attempts.saturating_add(1);
        let ended = |state| Self { state, attempts, next_attempt_at: None, ..self };
        match attempt {
            Attempt::Delivered => ended(DeliveryState::Delivered),
            Attempt::Gone => ended(DeliveryState::Parked),
            Attempt::Failed { .. } if now >= self.retry_until && attempts >= MIN_ATTEMPTS => {
                ended(DeliveryState::Parked)
            }
            Attempt::Failed { .. } => {
                let next = now + pause(attempts, random);
                // The last attempt is made when the time is over, unless there were too few.
                let next = if now < self.retry_until { next.min(self.retry_until) } else { next };
                let next = attempt.not_before(now).map_or(next, |wished| next.max(wished));
                Self { attempts, next_attempt_at: Some(next), ..self }
            }
        }
    }

    /// Returns whether the next delivery of its line may be sent.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.state != DeliveryState::Waiting
    }
}

/// Returns the pause after a number of failed attempts: random, between a half and the whole of a span that doubles from
/// five seconds to an hour.
#[must_use]
pub fn pause(attempts: i32, random: u32) -> TimeDelta {
    let doublings = u32::try_from(attempts.saturating_sub(1)).unwrap_or_default();
    let longest = 2_i32
        .checked_pow(doublings)
        .and_then(|factor| FIRST_PAUSE.checked_mul(factor))
        .map_or(LONGEST_PAUSE, |span| span.min(LONGEST_PAUSE))
        .num_milliseconds();
    let half = longest / 2;
    // At most an hour of milliseconds times 2^32, which fits.
    let more = (longest - half) * i64::from(random) / i64::from(u32::MAX);
    TimeDelta::milliseconds(half + more)
}

/// Returns which of new deliveries, given by their issues in the order of positions, are heads of their lines.
/// `is_waiting` tells whether an issue has an earlier delivery that waits.
pub fn heads<I: PartialEq>(issues: &[I], is_waiting: impl Fn(&I) -> bool) -> Vec<bool> {
    let is_first = |at: usize, issue: &I| !issues.iter().take(at).any(|earlier| earlier == issue);
    issues.iter().enumerate().map(|(at, issue)| !is_waiting(issue) && is_first(at, issue)).collect()
}

/// Returns the id of a message. It is the same for every attempt and replay of an event.
///
/// Positions may be given again after the database was restored from a backup, so the id also holds the event's time.
#[must_use]
pub fn message_id(webhook: uuid::Uuid, seq: i64, at: DateTime<Utc>) -> String {
    format!("msg_{}_{seq}_{}", webhook.simple(), at.timestamp_millis())
}

/// Returns a number by which retries are spread: another one for each webhook, event and attempt.
#[must_use]
pub fn spread(webhook: uuid::Uuid, seq: i64, attempts: i32) -> u32 {
    let mut digest = Sha256::new();
    digest.update(webhook.as_bytes());
    digest.update(seq.to_be_bytes());
    digest.update(attempts.to_be_bytes());
    let digest: [u8; 32] = digest.finalize().into();
    digest.first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes))
}

/// Returns the type of a message about an issue, for example `issue.assigned`.
#[must_use]
pub fn message_type(kind: &str) -> String {
    format!("issue.{}", kind.to_ascii_lowercase())
}

/// Returns whether a text can be the name of a kind of events that are delivered.
#[must_use]
pub fn is_event_kind(text: &str) -> bool {
    !text.is_empty()
        && !OF_STREAMS.contains(&text)
        && !is_longer_than(text, MAX_KIND_LENGTH)
        && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FAILED: Attempt = Attempt::Failed { wait: None };

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    /// Fails at every attempt, each made as soon as it is due. Returns the times of the attempts.
    fn fail_until_parked(first: DateTime<Utc>, mut progress: Progress, random: u32) -> Vec<DateTime<Utc>> {
        let (mut now, mut attempts) = (first, Vec::new());
        loop {
            attempts.push(now);
            progress = progress.after(FAILED, random, now);
            match progress.next_attempt_at {
                Some(next) => now = next,
                None => break,
            }
        }
        assert_eq!(progress.state, DeliveryState::Parked);
        attempts
    }

    #[test]
    fn pauses_double_from_five_seconds_to_an_hour() {
        let longest = [1, 2, 3, 4, 10, 11, 12, 31, 32, 33, i32::MAX].map(|n| pause(n, u32::MAX).num_seconds());
        assert_eq!(longest, [5, 10, 20, 40, 2_560, 3_600, 3_600, 3_600, 3_600, 3_600, 3_600]);
        assert_eq!(pause(1, 0), TimeDelta::milliseconds(2_500));
        assert_eq!(pause(20, 0), TimeDelta::minutes(30));
    }

    #[test]
    fn gives_up_after_three_days() {
        let attempts = fail_until_parked(at(0), Progress::new(true, at(0)), u32::MAX);
        assert_eq!(attempts.last(), Some(&(at(0) + RETRY_SPAN)));
        assert!((70..90).contains(&attempts.len()), "{}", attempts.len());
    }

    #[test]
    fn a_delivery_that_has_waited_for_three_days_still_gets_some_attempts() {
        let late = at(0) + RETRY_SPAN + TimeDelta::days(1);
        let attempts = fail_until_parked(late, Progress::new(false, at(0)), u32::MAX);
        let seconds: Vec<_> = attempts.iter().map(|at| (*at - late).num_seconds()).collect();
        assert_eq!(seconds, [0, 5, 15, 35, 75]);
    }

    #[test]
    fn a_receiver_that_is_gone_parks_at_once() {
        let gone = Progress::new(true, at(0)).after(Attempt::Gone, 0, at(1));
        assert_eq!((gone.state, gone.attempts, gone.next_attempt_at), (DeliveryState::Parked, 1, None));
    }

    #[test]
    fn a_receiver_that_asks_for_a_pause_gets_it_up_to_an_hour() {
        let next = |wait: i64| {
            let attempt = Attempt::Failed { wait: Some(TimeDelta::seconds(wait)) };
            assert!(attempt.ends_round());
            let after = Progress::new(true, at(0)).after(attempt, u32::MAX, at(1));
            (after.next_attempt_at.unwrap() - at(1)).num_seconds()
        };
        assert_eq!([-60, 0, 4, 120, 3_600, 90_000].map(next), [5, 5, 5, 120, 3_600, 3_600]);
        assert!(!FAILED.ends_round() && !Attempt::Delivered.ends_round() && Attempt::Gone.ends_round());
    }

    #[test]
    fn only_the_first_delivery_of_an_issue_is_a_head() {
        assert_eq!(heads(&["a", "b", "a", "c", "b"], |issue| *issue == "c"), [true, true, false, false, false]);
        assert!(heads::<i32>(&[], |_| false).is_empty());
    }

    #[test]
    fn a_message_keeps_its_id_and_names_its_type() {
        let id = message_id(uuid::Uuid::from_u128(7), 12, at(3));
        assert_eq!(id, "msg_00000000000000000000000000000007_12_3000");
        assert_eq!(message_type("ASSIGNED"), "issue.assigned");
    }

    #[test]
    fn names_of_kinds_are_capital_letters() {
        for (name, valid) in [("RAISED", true), ("NO_SHOW", true), ("", false), ("raised", false), ("A B", false)] {
            assert_eq!(is_event_kind(name), valid, "{name}");
        }
        assert!(is_event_kind(&"A".repeat(24)) && !is_event_kind(&"A".repeat(25)));
        assert!(!is_event_kind("HEARTBEAT") && !is_event_kind("SUBSCRIBED"), "they are not recorded");
    }

    fn attempt() -> impl Strategy<Value = Attempt> {
        prop_oneof![1 => Just(Attempt::Delivered), 1 => Just(Attempt::Gone), 6 => Just(FAILED)]
    }

    proptest! {
        #[test]
        fn pauses_stay_within_their_bounds(attempts in 1..100_i32, random: u32) {
            let (least, this, most) = (pause(attempts, 0), pause(attempts, random), pause(attempts, u32::MAX));
            prop_assert!(least <= this && this <= most && most <= LONGEST_PAUSE);
            prop_assert!(least * 2 == most && pause(attempts + 1, 0) >= least);
            prop_assert!(attempts > 1 || this <= FIRST_PAUSE);
        }

        #[test]
        fn every_delivery_ends_in_time(random: u32, late in 0..400_000_i64) {
            let attempts = fail_until_parked(at(late), Progress::new(true, at(0)), random);
            let end = at(0) + RETRY_SPAN;
            prop_assert!(attempts.windows(2).all(|two| two[0] < two[1]));
            prop_assert!(attempts.len() >= usize::try_from(MIN_ATTEMPTS).unwrap());
            prop_assert!(*attempts.last().unwrap() <= end.max(at(late)) + TimeDelta::seconds(75));
        }

        /// A line of deliveries: whatever the receiver does, they are sent in order, and all of them end.
        #[test]
        fn a_line_is_sent_in_order(length in 1..8_usize, attempts in prop::collection::vec((attempt(), any::<u32>()), 0..60)) {
            let mut line: Vec<_> = (0..length).map(|place| Progress::new(place == 0, at(0))).collect();
            let (mut now, mut head) = (at(0), 0);
            for (attempt, random) in attempts {
                let heads: Vec<_> = (0..length).filter(|place| line[*place].next_attempt_at.is_some()).collect();
                if head == length {
                    prop_assert!(heads.is_empty() && line.iter().all(Progress::is_over));
                    break;
                }
                prop_assert_eq!(&heads, &[head], "one head, and it never moves back");
                now = now.max(line[head].next_attempt_at.unwrap());
                let before = line[head];
                line[head] = before.after(attempt, random, now);
                prop_assert_eq!(line[head].attempts, before.attempts + 1);
                if line[head].is_over() {
                    head += 1;
                    if let Some(next) = line.get_mut(head) {
                        next.next_attempt_at = Some(now);
                    }
                } else {
                    prop_assert!(line[head].next_attempt_at.unwrap() > now);
                }
            }
        }
    }
}
