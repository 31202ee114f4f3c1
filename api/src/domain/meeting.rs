//! The phases of a meeting's life, and what each allows.

use chrono::{DateTime, Months, Utc};
use entities::enums::MeetingPhase;

use crate::domain::announcement;

/// The shortest meeting that can be planned, in minutes.
pub const MIN_PLANNED_MINUTES: i32 = 10;
/// The longest meeting that can be planned, in minutes.
pub const MAX_PLANNED_MINUTES: i32 = 720;
/// How far ahead a meeting can be planned: five years.
pub const MAX_PLANNING_AHEAD: Months = Months::new(60);
/// How many characters a title or venue may have.
pub const MAX_TITLE_LENGTH: usize = 300;
/// How many characters a reason may have.
pub const MAX_REASON_LENGTH: usize = 500;
/// The longest pause that slow mode can ask for, in seconds.
pub const MAX_SLOW_MODE_SECONDS: i32 = 3600;
/// The longest mute, in minutes.
pub const MAX_MUTE_MINUTES: i32 = 1440;
/// How many broadcasts a meeting may have.
pub const MAX_BROADCASTS: usize = 20;

/// A step that the meeting's phase does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongPhase(pub MeetingPhase);

/// A step in a meeting's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MeetingStep {
    /// The population is told (p. 3.4).
    Announce,
    /// It is moved.
    Reschedule,
    /// It will not be held.
    Cancel,
    /// A broadcast is added (p. 3.2).
    AddBroadcast,
    /// It begins.
    Start,
    /// Its stage changes.
    SetStage,
    /// It ends.
    End,
    /// How its comments are moderated is changed.
    SetModeration,
}

/// Checks that a phase allows a step, and says whether anything is left to be done: what has been announced, started or ended
/// already stays so.
///
/// # Errors
/// When the phase does not allow it.
pub const fn allows(phase: MeetingPhase, step: MeetingStep) -> Result<bool, WrongPhase> {
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

/// When the present date of a meeting was made public, after a move: a new date is announced by the move itself.
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
    fn a_meeting_goes_through_its_phases_in_order() {
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
                assert_eq!(allows(phase, step).is_ok(), phases.contains(&phase), "{step:?} {phase:?}");
            }
        }
    }

    #[test]
    fn a_move_to_another_date_is_an_announcement_of_that_date() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let (told, now) = (at("2026-03-01T05:00:00Z"), at("2026-03-10T05:00:00Z"));
        let start = at("2026-03-20T05:00:00Z");
        assert_eq!(date_announced_at(Some(told), start, at("2026-03-20T09:00:00Z"), now), Some(told));
        assert_eq!(date_announced_at(Some(told), start, at("2026-03-27T05:00:00Z"), now), Some(now));
        assert_eq!(date_announced_at(None, start, at("2026-03-27T05:00:00Z"), now), None);
    }
}
