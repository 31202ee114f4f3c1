//! The phases of a meeting, and the steps that each allows.

use chrono::{DateTime, Months, Utc};
use entities::enums::MeetingPhase;

use crate::domain::announcement;

/// The shortest meeting, in minutes.
pub const MIN_PLANNED_MINUTES: i32 = 10;
/// The longest meeting, in minutes.
pub const MAX_PLANNED_MINUTES: i32 = 720;
/// How far ahead a meeting can be planned.
pub const MAX_PLANNING_AHEAD: Months = Months::new(60);
/// The longest title or venue, in characters.
pub const MAX_TITLE_LENGTH: usize = 300;
/// The longest reason, in characters.
pub const MAX_REASON_LENGTH: usize = 500;
/// The longest interval of slow mode, in seconds.
pub const MAX_SLOW_MODE_SECONDS: i32 = 3600;
/// The longest mute, in minutes.
pub const MAX_MUTE_MINUTES: i32 = 1440;
/// The highest number of broadcasts of a meeting.
pub const MAX_BROADCASTS: usize = 20;

/// The meeting's phase does not allow the step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongPhase(pub MeetingPhase);

/// A step of a meeting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MeetingStep {
    /// Announce it (p. 3.4).
    Announce,
    /// Reschedule it.
    Reschedule,
    /// Cancel it.
    Cancel,
    /// Add a broadcast (p. 3.2).
    AddBroadcast,
    /// Start it.
    Start,
    /// Switch its stage.
    SetStage,
    /// End it.
    End,
    /// Change its moderation settings.
    SetModeration,
}

/// Checks that a phase allows a step. Returns whether the step changes anything, since repeats succeed without effect.
///
/// # Errors
/// When the phase does not allow it.
pub const fn check_phase(phase: MeetingPhase, step: MeetingStep) -> Result<bool, WrongPhase> {
    use MeetingPhase::{Announced, Ended, Live, Planned};
    match (step, phase) {
        (MeetingStep::Announce, Planned)
        | (MeetingStep::Reschedule | MeetingStep::Cancel, Planned | Announced)
        | (MeetingStep::AddBroadcast, Planned | Announced | Live)
        | (MeetingStep::Start, Announced)
        | (MeetingStep::SetStage | MeetingStep::End, Live)
        | (MeetingStep::SetModeration, Planned | Announced | Live | Ended) => Ok(true),
        (MeetingStep::Announce, Announced)
        | (MeetingStep::Start, Live)
        | (MeetingStep::End, Ended)
        | (MeetingStep::Cancel, MeetingPhase::Cancelled) => Ok(false),
        _ => Err(WrongPhase(phase)),
    }
}

/// Returns when the meeting's current date became public. Rescheduling to another date announces that date.
#[must_use]
pub fn date_announced_at(
    announced: Option<DateTime<Utc>>,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    announced.map(|at| if announcement::date(from) == announcement::date(to) { at } else { now })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_phase_allows_its_steps() {
        use MeetingPhase::{Announced, Cancelled, Closed, Ended, Live, Planned};
        let table = [
            (MeetingStep::Announce, vec![Planned, Announced]),
            (MeetingStep::Reschedule, vec![Planned, Announced]),
            (MeetingStep::Cancel, vec![Planned, Announced, Cancelled]),
            (MeetingStep::AddBroadcast, vec![Planned, Announced, Live]),
            (MeetingStep::Start, vec![Announced, Live]),
            (MeetingStep::SetStage, vec![Live]),
            (MeetingStep::End, vec![Live, Ended]),
            (MeetingStep::SetModeration, vec![Planned, Announced, Live, Ended]),
        ];
        for (step, phases) in table {
            for phase in [Planned, Announced, Live, Ended, Closed, Cancelled] {
                assert_eq!(check_phase(phase, step).is_ok(), phases.contains(&phase), "{step:?} {phase:?}");
            }
        }
    }

    #[test]
    fn rescheduling_to_another_date_announces_it() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let (told, now) = (at("2026-03-01T05:00:00Z"), at("2026-03-10T05:00:00Z"));
        let start = at("2026-03-20T05:00:00Z");
        assert_eq!(date_announced_at(Some(told), start, at("2026-03-20T09:00:00Z"), now), Some(told));
        assert_eq!(date_announced_at(Some(told), start, at("2026-03-27T05:00:00Z"), now), Some(now));
        assert_eq!(date_announced_at(None, start, at("2026-03-27T05:00:00Z"), now), None);
    }
}
